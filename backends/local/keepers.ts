// Starts keepers, detached from this process, and speaks to them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../schemas/errors.ts';
import { SYSTEM_FOLDERS } from '../host/command.ts';
import type { KeeperReport, KeeperRequest } from '../host/keeper.ts';
import { isRunning } from '../host/process-identity.ts';
import { signal } from '../host/processes.ts';
import { newestKeeper } from '../host/slot.ts';

const KEEPER = fileURLToPath(new URL('../host/keeper.ts', import.meta.url));

/** Safe to repeat: of all keepers started for a slot one gets it. Commands and secrets go through the pipe only. */
export async function startKeeper(
  nodePath: string,
  slot: string,
  request: KeeperRequest,
): Promise<KeeperReport> {
  try {
    const child = spawnKeeper(nodePath, slot);
    await once(child, 'spawn');
    child.unref();
    return await converse(child.stdin as Writable, child.stdout as Readable, request);
  } catch (cause) {
    throw new Failure('transient', `local: cannot start a keeper: ${(cause as Error).message}`, { cause });
  }
}

/** Asks the slot's keeper to look at its orders. False when none lives. */
export function nudgeKeeper(slot: string): boolean {
  const keeper = newestKeeper(slot);
  if (keeper === null || !isRunning(keeper.identity)) return false;
  signal(keeper.identity.pid, 'SIGTERM');
  return true;
}

// Private

function spawnKeeper(nodePath: string, slot: string): ChildProcess {
  const diagnostics = openSync(join(slot, 'keeper.log'), 'a', 0o600);
  try {
    return spawn(nodePath, [KEEPER, slot], {
      cwd: '/',
      detached: true,
      env: { PATH: SYSTEM_FOLDERS.join(':') },
      stdio: ['pipe', 'pipe', diagnostics],
    });
  } finally {
    closeSync(diagnostics);
  }
}

async function converse(input: Writable, output: Readable, request: KeeperRequest): Promise<KeeperReport> {
  input.on('error', () => undefined); // it ended: so does its output
  input.end(JSON.stringify(request));
  try {
    for await (const line of createInterface({ input: output })) return JSON.parse(line) as KeeperReport;
    throw new Error('it ended at once; its slot has a keeper.log');
  } finally {
    output.destroy();
  }
}
