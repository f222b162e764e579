// The store in memory, on any clock: for simulation and tests. What is stored is a frozen copy, as JSON would make it.
import { Failure } from '../../schemas/errors.ts';
import type { Event, NewEvent } from '../../schemas/events.ts';
import { checkChanges, checkSettlements } from './check.ts';
import type {
  Approval,
  Claim,
  ClaimRequest,
  DesiredChange,
  EventQuery,
  KeyRecord,
  Lease,
  Quote,
  Settlement,
  Store,
} from './store.ts';

export interface MemoryStore extends Store {
  /** All that is stored now. */
  snapshot(): Snapshot;
  /** Back to how it was; leases of the time in between are lost. Subscribers stay. */
  restore(snapshot: Snapshot): void;
}

/** Opaque; costs a pointer per key and event. Good for any memory store, any number of times. */
export interface Snapshot {
  readonly epoch: number;
  readonly rows: ReadonlyMap<string, Row>;
  readonly journals: ReadonlyMap<string, Readonly<Journal>>;
  readonly quotes: ReadonlyMap<string, Quote>;
  readonly approvals: ReadonlyMap<string, Approval>;
}

export interface MemoryOptions {
  /** Epoch ms. */
  readonly now?: () => number;
  readonly id?: string;
}

/** An empty store. */
export function openMemory(options: MemoryOptions = {}): MemoryStore {
  const world: World = {
    now: options.now ?? Date.now,
    epoch: 0,
    leases: 0,
    rows: new Map(),
    journals: new Map(),
    quotes: new Map(),
    approvals: new Map(),
    listeners: new Set(),
  };
  return {
    kind: 'memory',
    id: options.id ?? `memory-${crypto.randomUUID()}`,
    now: async () => world.now(),
    nextEpoch: async () => ++world.epoch,
    ensureProject: async (project) => ensureProject(world, project),
    claim: async (request) => claim(world, request),
    endLeases: async (holder) => endLeases(world, holder),
    renew: async (leases, leaseMs) => renew(world, leases, leaseMs),
    settle: async (settlements) => settle(world, settlements),
    putDesired: async (lease, changes, state, events) => putDesired(world, lease, changes, state, events),
    wake: async (keys) => wake(world, keys),
    nextWake: async (machine, projects) => nextWake(world, machine, projects),
    load: async (key) => load(world, key),
    list: async (project) => list(world, project),
    around: async (project) => around(world, project),
    users: async (project, name) => users(world, project, name),
    projects: async () => sorted(world, (row) => row.service === '').map((row) => row.key),
    saveQuote: async (quote) => saveQuote(world, quote),
    quote: async (project, id) => world.quotes.get(quoteKey(project, id)) ?? null,
    quotesOf: async (project, label, limit) => quotesOf(world, project, label, limit),
    pruneQuotes: async (before) => pruneQuotes(world, before),
    approve: async (project, approval, events) => approve(world, project, approval, events),
    approval: async (project) => world.approvals.get(project) ?? null,
    appendEvents: async (project, events) => appendEvents(world, project, events),
    events: async (query) => events(world, query),
    pruneEvents: async (before) => pruneEvents(world, before),
    subscribe: (changed) => subscribe(world, changed),
    close: async () => world.listeners.clear(),
    snapshot: () => stored(world),
    restore: (snapshot) => Object.assign(world, stored(snapshot)),
  };
}

// Private

interface World {
  readonly now: () => number;
  epoch: number;
  /** Leases ever given; not restored, so that a lease of an undone time fits no later one. */
  leases: number;
  rows: Map<string, Row>;
  journals: Map<string, Journal>;
  quotes: Map<string, Quote>;
  approvals: Map<string, Approval>;
  readonly listeners: Set<() => void>;
}

interface Row extends KeyRecord {
  readonly lease: Lease | null;
  /** Of the lease; left over once that is given back. */
  readonly holder: string;
  readonly uses: readonly string[];
}

interface Journal {
  last: number;
  events: Event[];
}

const byKey = (a: Row, b: Row): number => (a.key < b.key ? -1 : 1);

const dueAt = (row: Row): number | null => row.lease?.until ?? row.wakeAt;

const earlier = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b);

const leased = (world: World, row: Row): boolean => row.lease !== null && row.lease.until > world.now();

/** The row that a lease still gives the right to write. */
function held(world: World, { key, token }: Lease): Row | null {
  const row = world.rows.get(key);
  return row?.lease?.token === token && leased(world, row) ? row : null;
}

function put(world: World, row: Row): void {
  world.rows.set(row.key, row);
}

function ensureProject(world: World, project: string): void {
  if (world.rows.has(project)) return;
  put(world, { ...blank(project, ''), wakeAt: world.now() });
  notify(world);
}

function blank(project: string, service: string): Row {
  const key = service === '' ? project : `${project}/${service}`;
  return {
    key,
    project,
    service,
    desired: null,
    state: null,
    machine: null,
    wakeAt: null,
    lease: null,
    holder: '',
    uses: [],
  };
}

function claim(
  world: World,
  { holder, machine, projects, keys, limit, leaseMs }: ClaimRequest,
): readonly Claim[] {
  const now = world.now();
  const wanted = keys === undefined ? null : new Set(keys);
  return [...world.rows.values()]
    .filter((row) => isDue(row, now) && claimable(row, machine, projects) && (wanted?.has(row.key) ?? true))
    .sort((a, b) => (dueAt(a) ?? 0) - (dueAt(b) ?? 0) || byKey(a, b))
    .slice(0, limit)
    .map((row) => {
      const lease = { key: row.key, token: `lease-${++world.leases}`, until: now + leaseMs };
      const taken = { ...row, wakeAt: null, lease, holder };
      put(world, taken);
      return { record: record(taken), lease, now };
    });
}

function isDue(row: Row, now: number): boolean {
  const due = dueAt(row);
  return due !== null && due <= now;
}

const claimable = (row: Row, machine: string, projects?: readonly string[]): boolean =>
  (row.machine === null || row.machine === machine) && (projects?.includes(row.project) ?? true);

function endLeases(world: World, holder: string): void {
  for (const row of [...world.rows.values()]) {
    if (row.lease !== null && row.holder === holder) put(world, { ...row, wakeAt: world.now(), lease: null });
  }
}

function renew(world: World, leases: readonly Lease[], leaseMs: number): ReadonlySet<string> {
  const rows = leases.flatMap((lease) => held(world, lease) ?? []);
  for (const row of rows) {
    if (row.lease === null) continue;
    const until = Math.max(row.lease.until, world.now() + leaseMs);
    put(world, { ...row, lease: { ...row.lease, until } });
  }
  return new Set(rows.map((row) => row.key));
}

function settle(world: World, settlements: readonly Settlement[]): ReadonlySet<string> {
  checkSettlements(settlements);
  const lost = new Set<string>();
  for (const settlement of settlements) {
    const row = held(world, settlement.lease);
    if (row === null) lost.add(settlement.lease.key);
    else end(world, row, settlement);
  }
  return lost;
}

function end(world: World, row: Row, { state, machine, uses, wakeAt, events, release }: Settlement): void {
  const written = {
    ...row,
    state: state === undefined ? row.state : document(state),
    machine: machine === undefined ? row.machine : machine,
    uses: uses ?? row.uses,
    wakeAt: release ? earlier(row.wakeAt, wakeAt === null ? null : Math.ceil(wakeAt)) : row.wakeAt,
    lease: release ? null : row.lease,
  };
  put(world, written);
  removeIfEmpty(world, written);
  appendEvents(world, row.project, events);
  if (isDue(written, world.now())) notify(world);
}

/** A key without documents stays while somebody holds it: removed and made again, it would have two holders. */
function removeIfEmpty(world: World, row: Row): void {
  const empty = row.service !== '' && row.desired === null && row.state === null;
  if (empty && !leased(world, row)) world.rows.delete(row.key);
}

function putDesired(
  world: World,
  lease: Lease,
  changes: readonly DesiredChange[],
  state: unknown,
  events: readonly NewEvent[],
): boolean {
  checkChanges(lease, changes);
  const project = held(world, lease);
  if (project === null) return false;
  put(world, { ...project, state: document(state) });
  for (const change of changes) applyChange(world, project.project, change);
  appendEvents(world, project.project, events);
  if (changes.length > 0) notify(world);
  return true;
}

function applyChange(world: World, project: string, change: DesiredChange): void {
  const desired = document(change.desired);
  const service = change.key.slice(project.length + 1);
  const row = world.rows.get(change.key) ?? blank(project, service);
  const written = { ...row, desired, wakeAt: earlier(row.wakeAt, world.now()) };
  put(world, written);
  removeIfEmpty(world, written);
}

function wake(world: World, keys: readonly string[]): void {
  const now = world.now();
  const asleep = keys
    .flatMap((key) => world.rows.get(key) ?? [])
    .filter(({ wakeAt }) => wakeAt === null || wakeAt > now);
  for (const row of asleep) put(world, { ...row, wakeAt: now });
  if (asleep.length > 0) notify(world);
}

function nextWake(world: World, machine: string, projects?: readonly string[]): number | null {
  let next: number | null = null;
  for (const row of world.rows.values())
    if (claimable(row, machine, projects)) next = earlier(next, dueAt(row));
  return next;
}

function load(world: World, key: string): KeyRecord | null {
  const row = world.rows.get(key);
  return row === undefined ? null : record(row);
}

const list = (world: World, project: string): readonly KeyRecord[] =>
  sorted(world, (row) => row.project === project && !row.service.includes(':')).map(record);

const around = (world: World, project: string): readonly KeyRecord[] =>
  sorted(world, (row) => row.project === project && row.service.includes(':')).map(record);

const users = (world: World, project: string, name: string): readonly KeyRecord[] =>
  sorted(world, (row) => row.project === project && row.uses.includes(name)).map(record);

const sorted = (world: World, wanted: (row: Row) => boolean): readonly Row[] =>
  [...world.rows.values()].filter(wanted).sort(byKey);

function record({ lease: _, holder: __, uses: ___, ...row }: Row): KeyRecord {
  return row;
}

function appendEvents(world: World, project: string, events: readonly NewEvent[]): void {
  if (events.length === 0) return;
  const journal = world.journals.get(project) ?? { last: 0, events: [] };
  const time = new Date(world.now()).toISOString();
  const added = events.map((event, index) => ({
    ...copy(event),
    seq: journal.last + index + 1,
    time,
    project,
  }));
  journal.events.push(...added);
  journal.last += events.length;
  world.journals.set(project, journal);
  notify(world);
}

function events(world: World, { project, service, after, limit }: EventQuery): readonly Event[] {
  const all = world.journals.get(project)?.events ?? [];
  // They are numbered without a gap: what was read before need not be looked at.
  const first = Math.max(0, (after ?? 0) + 1 - (all[0]?.seq ?? 0));
  const found = all.slice(first).filter((event) => (service ?? event.service) === event.service);
  return found.slice(Math.max(0, found.length - limit));
}

function pruneEvents(world: World, before: number): number {
  let pruned = 0;
  for (const journal of world.journals.values()) {
    const kept = journal.events.filter((event) => Date.parse(event.time) >= before);
    pruned += journal.events.length - kept.length;
    journal.events = kept;
  }
  return pruned;
}

function subscribe(world: World, changed: () => void): () => void {
  const listener = (): void => changed();
  world.listeners.add(listener);
  return () => world.listeners.delete(listener);
}

const quoteKey = (project: string, id: string): string => `${project}/${id}`;

function saveQuote(world: World, quote: Quote): void {
  const key = quoteKey(quote.project, quote.id);
  if (world.quotes.has(key))
    throw new Failure('bug', `there is a plan ${quote.id} of ${quote.project} already`);
  world.quotes.set(key, copy(quote));
}

/** Kept in the order of saving, so that of two at one instant the later comes first. */
function quotesOf(world: World, project: string, label: string, limit: number): Quote[] {
  return [...world.quotes.values()]
    .filter((quote) => quote.project === project && quote.label === label)
    .toReversed()
    .toSorted((a, b) => b.at - a.at)
    .slice(0, limit);
}

function pruneQuotes(world: World, before: number): number {
  const expired = [...world.quotes].filter(([, { expiresAt }]) => expiresAt < before);
  for (const [key] of expired) world.quotes.delete(key);
  return expired.length;
}

function approve(world: World, project: string, approval: Approval, events: readonly NewEvent[]): void {
  world.approvals.set(project, copy(approval));
  wake(world, [project]);
  appendEvents(world, project, events);
}

/** After the operation, so that a listener may call the store. */
function notify(world: World): void {
  for (const listener of world.listeners) queueMicrotask(listener);
}

/** A copy that goes its own way; rows and events are shared, for they never change. */
function stored({ epoch, rows, journals, quotes, approvals }: Snapshot) {
  const copies = [...journals].map(([project, journal]): [string, Journal] => [
    project,
    { last: journal.last, events: [...journal.events] },
  ]);
  return {
    epoch,
    rows: new Map(rows),
    journals: new Map(copies),
    quotes: new Map(quotes),
    approvals: new Map(approvals),
  };
}

/** What a database would give back. */
function document(value: unknown): unknown {
  return value === undefined || value === null ? null : copy(value);
}

const copy = <T>(value: T): T => frozen(value) as T;

/** Copies that were made: nobody can change them, so what is made from them shares them, as most of a new state does. */
const copies = new WeakSet<object>();

/** What `JSON.parse(JSON.stringify(value))` gives, without the detour through text. */
function frozen(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value;
  if (copies.has(value)) return value;
  if (!Array.isArray(value) && !isPlain(value)) return frozen(JSON.parse(JSON.stringify(value)));
  const made = Array.isArray(value) ? value.map((item) => frozen(item) ?? null) : membersOf(value);
  copies.add(Object.freeze(made));
  return made;
}

function membersOf(value: object): object {
  const members = Object.entries(value).map(([name, member]) => [name, frozen(member)] as const);
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value);
}
