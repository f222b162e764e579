// The slots of this machine: one folder for each instance, with its tags in it.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance, Tags } from '../../schemas/actual.ts';
import { Failure } from '../../schemas/errors.ts';
import { newestKeeper, readRecord, type SlotRecord, writeRecord } from '../host/slot.ts';
import { LOCAL } from './machine.ts';

export interface Slots {
  /** How many more may be taken. */
  free(): number;
  path(id: string): string;
  /** null for what is not there, or not of this machine. */
  find(id: string): Instance | null;
  all(): readonly Instance[];
  /** The ports given to replicas. */
  ports(): ReadonlySet<number>;
  /** The slot for these tags, taken now or before. Throws `no-capacity`. */
  take(tags: Tags): Instance;
  /** Gives a slot back, if nothing runs in it nor will. Returns whether it did. */
  giveBack(id: string): Promise<boolean>;
}

export interface SlotOptions {
  /** Slots of another one, as in a copied data directory, are left alone. */
  readonly machine: string;
  readonly limit: number;
  /** What a slot is reckoned at; USD per hour. */
  readonly price: number;
}

export async function openSlots(dir: string, { machine, limit, price }: SlotOptions): Promise<Slots> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await sweep(dir);
  const path = (id: string) => join(dir, id);
  const ids = () => readdirSync(dir).filter(isId);
  const find = (id: string): Instance | null => {
    const record = isId(id) ? readRecord(path(id), 'slot') : null;
    return record?.machine === machine ? describe(id, path(id), record, price) : null;
  };
  return {
    path,
    find,
    free: () => limit - ids().length,
    all: () => ids().flatMap((id) => find(id) ?? []),
    ports: () => new Set(ids().flatMap((id) => readRecord(path(id), 'launch')?.port ?? [])),
    // Synchronous: two callers cannot both take the last slot.
    take(tags) {
      const id = idOf(tags);
      if (!existsSync(path(id))) {
        if (ids().length >= limit) throw full(limit);
        reserve(dir, id, { machine, tags, createdAt: Date.now() });
      }
      const instance = find(id);
      if (instance === null) throw new Failure('no-capacity', `local: slot ${id} belongs to another machine`);
      return instance;
    },
    async giveBack(id) {
      if (!isOver(path(id))) return false;
      const trash = join(dir, `${TRASH}${randomUUID()}`);
      renameSync(path(id), trash);
      await rm(trash, { recursive: true, force: true });
      return true;
    },
  };
}

export function gone(id: string): Failure {
  return new Failure('not-found', `local: there is no slot ${id}`);
}

// Private

const TRASH = '.gone-';
const DRAFT = '.new-';

/** What a killed daemon left half made or half removed. */
async function sweep(dir: string): Promise<void> {
  const left = readdirSync(dir).filter((name) => name.startsWith(TRASH) || name.startsWith(DRAFT));
  for (const name of left) await rm(join(dir, name), { recursive: true, force: true });
}

function idOf({ owner, project, replica, attempt }: Tags): string {
  const hash = createHash('sha256').update(JSON.stringify([owner, project, replica, attempt]));
  const id = `${replica}-${hash.digest('hex').slice(0, 8)}`;
  if (!isId(id))
    throw new Failure('invalid', `local: ${replica} cannot name a folder`, { fix: 'rename the service' });
  return id;
}

function isId(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*-[0-9a-f]{8}$/.test(name) && name.length <= 200;
}

/** The folder appears with its tags in it, or not at all. */
function reserve(dir: string, id: string, record: SlotRecord): void {
  const draft = join(dir, `${DRAFT}${randomUUID()}`);
  mkdirSync(draft, { mode: 0o700 });
  writeRecord(draft, 'slot', record);
  renameSync(draft, join(dir, id));
}

function describe(id: string, slot: string, { tags, createdAt }: SlotRecord, price: number): Instance {
  const status = readRecord(slot, 'stop')?.final ? 'stopping' : 'running';
  const place = { backend: LOCAL, region: LOCAL, instance: LOCAL };
  return { id, ...place, status, tags, pricePerHour: price, createdAt };
}

/** A keeper that comes late finds the folder gone, and ends. */
function isOver(slot: string): boolean {
  return newestKeeper(slot) === null || readRecord(slot, 'exit') !== null;
}

function full(limit: number): Failure {
  return new Failure('no-capacity', `local: all ${limit} slots of this machine are taken`, {
    fix: 'raise `local.slots` in the server configuration, or add a backend',
  });
}
