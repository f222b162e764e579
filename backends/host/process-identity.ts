// Names one process beyond doubt: a pid is given again, a pid with its start and the boot is not.
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start; null where there is no /proc. */
  readonly startTicks: number | null;
  /** Changes with every boot of the machine; null where there is no /proc. */
  readonly bootId: string | null;
}

/** The process that has `pid` now; null when there is none, or only what is left until its parent has waited for it. */
export function processIdentity(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  const bootId = read('/proc/sys/kernel/random/boot_id')?.trim();
  if (bootId === undefined) return exists(pid) ? { pid, startTicks: null, bootId: null } : null;
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return null;
  // proc(5): `pid (name) state …`; the name may hold blanks and parentheses, so count from its last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  if (state === 'Z' || state === 'X') return null;
  return { pid, startTicks: Number(fields[START_TIME - STATE]), bootId };
}

/** Whether that very process still runs. Where there is no /proc, a later process with its pid counts as it. */
export function isRunning(identity: ProcessIdentity): boolean {
  const present = processIdentity(identity.pid);
  return present !== null && present.startTicks === identity.startTicks && present.bootId === identity.bootId;
}

// Private

/** Fields of /proc/<pid>/stat, counted from 1. */
const STATE = 3;
const START_TIME = 22;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
