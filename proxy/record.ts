// What each proxy process writes about itself, so that any daemon finds it: `<pid>.json` in the proxies' folder.
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, type ProcessIdentity } from '../backends/host/process-identity.ts';

export interface ProxyRecord {
  readonly identity: ProcessIdentity;
  /** The address that was asked for, and where it listens. */
  readonly listen: string;
  readonly url: string;
  /** The control socket. */
  readonly socket: string;
  /** It is a successor: it began without accepting. */
  readonly inherited: boolean;
}

export function recordPath(folder: string, pid: number): string {
  return join(folder, `${pid}.json`);
}

export function writeRecord(folder: string, record: ProxyRecord): void {
  const path = recordPath(folder, record.identity.pid);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The records of proxies that run. Those left behind by dead ones are removed, with their sockets. */
export function livingRecords(folder: string): readonly ProxyRecord[] {
  const living: ProxyRecord[] = [];
  for (const name of readdirSync(folder)) {
    if (!/^\d+\.json$/.test(name)) continue;
    const record = readRecord(join(folder, name));
    if (record === null) continue;
    if (isRunning(record.identity)) living.push(record);
    else removeRecord(folder, record);
  }
  return living;
}

export function removeRecord(folder: string, record: ProxyRecord): void {
  rmSync(recordPath(folder, record.identity.pid), { force: true });
  rmSync(record.socket, { force: true });
}

/** Signals exactly the process that was recorded, never another that was given its pid. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

// Private

function readRecord(path: string): ProxyRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProxyRecord; // written by `writeRecord` alone, whole
  } catch {
    return null;
  }
}
