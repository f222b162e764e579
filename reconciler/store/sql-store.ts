// The store's operations on a SQL database: plain SQL, one function per operation, alike for PGlite and Postgres.
import { appendEvents, events, pruneEvents } from './events.ts';
import {
  around,
  claim,
  endLeases,
  ensureProject,
  list,
  load,
  nextWake,
  projects,
  putDesired,
  renew,
  settle,
  users,
  wake,
} from './keys.ts';
import { approval, approve, pruneQuotes, quote, quotesOf, saveQuote } from './quotes.ts';
import type { Query, Sql } from './sql.ts';
import type { Store } from './store.ts';

/** All operations of a store but those that differ between databases. Expects a migrated database. */
export async function sqlStore(sql: Sql): Promise<Omit<Store, 'kind' | 'subscribe' | 'close'>> {
  const { query } = sql;
  const [store] = await query<{ id: string }>('select id from trueup.store');
  return {
    id: store?.id ?? '',
    now: () => now(query),
    nextEpoch: () => nextEpoch(query),
    ensureProject: (project) => ensureProject(query, project),
    claim: (request) => claim(query, request),
    endLeases: (holder) => endLeases(query, holder),
    renew: (leases, leaseMs) => renew(query, leases, leaseMs),
    settle: (settlements) => settle(query, settlements),
    putDesired: (lease, changes, state, events) =>
      sql.transaction((within) => putDesired(within, lease, changes, state, events)),
    wake: (keys) => wake(query, keys),
    nextWake: (machine, projects) => nextWake(query, machine, projects),
    load: (key) => load(query, key),
    list: (project) => list(query, project),
    around: (project) => around(query, project),
    users: (project, name) => users(query, project, name),
    projects: () => projects(query),
    saveQuote: (saved) => saveQuote(query, saved),
    quote: (project, id) => quote(query, project, id),
    quotesOf: (project, label, limit) => quotesOf(query, project, label, limit),
    pruneQuotes: (before) => pruneQuotes(query, before),
    approve: (project, given, events) => sql.transaction((within) => approve(within, project, given, events)),
    approval: (project) => approval(query, project),
    appendEvents: (project, events) => appendEvents(query, project, events),
    events: (request) => events(query, request),
    pruneEvents: (before) => pruneEvents(query, before),
  };
}

// Private

async function now(query: Query): Promise<number> {
  const [row] = await query<{ now: number }>('select trueup.now_ms() as now');
  return row?.now ?? 0;
}

async function nextEpoch(query: Query): Promise<number> {
  const [row] = await query<{ epoch: number }>('update trueup.store set epoch = epoch + 1 returning epoch');
  return row?.epoch ?? 0;
}
