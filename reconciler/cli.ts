// The command line: which commands there are, what they take, how they end. Each is loaded when it is called.
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CommandFailure } from './cli/failure.ts';
import type { EventOptions, LogOptions } from './cli/follow.ts';
import type { OffersOptions } from './cli/offers.ts';
import type { PlanOptions } from './cli/plan.ts';
import { createSession, type Session } from './cli/session.ts';
import type { SimulateOptions } from './cli/simulate.ts';
import { SIMULATE_HELP } from './cli/simulate-help.ts';
import type { StatusOptions } from './cli/status.ts';
import type { TokenOptions } from './cli/token.ts';
import type { ValidateOptions } from './cli/validate.ts';
import type { ServeOptions } from './config.ts';

async function main(argv: readonly string[]): Promise<void> {
  quietOnClosedPipe();
  try {
    await program().parseAsync(argv);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function program(): Command {
  const root = new Command('trueup')
    .description('Makes running model and web services match a git repository.')
    .option('--project <name>', 'the project', 'main')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .exitOverride()
    .addHelpText('after', TOP_HELP);
  const command = (name: string, description: string, examples: readonly string[]) =>
    root
      .command(name)
      .description(description)
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ trueup ${line}`).join('\n')}`);
  addServe(command);
  addOffline(command);
  addOffers(command);
  addSimulate(command);
  addClients(command);
  addToken(command);
  return root;
}

type AddCommand = (name: string, description: string, examples: readonly string[]) => Command;

const JSON_OPTION = ['--json', 'print JSON on standard output, and nothing else'] as const;

function addServe(command: AddCommand): void {
  command('serve', 'run the daemon', [
    'serve                                  # the examples of this clone',
    'serve --repo .',
    'serve --repo https://github.com/me/services --path prod',
    'serve --config server.yml --listen 0.0.0.0:3000',
  ])
    .option('--repo <url|path>', 'the git repository to watch')
    .option('--branch <name>', "its branch (default: the repository's HEAD)")
    .option('--path <dir>', 'the folder in it with the services (default: its root)')
    .option('--config <file>', "the server's own configuration")
    .option('--data-dir <dir>', 'where the daemon keeps its state (default: .trueup)')
    .option('--listen <host:port>', 'the public address (default: 127.0.0.1:3000)')
    .addOption(
      new Option('--backend <name...>', 'run replicas of a remote repository here').choices(['local']),
    )
    .addOption(
      new Option('--apply <how>', 'commits at once (auto), or each by approval of a plan (gated)').choices([
        'auto',
        'gated',
      ]),
    )
    .option('--allow-root', 'let replicas of a remote repository run as root')
    .option('--detach-on-exit', 'leave proxies and replicas running after Ctrl-C')
    .option('--stop', 'end everything that this data dir left running, then exit')
    .action(
      run(async (session, options: ServeOptions) => {
        const { startServer } = await import('./cli/serve.ts');
        return startServer(session, options);
      }),
    );
}

function addOffline(command: AddCommand): void {
  command('validate', 'check configuration files, offline', [
    'validate .',
    'validate web.dstack.yml models/',
    'validate --json . | jq .files[].problems',
    'validate --format github .    # annotations of a workflow run',
  ])
    .argument('<path...>', 'files and folders')
    .addOption(
      new Option('--format <format>', 'for whom the output is')
        .choices(['text', 'json', 'github'])
        .default('text'),
    )
    .option('--json', 'the same as --format json')
    .action(
      run(async (session, options: ValidateOptions, paths: string[]) => {
        const { validate } = await import('./cli/validate.ts');
        return validate(session, paths, options);
      }),
    );
  command('plan', 'show what would change; changes nothing', [
    'plan                  # the newest commit against what runs',
    'plan .                # this folder, before it is pushed',
    'plan --offline .      # against nothing, without a server, by listed prices',
  ])
    .argument('[path]', 'a working folder (default: the newest commit)')
    .option('--offline', 'plan against nothing, without a server')
    .option('--catalog <dir>', 'a folder of price lists, for --offline (default: the published ones)')
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: PlanOptions, path?: string) => {
        const { showPlan } = await import('./cli/plan.ts');
        return showPlan(session, path, options);
      }),
    );
}

function addOffers(command: AddCommand): void {
  command('offers', 'show what there is to run a service on, cheapest first', [
    'offers -f web.dstack.yml',
    'offers --gpu H100:8 --spot auto --max-price 40',
    'offers --gpu 24GB.. --backend aws --backend gcp --region us-east-1',
    'offers -f web.dstack.yml --gpu A100:80GB     # what if it were another GPU',
    'offers --cpu arm:4.. --memory 16GB.. --json | jq .offers[0]',
  ])
    .option('-f, --file <file>', 'the configuration of a service; other flags go before what it says')
    .option('--gpu <spec>', 'GPUs, as in `resources`: H100:8, 24GB.., amd:MI300X')
    .option('--cpu <range>', 'CPUs: 4.., arm:8')
    .option('--memory <range>', 'memory: 32GB..')
    .option('--disk <range>', 'disk: 200GB..')
    .addOption(
      new Option('--spot <policy>', 'which prices count (default: on-demand)').choices([
        'auto',
        'spot',
        'on-demand',
      ]),
    )
    .option('--max-price <usd>', 'at most this, in USD per hour')
    .option('--backend <name...>', 'only these clouds')
    .option('--region <name...>', 'only these regions')
    .option('--catalog <dir>', 'a folder of price lists: aws.csv …, or zips of them')
    .option('--max-offers <number>', 'how many to show (default: 20, as JSON 50)', offerCount)
    .addOption(new Option('--online', 'ask the published price lists for news first').conflicts('offline'))
    .option('--offline', 'ask nobody')
    .option(...JSON_OPTION)
    .addHelpText('after', OFFERS_HELP)
    .action(
      run(async (session, options: OffersOptions) => {
        const { showOffers } = await import('./cli/offers.ts');
        return showOffers(session, options);
      }),
    );
}

const OFFERS_HELP = `
What no flag says is as in a file that does not say it: cpu 2.., memory 8GB..,
disk 100GB.., with GPUs or without, on-demand. A bare value is exact (16GB), a
range is open at the end that is left out (16GB..).

Prices are those of --catalog or TRUEUP_CATALOG_DIR; else of the published price
lists as last read, which are asked only with --online or where
TRUEUP_CATALOG_URL says where they are; else those that trueup brings along.
None of them is live, and whether a machine is free is not known from them.`;

function addSimulate(command: AddCommand): void {
  command('simulate', 'run a scenario against a simulated world, in seconds', [
    'simulate docs/simulate/bad-revision.yml',
    'simulate outage.yml --seed 7',
    'simulate outage.yml --json | tail -1 | jq .summary',
  ])
    .argument('<scenario>', 'a YAML file, as docs/simulate.md describes it')
    .option(
      '--seed <number>',
      'of everything that is left to chance (default: what the scenario says)',
      integer,
    )
    .option('--json', 'print JSON lines on standard output: one per event, the summary last')
    .addHelpText('after', SIMULATE_HELP)
    .action(
      run(async (session, options: SimulateOptions, path: string) => {
        const { simulate } = await import('./cli/simulate.ts');
        return simulate(session, path, options);
      }),
    );
}

function addClients(command: AddCommand): void {
  command('status', 'show how services are, and what is around them', [
    'status',
    'status web',
    'status fleet:pool',
    'status --watch',
  ])
    .argument('[name]', 'one in detail: a service, fleet:NAME or volume:NAME')
    .option('-w, --watch', 'keep it up to date')
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: StatusOptions, name?: string) => {
        const { showStatus } = await import('./cli/status.ts');
        return showStatus(session, name, options);
      }),
    );
  command('why', 'say why a service is as it is, and what happens next', ['why web', 'why fleet:pool'])
    .argument('<name>', 'a service, fleet:NAME or volume:NAME')
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: { json?: boolean }, name: string) => {
        const { showWhy } = await import('./cli/status.ts');
        return showWhy(session, name, options);
      }),
    );
  command('events', 'show what happened', ['events', 'events web --follow', 'events --limit 1000 --json'])
    .argument('[name]', 'of one: a service, fleet:NAME or volume:NAME')
    .option('-f, --follow', 'go on with what happens next')
    .option('-n, --limit <number>', 'how many to begin with', integer, 100)
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: EventOptions, name?: string) => {
        const { showEvents } = await import('./cli/follow.ts');
        return showEvents(session, name, options);
      }),
    );
  command('logs', 'show what replicas printed', ['logs web', 'logs web --replica 3 --follow'])
    .argument('<name>', 'the service')
    .option('-r, --replica <number>', 'one replica', integer)
    .option('-f, --follow', 'go on with what they print next')
    .option('-n, --tail <number>', 'how many lines to begin with', integer, 200)
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: LogOptions, name: string) => {
        const { showLogs } = await import('./cli/follow.ts');
        return showLogs(session, name, options);
      }),
    );
}

function addToken(command: AddCommand): void {
  const SCOPES = ['admin', 'read', 'plan', 'apply', 'call'];
  command('token', 'make access tokens', ['token new', 'token new --name ci --scope read plan --only main'])
    .command('new')
    .description('print a new token and its entry for the server configuration; changes nothing')
    .option('--name <name>', 'whose it is', 'new')
    .addOption(new Option('--scope <scope...>', 'what it may do').choices(SCOPES).default(['read']))
    .option('--only <project...>', 'the projects it is good for', ['*'])
    .option(...JSON_OPTION)
    .action(
      run(async (session, options: TokenOptions) => {
        const { newToken } = await import('./cli/token.ts');
        return newToken(session, options);
      }),
    );
}

const TOP_HELP = `
The server is found through TRUEUP_URL and TRUEUP_TOKEN, else through the
.trueup folder of a daemon started here or in a folder above.

Exit codes: 0 fine · 1 the answer is no (invalid, failed, degraded, refused)
            2 wrong usage, or no server`;

/** Commander calls an action with its arguments, its options and itself; the exit code is what it returns. */
function run<Options, Arguments extends unknown[]>(
  action: (session: Session, options: Options, ...args: Arguments) => Promise<number>,
) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const args = given.slice(0, -2) as Arguments;
    const session = createSession(command.optsWithGlobals<{ project: string }>().project);
    const code = await action(session, command.opts() as Options, ...args);
    process.exitCode = process.exitCode || code;
  };
}

function integer(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

function offerCount(text: string): number {
  const count = integer(text);
  if (count >= 1 && count <= 10_000) return count;
  throw new InvalidArgumentError('It must be from 1 to 10000.');
}

/** Says what went wrong, where commander has not already. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof CommandFailure) {
    complain(error.message, error.fix);
    return error.exitCode;
  }
  const fix = error instanceof Error && 'fix' in error ? String(error.fix) : '';
  complain(error instanceof Error ? error.message : String(error), fix);
  if (process.env.TRUEUP_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  // The world refused what was rightly asked for: a taken port, a locked data dir, a database that is down.
  return 1;
}

function complain(message: string, fix: string): void {
  const { env, stderr } = process;
  const colour = stderr.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
  const label = colour ? '\x1b[31merror:\x1b[0m' : 'error:';
  stderr.write(`${label} ${message}\n${fix ? `${fix}\n` : ''}`);
}

/** `trueup events | head` is no failure. */
function quietOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

await main(process.argv);
