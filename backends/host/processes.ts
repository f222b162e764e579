// Which processes live, which of them belong to a replica, and their end. Reads /proc.
import { readdirSync, readFileSync } from 'node:fs';
import { isRunning, type ProcessIdentity, processIdentity } from './process-identity.ts';

/** The variable in every process of a replica that names its slot, so that one that left the session is found too. */
export const MARKER = 'TRUEUP_INSTANCE';

export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** Clock ticks from boot to its start. */
  readonly startTicks: number;
}

/** null when there is no such process. A zombie is still one, in state `Z`. Source: proc_pid_stat(5). */
export function readStat(pid: number): ProcessStat | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command's name stands in brackets and may itself hold brackets and blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  return {
    pid,
    state,
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** The living processes of the replica that `leader` is or was the first process of: its session, and who bears its mark. */
export function membersOf(leader: ProcessIdentity, slot: string): readonly number[] {
  if (processIdentity(process.pid)?.bootId !== leader.bootId) return []; // that was before this boot
  const living = allStats().filter(isLiving);
  const ofSession = living.filter(inSessionOf(leader, living));
  const marked = living.filter(({ pid }) => environmentOf(pid).get(MARKER) === slot);
  return [...new Set([...ofSession, ...marked].map(({ pid }) => pid))];
}

/** The living processes in the session of `leader`; cheaper than `membersOf`, which also reads environments. */
export function sessionOf(leader: ProcessIdentity, stats: readonly ProcessStat[]): readonly number[] {
  const living = stats.filter(isLiving);
  return living.filter(inSessionOf(leader, living)).map(({ pid }) => pid);
}

/** Asks the replica's processes to end: its group in one call, so that a process just being forked is asked too. */
export function askToEnd(leader: ProcessIdentity, slot: string): void {
  if (isRunning(leader)) signal(-leader.pid, 'SIGTERM');
  else for (const pid of membersOf(leader, slot)) signal(pid, 'SIGTERM');
}

/** Ends what lives of the replica, at once. Returns how many processes it found: repeat until there are none. */
export function endAll(leader: ProcessIdentity, slot: string): number {
  const members = membersOf(leader, slot);
  for (const pid of members) signal(pid, 'SIGKILL');
  return members.length;
}

export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended meanwhile
  }
}

export function allStats(): readonly ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

/** The environment a process was started with; empty when it is gone or not ours to read. */
export function environmentOf(pid: number): ReadonlyMap<string, string> {
  const entries = (readProc(`/proc/${pid}/environ`) ?? '').split('\0').filter((entry) => entry.includes('='));
  return new Map(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

// Private

/** A zombie runs no code, and where pid 1 reaps nobody it stays for ever. */
function isLiving(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

/** A session's number is free again once it is empty: then it may be a stranger's, told by who leads it and by age. */
function inSessionOf(
  leader: ProcessIdentity,
  living: readonly ProcessStat[],
): (stat: ProcessStat) => boolean {
  const present = living.find(({ pid }) => pid === leader.pid);
  if (present !== undefined && present.startTicks !== leader.startTicks) return () => false;
  return ({ session, startTicks }) => session === leader.pid && startTicks >= (leader.startTicks ?? 0);
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
