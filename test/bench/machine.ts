// What the figures were taken on: without it they say nothing.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Two lines: the machine, the versions. */
export function machineLines(): string[] {
  const memory = Math.round(totalmem() / 2 ** 30);
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB, ${type()} ${release()}`,
    [`trueup ${revision()}`, `Node ${process.version}`, toolVersion('git', ['--version'])].join(', '),
  ];
}

/** Processes that wanted to run, over the last minute: on a machine that was not idle, read the ratios only. */
export function loadText(): string {
  const [minute = 0] = loadavg();
  return `load ${minute.toFixed(1)} on ${cpus().length} cores`;
}

/** `git 2.39.5`; '' when there is no such program. */
export function toolVersion(program: string, args: readonly string[]): string {
  try {
    const env = { ...process.env, CHECKPOINT_DISABLE: '1' };
    const text = execFileSync(program, [...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env,
    });
    return `${program} ${/\d+(?:\.\d+)+/.exec(text)?.[0] ?? ''}`.trim();
  } catch {
    return '';
  }
}

/** Peak memory of a process so far, from /proc; null when it is gone. */
export function peakMbOf(pid: number | 'self'): number | null {
  const kb = /^VmHWM:\s*(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  return kb === undefined ? null : Number(kb) / 1024;
}

/** Memory of all processes called `name` that descend from this one, what they share counted once. */
export function familyMb(name: string): number {
  return descendants(process.pid)
    .filter((pid) => textOf(`/proc/${pid}/comm`).trim() === name)
    .map((pid) => Number(/^Pss:\s*(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024)
    .reduce((sum, mb) => sum + mb, 0);
}

// Private

/** `0.1.0 at 1a2b3c4`; with a `+` where files differ from that commit. */
function revision(): string {
  const { version } = JSON.parse(textOf(new URL('../../package.json', import.meta.url))) as {
    version: string;
  };
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const args = ['describe', '--always', '--dirty=+', '--exclude=*'];
  try {
    const commit = execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return `${version} at ${commit.trim()}`;
  } catch {
    return version; // not a clone
  }
}

function descendants(pid: number): number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function textOf(path: string | URL): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
