// What a data dir has running, found by its path in the command lines and environments of /proc: seen from outside,
// without asking the program or reading its records.
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';

export type Role = 'daemon' | 'proxy' | 'keeper' | 'replica' | 'other';

export interface FoundProcess {
  readonly pid: number;
  readonly role: Role;
  /** `web-1`; '' of what belongs to none. */
  readonly replica: string;
}

/** All living processes that were started with the path of this data dir. */
export function processesOf(dataDir: string): readonly FoundProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name), dataDir) ?? []);
}

/** Pid by replica, of the process that leads its session: the command itself or the shell that runs it. */
export function replicaPids(dataDir: string): ReadonlyMap<string, number> {
  const replicas = processesOf(dataDir).filter(({ pid, role }) => role === 'replica' && isLeader(pid));
  return new Map(replicas.map(({ replica, pid }) => [replica, pid]));
}

export function pidsOf(dataDir: string, role: Role): readonly number[] {
  return processesOf(dataDir)
    .filter((found) => found.role === role)
    .map(({ pid }) => pid);
}

export async function endProcessesOf(dataDir: string): Promise<void> {
  await eventually(`nothing of ${dataDir} runs`, () => {
    const left = processesOf(dataDir);
    for (const { pid } of left) kill(pid, 'SIGKILL');
    return left.length === 0;
  });
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it ended meanwhile
  }
}

// Private

function look(pid: number, dataDir: string): FoundProcess | null {
  const [line, environment] = [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`)];
  if (!line.includes(dataDir) && !environment.includes(dataDir)) return null;
  const name = (key: string) => new RegExp(`(?:^|\0)${key}=([^\0]*)`).exec(environment)?.[1] ?? '';
  const slot = line.includes('host/keeper.ts') ? line.split('\0').find((word) => word.includes(dataDir)) : '';
  const replica =
    (slot || name('TRUEUP_INSTANCE'))
      .split('/')
      .at(-1)
      ?.replace(/-[0-9a-f]{8}$/, '') ?? '';
  return { pid, role: roleOf(line, replica), replica };
}

function roleOf(line: string, replica: string): Role {
  if (line.includes('reconciler/cli.ts')) return 'daemon';
  if (line.startsWith('trueup-proxy')) return 'proxy';
  if (line.includes('host/keeper.ts')) return 'keeper';
  return replica === '' ? 'other' : 'replica';
}

function isLeader(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === pid;
}

/** '' when it is gone, or a zombie. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
