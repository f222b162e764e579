// The keeper: a small detached process beside each replica on a host. It starts the replica, pumps its output, stops it
// when the slot says so, records its exit, and leaves nothing of it behind. It outlives the daemon; when it is killed
// itself the replica runs on, and the backend starts a successor.
//
//   node keeper.ts SLOT      with a KeeperRequest as JSON on stdin; reports one KeeperReport as JSON on stdout
import { writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, type Exit, spawnGated } from './gate.ts';
import { createLogWriter } from './log-writer.ts';
import { isRunning, type ProcessIdentity, processIdentity } from './process-identity.ts';
import { askToEnd, endAll, environmentOf, membersOf } from './processes.ts';
import { makePipes, openWriteEnds, type Pump, startPump } from './pump.ts';
import { claimSlot, type LaunchRecord, logFolder, readRecord, type SecretSpan, writeRecord } from './slot.ts';

export type KeeperRequest =
  | { readonly kind: 'launch'; readonly command: Command; readonly secrets: readonly string[] }
  /** Take over from a keeper that died. `secrets` null: find them in the replica's environment. */
  | { readonly kind: 'adopt'; readonly secrets: readonly string[] | null };

export type KeeperReport =
  | { readonly kind: 'started' }
  /** Another keeper has the slot, or the slot is gone: this one ends without having done anything. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed'; readonly message: string };

/** A replica in a keeper's care. */
interface Kept {
  readonly identity: ProcessIdentity;
  readonly ended: Promise<Exit>;
  readonly pump: Pump;
}

const NOBODY: Exit = { code: null, signal: null };
const UNSEEN = 'its keeper was killed, so nobody saw how it ended';
const LOOK_MS = 100;
const DRAIN_MS = 2_000;

async function main(slot: string): Promise<void> {
  const orders = listenForOrders(slot);
  const request = parseRequest(await text(process.stdin));
  const launch = readRecord(slot, 'launch');
  const me = processIdentity(process.pid);
  const role = request?.kind === 'launch' ? 'first' : 'successor';
  if (request === null || launch === null || me === null) return report({ kind: 'taken' });
  // The one before may have recorded the exit just before it ended.
  if (!claimSlot(slot, me, role) || readRecord(slot, 'exit') !== null) return report({ kind: 'taken' });
  const kept = await begin(slot, request, launch);
  if (kept === null) return;
  report({ kind: 'started' });
  orders.serve(kept.identity);
  await see(slot, kept, request.kind === 'adopt' ? UNSEEN : '');
}

/** null: there is no replica and there will be none, as the exit record says. */
async function begin(slot: string, request: KeeperRequest, launch: LaunchRecord): Promise<Kept | null> {
  if (request.kind === 'adopt') return adopt(slot, request.secrets, launch);
  try {
    return await start(slot, request, launch);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    recordExit(slot, NOBODY, `it could not be started: ${message}`);
    report({ kind: 'failed', message });
    return null;
  }
}

/** null when the backend was killed while it wrote. A parser's message would quote what may be a secret. */
function parseRequest(json: string): KeeperRequest | null {
  try {
    return JSON.parse(json) as KeeperRequest; // only the backend writes to this pipe
  } catch {
    return null;
  }
}

async function start(
  slot: string,
  { command, secrets }: Extract<KeeperRequest, { kind: 'launch' }>,
  launch: LaunchRecord,
): Promise<Kept> {
  const tags = readRecord(slot, 'slot')?.tags;
  makePipes(slot);
  const ends = openWriteEnds(slot);
  const pump = startPump(slot, secrets, createLogWriter(logFolder(slot), launch.logs));
  const { identity, ended, open } = await spawnGated(command, ends.out, ends.err).finally(ends.close);
  const [replica, attempt] = [tags?.replica ?? '', tags?.attempt ?? 0];
  writeRecord(slot, 'process', { ...identity, replica, attempt, startedAt: Date.now() });
  open();
  return { identity, ended, pump };
}

/** An error in here ends this keeper only: the next look brings another. */
function adopt(slot: string, secrets: readonly string[] | null, launch: LaunchRecord): Kept | null {
  const identity = readRecord(slot, 'process');
  if (identity === null) {
    recordExit(slot, NOBODY, 'its keeper was killed before it was started');
    report({ kind: 'started' });
    return null;
  }
  const known = secrets ?? secretsIn(membersOf(identity, slot), launch.secrets);
  const pump = startPump(slot, known, createLogWriter(logFolder(slot), launch.logs));
  return { identity, ended: endOf(identity), pump };
}

/** Stays with the replica to its end. */
async function see(slot: string, { identity, ended, pump }: Kept, unseen: string): Promise<void> {
  const exit = await ended;
  await endOthers(slot, identity);
  await Promise.race([pump.drained, sleep(DRAIN_MS)]);
  recordExit(slot, exit, unseen);
}

/** What the first process left behind: it may finish within the time of a stop, else it ends at once. */
async function endOthers(slot: string, identity: ProcessIdentity): Promise<void> {
  for (;;) {
    const stop = readRecord(slot, 'stop');
    const graceful = stop !== null && Date.now() < stop.at + stop.stopMs;
    const left = graceful ? membersOf(identity, slot).length : endAll(identity, slot);
    if (left === 0) return;
    await sleep(LOOK_MS);
  }
}

/** An order is a record in the slot; SIGTERM only says that there is one. Without one, SIGTERM does nothing. */
function listenForOrders(slot: string): { serve(identity: ProcessIdentity): void } {
  let kept: ProcessIdentity | null = null;
  let asked = false;
  let deadline: NodeJS.Timeout | undefined;
  const look = () => {
    const stop = readRecord(slot, 'stop');
    if (stop === null || kept === null) return;
    const identity = kept;
    if (!asked) askToEnd(identity, slot);
    asked = true;
    clearTimeout(deadline);
    deadline = setTimeout(() => endAll(identity, slot), Math.max(0, stop.at + stop.stopMs - Date.now()));
  };
  process.on('SIGTERM', look).on('SIGINT', look).on('SIGHUP', look);
  return {
    serve(identity) {
      kept = identity;
      look();
    },
  };
}

/** Only a parent is told how a process ended; a successor sees no more than that it has. */
async function endOf(identity: ProcessIdentity): Promise<Exit> {
  while (isRunning(identity)) await sleep(LOOK_MS);
  return NOBODY;
}

/** null when one of them cannot be found. */
function secretsIn(pids: readonly number[], spans: readonly SecretSpan[]): readonly string[] | null {
  const environments = pids.map(environmentOf);
  const found = spans.map(({ name, from, to }) => {
    const value = environments.find((environment) => environment.has(name))?.get(name);
    return value?.slice(from, to) ?? '';
  });
  return found.includes('') ? null : found;
}

function recordExit(slot: string, exit: Exit, detail: string): void {
  writeRecord(slot, 'exit', { ...exit, at: Date.now(), detail });
}

/** The backend listens for one line, unless it was killed meanwhile. */
function report(message: KeeperReport): void {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch {
    // the work goes on unheard
  }
}

await main(process.argv[2] ?? '');
process.exit();
