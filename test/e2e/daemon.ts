// Runs the real program in a process of its own, as a user would, and asks it the way a user does: by its commands and
// its HTTP API. Everything it starts carries the path of its data dir, so that what is left of it can be found.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import {
  type EventView,
  eventSchema,
  type ServiceView,
  type Status,
  statusSchema,
} from '../../schemas/api.ts';
import { ask } from './ask.ts';
import { eventually } from './eventually.ts';

export interface DaemonOptions {
  /** Paths are absolute. */
  readonly args: readonly string[];
  readonly dataDir: string;
  /** Beside PATH and HOME. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default: any free port. */
  readonly port?: number;
}

export interface Daemon {
  readonly pid: number;
  readonly url: string;
  readonly dataDir: string;
  /** What it printed so far, on both streams. */
  output(): string;
  /** Runs `trueup ARGS` against it. */
  trueup(...args: readonly string[]): Promise<CommandResult>;
  status(project?: string): Promise<Status>;
  service(name: string, project?: string): Promise<ServiceView | undefined>;
  events(project?: string): Promise<readonly EventView[]>;
  /** Waits until the project's status fits. */
  until(what: string, fits: (status: Status) => boolean, options?: UntilOptions): Promise<Status>;
  /** Waits until the service is there and fits. */
  untilService(
    name: string,
    what: string,
    fits: (service: ServiceView) => boolean,
    options?: UntilOptions,
  ): Promise<ServiceView>;
  /** Waits until there is such an event. */
  happens(event: string, reason: RegExp, options?: UntilOptions): Promise<EventView>;
  /** Sends a signal and waits for the end of the daemon alone; gives the exit code, null after SIGKILL. */
  end(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface UntilOptions {
  readonly project?: string;
  readonly ms?: number;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a daemon and waits until it can be asked. Fails with what it printed when it ends before. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const child = spawnDaemon(options);
  const output = collect(child);
  const ended = once(child, 'exit');
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const url = await eventually('the daemon greets', () => {
    if (hasEnded) throw new Error(`the daemon ended:\n${output()}`);
    return /serves +(http:\S+)/.exec(output())?.[1];
  });
  return { ...client(url, options), pid: pidOf(child), url, dataDir: options.dataDir, output, end };

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }
}

/** Runs `serve` where it is to end by itself, and gives what it said. */
export async function runToEnd(options: DaemonOptions): Promise<CommandResult> {
  return resultOf(spawnDaemon(options));
}

// Private

const PROGRAM = fileURLToPath(new URL('../../reconciler/cli.ts', import.meta.url));

function spawnDaemon({ args, dataDir, port = 0, env = {} }: DaemonOptions): ChildProcess {
  const own = ['serve', ...args, '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`];
  return spawn(process.execPath, [PROGRAM, ...own], {
    env: { ...baseEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Not the one of the tests: a DATABASE_URL in it would make all daemons share one database. */
function baseEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

function collect(child: ChildProcess): () => string {
  let all = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      all += chunk;
    });
  }
  return () => all;
}

async function resultOf(child: ChildProcess): Promise<CommandResult> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('its output is not piped');
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(stdout), text(stderr)]);
  return { code, stdout: out, stderr: err };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the process was not started');
  return pid;
}

function client(url: string, { dataDir }: DaemonOptions) {
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();

  async function get(path: string): Promise<string> {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await ask(`${url}/api/v1/${path}`, { headers });
    if (answer.status === 200) return answer.text;
    throw new Error(`GET ${path}: ${answer.status} ${answer.text}`);
  }

  async function status(project = 'main'): Promise<Status> {
    return statusSchema.parse(JSON.parse(await get(`status?project=${project}`)));
  }

  async function service(name: string, project = 'main'): Promise<ServiceView | undefined> {
    return (await status(project)).services.find((candidate) => candidate.name === name);
  }

  async function events(project = 'main'): Promise<readonly EventView[]> {
    const lines = (await get(`events?project=${project}&limit=1000`)).split('\n').filter(Boolean);
    return lines.map((line) => eventSchema.parse(JSON.parse(line)));
  }

  async function until(
    what: string,
    fits: (status: Status) => boolean,
    { project, ms }: UntilOptions = {},
  ): Promise<Status> {
    let last: Status | undefined;
    const look = async () => {
      last = await status(project);
      return fits(last) ? last : undefined;
    };
    return eventually(what, look, ms, () => JSON.stringify(last, null, 1));
  }

  async function untilService(
    name: string,
    what: string,
    fits: (service: ServiceView) => boolean,
    options?: UntilOptions,
  ): Promise<ServiceView> {
    const fitting = ({ services }: Status) =>
      services.find((candidate) => candidate.name === name && fits(candidate));
    const found = fitting(await until(`${name} ${what}`, (status) => fitting(status) !== undefined, options));
    if (found === undefined) throw new Error(`${name} is gone`);
    return found;
  }

  async function happens(name: string, reason: RegExp, { project, ms }: UntilOptions = {}) {
    let all: readonly EventView[] = [];
    const look = async () => {
      all = await events(project);
      return all.findLast((candidate) => candidate.event === name && reason.test(candidate.reason));
    };
    return eventually(`the event ${name} ${reason}`, look, ms, () => all.map(lineOf).join('\n'));
  }

  async function trueup(...args: readonly string[]): Promise<CommandResult> {
    const env = { ...baseEnvironment(), TRUEUP_URL: url, TRUEUP_TOKEN: token };
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    return resultOf(spawn(process.execPath, [PROGRAM, ...args], { env, stdio: [...stdio] }));
  }

  return { trueup, status, service, events, until, untilService, happens };
}

function lineOf({ time, service, event, reason }: EventView): string {
  return `${time} ${service} ${event} ${reason}`;
}
