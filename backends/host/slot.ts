// What lies in a replica's slot, the folder that its backend and its keepers share:
//   slot.json  launch.json  keeper-N.json  process.json  stop.json  exit.json  out err (FIFOs)  logs/  work/
// Each record is written whole or not at all. None holds a secret.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tags } from '../../schemas/actual.ts';
import type { LogLimits } from './log-writer.ts';
import { isRunning, type ProcessIdentity } from './process-identity.ts';

/** Written with the folder: the slot is taken. */
export interface SlotRecord {
  readonly machine: string;
  readonly tags: Tags;
  readonly createdAt: number;
}

/** Written before the first keeper is started: from now on a process may exist. */
export interface LaunchRecord {
  /** The `$PORT` of the replica. */
  readonly port: number;
  /** The `port` its file names. */
  readonly configuredPort: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopMs: number;
  readonly logs: LogLimits;
  /** Where the replica's environment holds texts to mask: a successor keeper reads them there. */
  readonly secrets: readonly SecretSpan[];
}

export interface SecretSpan {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Written before the process may execute anything of the user's. */
export interface ProcessRecord extends ProcessIdentity {
  readonly replica: string;
  readonly attempt: number;
  readonly startedAt: number;
}

/** The process is to end: SIGTERM at once, SIGKILL at `at + stopMs`. */
export interface StopRecord {
  readonly at: number;
  readonly stopMs: number;
  /** The slot itself is being given back. */
  readonly final: boolean;
}

/** Written when nothing of the replica lives any more. */
export interface ExitRecord {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
  /** Why code and signal are unknown; '' when they are known. */
  readonly detail: string;
}

interface Records {
  readonly slot: SlotRecord;
  readonly launch: LaunchRecord;
  readonly process: ProcessRecord;
  readonly stop: StopRecord;
  readonly exit: ExitRecord;
}

export const logFolder = (slot: string) => join(slot, 'logs');
export const workFolder = (slot: string) => join(slot, 'work');

/** null when it was not written (yet). */
export function readRecord<Name extends keyof Records>(slot: string, name: Name): Records[Name] | null {
  return readJson<Records[Name]>(join(slot, `${name}.json`));
}

/** Throws when the slot's folder is gone. */
export function writeRecord<Name extends keyof Records>(
  slot: string,
  name: Name,
  record: Records[Name],
): void {
  const temporary = join(slot, `${name}.${process.pid}.tmp`);
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, join(slot, `${name}.json`));
}

export interface KeeperClaim {
  readonly number: number;
  readonly identity: ProcessIdentity;
}

/** The newest keeper of the slot, dead or alive; null when none ever came to work. */
export function newestKeeper(slot: string): KeeperClaim | null {
  for (let number = 1, newest: KeeperClaim | null = null; ; number++) {
    const identity = readJson<ProcessIdentity>(keeperFile(slot, number));
    if (identity === null) return newest;
    newest = { number, identity };
  }
}

/**
 * Makes this process the slot's keeper: the first, or a successor of a dead one. Of all that try at once exactly one
 * wins, as the claim appears by `link`, which fails when the name exists.
 */
export function claimSlot(slot: string, me: ProcessIdentity, role: 'first' | 'successor'): boolean {
  const newest = newestKeeper(slot);
  if (role === 'first' ? newest !== null : newest === null || isRunning(newest.identity)) return false;
  const temporary = join(slot, `keeper.${me.pid}.tmp`);
  try {
    writeFileSync(temporary, JSON.stringify(me), { mode: 0o600 });
    linkSync(temporary, keeperFile(slot, (newest?.number ?? 0) + 1));
    return true;
  } catch {
    return false; // another keeper was faster, or the slot is gone
  } finally {
    rmSync(temporary, { force: true });
  }
}

// Private

const keeperFile = (slot: string, number: number) => join(slot, `keeper-${number}.json`);

function readJson<T>(file: string): T | null {
  try {
    // Only this program writes these files, and whole; one that a power cut truncated counts as not written.
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return null;
  }
}
