// How every git process is run: in an environment made from nothing, with one configuration file of ours, over one
// protocol, without prompts, hooks or helpers of the machine, and never without a timeout.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { GitPluginError, simpleGit } from 'simple-git';
import { Failure } from '../../schemas/errors.ts';
import { explain } from './git-errors.ts';
import type { Credentials } from './location.ts';

export interface Git {
  /** Standard output, as text. Throws a `Failure`. */
  run(args: readonly string[], input?: string): Promise<string>;
  /** For what is not text. The caller ends it. */
  spawn(args: readonly string[]): ChildProcessByStdio<Writable, Readable, null>;
  /** Ends what still runs. */
  close(): void;
}

export interface GitOptions {
  /** A folder of ours; the bare clone is `mirror` in it. */
  readonly dir: string;
  /** How the repository is called in messages. */
  readonly repo: string;
  readonly protocol: 'https' | 'http' | 'ssh' | 'file';
  readonly credentials: Credentials | null;
  /** Kills a git process that was silent for so long. */
  readonly timeoutMs: number;
}

export function mirrorDir(dir: string): string {
  return join(dir, 'mirror');
}

export function createGit(options: GitOptions): Git {
  const env = environment(options);
  const end = new AbortController();
  // One listener per running git; how many run at once is the caller's affair.
  setMaxListeners(0, end.signal);
  const secret = options.credentials?.password ?? '';
  return {
    async run(args, input) {
      // One instance per call: within one, a failing command takes the waiting ones with it.
      const git = simpleGit({
        baseDir: options.dir,
        abort: end.signal,
        timeout: { block: options.timeoutMs },
        // Without this, what the environment holds on purpose would be refused.
        allowEnvironment: Object.keys(env),
        unsafe: { allowUnsafeConfigPaths: true, allowUnsafeSshCommand: true },
        ...(input === undefined ? {} : { input: () => input }),
      });
      try {
        return await git.env(env).raw([...args]);
      } catch (error) {
        const timedOut = error instanceof GitPluginError && error.plugin === 'timeout';
        throw explain(String(error instanceof Error ? error.message : error), {
          repo: options.repo,
          dir: options.dir,
          timedOutMs: timedOut ? options.timeoutMs : null,
          secret,
        });
      }
    },
    spawn(args) {
      return spawn('git', args, {
        cwd: options.dir,
        env,
        stdio: ['pipe', 'pipe', 'ignore'],
        signal: end.signal,
        killSignal: 'SIGKILL',
      }).on('error', () => {});
    },
    close: () => end.abort(),
  };
}

/** Throws `invalid` for a git that would not heed `GIT_CONFIG_GLOBAL` (before 2.32, 2021), and so run with the user's settings. */
export async function requireGit(git: Git): Promise<void> {
  const version = await git.run(['version']);
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  if (major > 2 || (major === 2 && minor >= 32)) return;
  throw new Failure('invalid', `${version.trim()} is too old`, { fix: 'Install git 2.32 or newer.' });
}

/**
 * Writes the only configuration our git processes read besides the clone's own. A file, because options given on the
 * command line do not reach the git that serves a local repository. `trusted`: see `userTrusts`.
 */
export function writeConfig(options: GitOptions, trusted: readonly string[]): void {
  const { dir, credentials, timeoutMs } = options;
  const lines = [
    '[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null',
    '[init]\n\ttemplateDir =\n\tdefaultBranch = main',
    '[gc]\n\tauto = 0',
    '[maintenance]\n\tauto = false',
    '[fetch]\n\trecurseSubmodules = false\n\twriteCommitGraph = false',
    `[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = ${Math.ceil(timeoutMs / 1000)}`,
    ...trusted.map((path) => `[safe]\n\tdirectory = ${quote(path)}`),
  ];
  // Scoped to its host: wherever a redirect leads, the password does not follow.
  if (credentials) lines.push(`[credential ${quote(credentials.origin)}]\n\thelper = ${quote(HELPER)}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // Replaced whole: a git that starts meanwhile must not read half of it.
  writeFileSync(join(dir, 'config.new'), `${lines.join('\n')}\n`, { mode: 0o600 });
  renameSync(join(dir, 'config.new'), join(dir, 'config'));
}

/**
 * The one thing taken from the user's git configuration: which folders of other owners they declared safe
 * (`safe.directory`), for that is their word on whom to trust, and git's own advice when it refuses a folder.
 */
export async function userTrusts(dir: string): Promise<readonly string[]> {
  const git = simpleGit({ baseDir: dir, allowEnvironment: ['GIT_DIR'], timeout: { block: 10_000 } });
  const env = { ...inherited(['HOME', 'XDG_CONFIG_HOME']), GIT_DIR: '/dev/null' };
  const found = await git
    .env(env)
    .raw(['config', '--get-all', '-z', 'safe.directory'])
    .catch(() => '');
  return found.split('\0').slice(0, -1);
}

// Private

/** `get` only: git also asks helpers to store and to erase. */
const HELPER =
  '!f() { test "$1" != get || printf \'username=%s\\npassword=%s\\n\' "$TRUEUP_GIT_USERNAME" "$TRUEUP_GIT_PASSWORD"; }; f';

/** What a connection may need from the machine: proxies, certificates, the ssh agent. */
const INHERITED = [
  'HOME',
  'TMPDIR',
  'SUDO_UID',
  'SSH_AUTH_SOCK',
  'GIT_SSH_COMMAND',
  'GIT_SSL_CAINFO',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CURL_CA_BUNDLE',
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
];

function environment(options: GitOptions): Record<string, string> {
  return {
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15',
    ...inherited(INHERITED),
    LC_ALL: 'C',
    // Named, not searched for: a damaged clone must not make git use a repository further up.
    GIT_DIR: mirrorDir(options.dir),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(options.dir, 'config'),
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: options.protocol,
    GIT_TERMINAL_PROMPT: '0',
    // A partial clone fetches missing objects by its own configuration, which may name any command.
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    ...(options.credentials && {
      TRUEUP_GIT_USERNAME: options.credentials.username,
      TRUEUP_GIT_PASSWORD: options.credentials.password,
    }),
  };
}

function inherited(names: readonly string[]): Record<string, string> {
  const present = ['PATH', ...names].filter((name) => process.env[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, process.env[name] ?? '']));
}

function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
