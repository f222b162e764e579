// Starts a proxy process and waits until it is up. Used by the daemon for the first one, by proxies for all others.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { readJsonLines } from './json-lines.ts';
import type { Place } from './place.ts';

/** All that a proxy process is told at its start; handed over in the environment as JSON. */
export interface ProxyConfig {
  readonly place: Place;
  /** `host:port`. */
  readonly listen: string;
  readonly apiSocket: string;
  /**
   * Where the listening socket that it inherits as fd 3 is reached: it accepts on that once it is told to.
   * null: it opens `listen` and accepts at once.
   */
  readonly inherited: string | null;
  /** From the last byte of a request until the first of its answer. */
  readonly answerMs: number;
  /** How long a request waits for a replica of a service that has none; absent: a minute. */
  readonly holdMs?: number;
  /** How long a proxy lives without its data dir, or as a successor that nobody tells to accept. */
  readonly orphanMs: number;
}

/** The one line that a starting proxy prints. */
export type StartReport =
  | { readonly kind: 'up' }
  | { readonly kind: 'failed'; readonly message: string; readonly fix: string };

export const CONFIG_VARIABLE = 'TRUEUP_PROXY';
export const PROGRAM = join(import.meta.dirname, 'main.ts');
export const INHERITED_FD = 3;

export interface SpawnOptions {
  readonly program: string;
  readonly config: ProxyConfig;
  readonly env: NodeJS.ProcessEnv;
  /** Where it prints what it has to say: a file's descriptor, or that of the process that starts it. */
  readonly log: number | 'inherit';
  /** The listening socket it inherits. */
  readonly listening?: number;
}

const START_MS = 15_000;

export async function spawnProxy(
  options: SpawnOptions,
): Promise<{ readonly pid: number; readonly report: StartReport }> {
  const child = spawn(process.execPath, [options.program], {
    cwd: '/',
    detached: true,
    env: { ...options.env, [CONFIG_VARIABLE]: JSON.stringify(options.config) },
    stdio: ['ignore', 'pipe', options.log, ...(options.listening === undefined ? [] : [options.listening])],
  });
  const ended = new Promise<StartReport>((resolve) => {
    child.once('error', (error) => resolve(failed(error.message)));
    child.once('exit', (code, signal) => resolve(failed(`it ended with ${signal ?? `code ${code}`}`)));
  });
  try {
    const output = child.stdout;
    const report = await Promise.race([ended, tooSlow(), ...(output === null ? [] : [firstLine(output)])]);
    if (report.kind === 'failed') child.kill('SIGKILL');
    return { pid: child.pid ?? -1, report };
  } finally {
    child.stdout?.destroy();
    child.unref();
  }
}

// Private

function firstLine(output: Readable): Promise<StartReport> {
  return new Promise((resolve) => readJsonLines(output, (line) => resolve(line as StartReport))); // see main.ts
}

function tooSlow(): Promise<StartReport> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(failed(`it was not up after ${START_MS / 1_000} s`)), START_MS).unref();
  });
}

function failed(reason: string): StartReport {
  return {
    kind: 'failed',
    message: `a proxy process did not start: ${reason}`,
    fix: 'see the log in the data dir',
  };
}
