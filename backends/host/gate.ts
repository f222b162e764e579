// Starts a process that executes nothing of the user's before its identity is on disk: a shell that waits for a word
// on a pipe, and ends when the pipe closes without it, as it does when its parent dies.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type ProcessIdentity, processIdentity } from './process-identity.ts';

export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface GatedProcess {
  readonly identity: ProcessIdentity;
  readonly ended: Promise<Exit>;
  /** Lets it become the command. */
  open(): void;
}

/** The process leads a session and a group of its own; it writes to the file descriptors `out` and `err`. */
export async function spawnGated(command: Command, out: number, err: number): Promise<GatedProcess> {
  const [shell, ...options] = GATE_SHELL;
  const child = spawn(shell, [...options, '-c', GATE, 'gate', ...command.argv], {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    stdio: ['ignore', out, err, 'pipe'],
  });
  const ended = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }));
  ended.catch(() => undefined); // a failed start rejects the next line as well
  await once(child, 'spawn');
  const identity = processIdentity(child.pid ?? 0);
  if (identity === null) throw new Error('it was ended before its first instruction');
  const gate = child.stdio[3] as Writable; // 'pipe' above
  gate.on('error', () => undefined); // ended meanwhile: `ended` says so
  return { identity, ended, open: () => gate.end('go\n') };
}

// Private

// bash hands on variables with names like `a.b`, which other shells drop; -p keeps it from reading $BASH_ENV.
const GATE_SHELL: readonly [string, ...string[]] = existsSync('/bin/bash')
  ? ['/bin/bash', '-p']
  : ['/bin/sh'];
const GATE = 'IFS= read -r go <&3 || exit 125; exec 3<&-; exec "$@"';
