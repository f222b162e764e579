// Keys, their leases and documents in SQL; the operations of every pass are one statement each.
// Rows written together are locked in the order of their keys, and journals after keys: nothing can deadlock.
//
// A key is due at the end of its lease while it has one, else at `wake_at` (a generated column, `due_at`). A claim
// empties `wake_at`: what is found there when the lease is given back is a wake that came in between, and wins.
import type { NewEvent } from '../../schemas/events.ts';
import { checkChanges, checkSettlements } from './check.ts';
import { APPEND, appendEvents } from './events.ts';
import { CHANNEL, document, type Query } from './sql.ts';
import type { Claim, ClaimRequest, DesiredChange, KeyRecord, Lease, Settlement } from './store.ts';

export async function ensureProject(query: Query, project: string): Promise<void> {
  await query(
    `with made as (
      insert into trueup.keys (key, project, service, wake_at) values ($1, $1, '', trueup.now_ms())
      on conflict (key) do nothing
      returning key
    )
    select pg_notify('${CHANNEL}', '') from made`,
    [project],
  );
}

export async function claim(query: Query, request: ClaimRequest): Promise<readonly Claim[]> {
  const rows = await query<ClaimRow>(
    `with due as (
      select key, due_at from trueup.keys
      where due_at <= trueup.now_ms()
        and (machine is null or machine = $2)
        and ($3::text[] is null or key = any($3))
        and ($6::text[] is null or project = any($6))
      order by due_at
      limit $4
      for update skip locked
    )
    update trueup.keys as k
    set wake_at = null, token = gen_random_uuid()::text, holder = $1, lease_until = trueup.now_ms() + $5
    from due
    where k.key = due.key
    returning ${RECORD}, k.token, k.lease_until, due.due_at as was_due, trueup.now_ms() as now`,
    [
      request.holder,
      request.machine,
      request.keys ?? null,
      request.limit,
      request.leaseMs,
      request.projects ?? null,
    ],
  );
  return rows.toSorted(longestDueFirst).map((row) => ({
    record: keyRecord(row),
    lease: { key: row.key, token: row.token, until: row.lease_until },
    now: row.now,
  }));
}

interface ClaimRow extends RecordRow {
  readonly token: string;
  readonly lease_until: number;
  readonly was_due: number;
  readonly now: number;
}

const longestDueFirst = (a: ClaimRow, b: ClaimRow): number =>
  a.was_due - b.was_due || (a.key < b.key ? -1 : 1);

export async function endLeases(query: Query, holder: string): Promise<void> {
  await query(
    `with held as (select key from trueup.keys where holder = $1 order by key for update)
    update trueup.keys k set wake_at = trueup.now_ms(), token = null, holder = null, lease_until = null
    from held where k.key = held.key`,
    [holder],
  );
}

export async function renew(
  query: Query,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<ReadonlySet<string>> {
  const rows = await query<{ key: string }>(
    `with held as (
      select k.key from trueup.keys k join unnest($1::text[], $2::text[]) as given (key, token) using (key, token)
      where k.lease_until > trueup.now_ms()
      order by k.key for update of k
    )
    update trueup.keys k set lease_until = greatest(k.lease_until, trueup.now_ms() + $3)
    from held where k.key = held.key
    returning k.key`,
    [leases.map((lease) => lease.key), leases.map((lease) => lease.token), leaseMs],
  );
  return new Set(rows.map((row) => row.key));
}

export async function settle(query: Query, settlements: readonly Settlement[]): Promise<ReadonlySet<string>> {
  checkSettlements(settlements);
  const events = settlements.flatMap((settlement, index) =>
    settlement.events.map((event) => ({ position: index + 1, event })),
  );
  const rows = await query<{ key: string }>(
    `with given as (
      select * from unnest(
        $1::text[], $2::text[], $3::boolean[], $4::text[], $5::boolean[], $6::text[], $7::bigint[], $8::boolean[],
        $9::boolean[], $10::text[]
      ) with ordinality
        as given (key, token, sets_state, state, sets_machine, machine, wake_at, release, sets_uses, uses, position)
    ),
    held as (
      select given.*, k.project,
        release and service <> '' and k.desired is null
          and case when sets_state then given.state is null else k.state is null end as gone
      from trueup.keys k join given using (key, token)
      where k.lease_until > trueup.now_ms()
      order by k.key for update of k
    ),
    removed as (
      delete from trueup.keys k using held where k.key = held.key and gone
    ),
    written as (
      update trueup.keys k set
        state = case when sets_state then held.state::json else k.state end,
        machine = case when sets_machine then held.machine else k.machine end,
        uses = case when sets_uses then nullif(string_to_array(held.uses, ' '), '{}') else k.uses end,
        wake_at = case when release then least(k.wake_at, held.wake_at) else k.wake_at end,
        token = case when release then null else k.token end,
        holder = case when release then null else k.holder end,
        lease_until = case when release then null else k.lease_until end
      from held where k.key = held.key and not gone
      returning k.due_at <= trueup.now_ms() as due
    ),
    told as (
      select project, service, body::json, told.position
      from unnest($11::bigint[], $12::text[], $13::text[])
        with ordinality as told (settlement, service, body, position)
      join held on held.position = settlement
    ),
    ${APPEND}
    select key, case
      when exists (select from appended) or exists (select from written where due) then pg_notify('${CHANNEL}', '')
    end
    from held`,
    [
      settlements.map(({ lease }) => lease.key),
      settlements.map(({ lease }) => lease.token),
      settlements.map(({ state }) => state !== undefined),
      settlements.map(({ state }) => document(state)),
      settlements.map(({ machine }) => machine !== undefined),
      settlements.map(({ machine }) => machine ?? null),
      settlements.map(({ wakeAt }) => (wakeAt === null ? null : Math.ceil(wakeAt))),
      settlements.map(({ release }) => release),
      settlements.map(({ uses }) => uses !== undefined),
      settlements.map(({ uses }) => uses?.join(' ') ?? null),
      events.map(({ position }) => position),
      events.map(({ event }) => event.service),
      events.map(({ event }) => document(event)),
    ],
  );
  const held = new Set(rows.map((row) => row.key));
  return new Set(settlements.map(({ lease }) => lease.key).filter((key) => !held.has(key)));
}

export async function putDesired(
  query: Query,
  lease: Lease,
  changes: readonly DesiredChange[],
  state: unknown,
  events: readonly NewEvent[],
): Promise<boolean> {
  checkChanges(lease, changes);
  const project = lease.key;
  const held = await query(
    `update trueup.keys set state = $3::json
    where key = $1 and token = $2 and lease_until > trueup.now_ms()
    returning key`,
    [project, lease.token, document(state)],
  );
  if (held.length === 0) return false;
  await lock(query, changes);
  await write(query, project, changes);
  await empty(query, changes);
  if (events.length > 0) await appendEvents(query, project, events);
  if (changes.length > 0) await query(`select pg_notify('${CHANNEL}', '')`);
  return true;
}

async function lock(query: Query, changes: readonly DesiredChange[]): Promise<void> {
  await query('select key from trueup.keys where key = any($1) order by key for update', [
    changes.map((change) => change.key),
  ]);
}

async function write(query: Query, project: string, changes: readonly DesiredChange[]): Promise<void> {
  const documents = changes.filter(hasDocument).map(({ key, desired }) => [key, desired]);
  // One text: of thousands of documents the drivers need more than half of the time to write an array.
  await query(
    `insert into trueup.keys as k (key, project, service, desired, wake_at)
    select key, $1, substr(key, length($1) + 2), desired, trueup.now_ms()
    from json_each($2::json) as given (key, desired)
    order by key
    on conflict (key) do update set desired = excluded.desired, wake_at = least(k.wake_at, excluded.wake_at)`,
    [project, document(Object.fromEntries(documents))],
  );
}

/** Asked before it is made text: there may be ten thousand, of some kilobytes each. */
function hasDocument({ desired }: DesiredChange): boolean {
  return desired !== undefined && desired !== null;
}

/** A key without documents stays while somebody holds it: removed and made again, it would have two holders. */
async function empty(query: Query, changes: readonly DesiredChange[]): Promise<void> {
  await query(
    `with given as (select unnest($1::text[]) as key),
    removed as (
      delete from trueup.keys k using given
      where k.key = given.key and state is null and coalesce(lease_until, 0) <= trueup.now_ms()
    )
    update trueup.keys k set desired = null, wake_at = least(wake_at, trueup.now_ms())
    from given
    where k.key = given.key and not (state is null and coalesce(lease_until, 0) <= trueup.now_ms())`,
    [changes.filter((change) => !hasDocument(change)).map((change) => change.key)],
  );
}

/** Leaves alone what is due already: a pass that takes it begins after this call and sees what it tells of. */
export async function wake(query: Query, keys: readonly string[]): Promise<void> {
  await query(
    `with slept as (
      select key from trueup.keys
      where key = any($1) and (wake_at is null or wake_at > trueup.now_ms())
      order by key for update
    ),
    woken as (
      update trueup.keys k set wake_at = least(wake_at, trueup.now_ms()) from slept where k.key = slept.key
      returning k.key
    )
    select pg_notify('${CHANNEL}', '') from woken limit 1`,
    [keys],
  );
}

export async function nextWake(
  query: Query,
  machine: string,
  projects?: readonly string[],
): Promise<number | null> {
  const [row] = await query<{ due_at: number }>(
    `select due_at from trueup.keys
    where due_at is not null and (machine is null or machine = $1) and ($2::text[] is null or project = any($2))
    order by due_at limit 1`,
    [machine, projects ?? null],
  );
  return row?.due_at ?? null;
}

interface RecordRow {
  readonly key: string;
  readonly project: string;
  readonly service: string;
  readonly desired: unknown;
  readonly state: unknown;
  readonly machine: string | null;
  readonly wake_at: number | null;
}

const RECORD = 'k.key, k.project, k.service, k.desired, k.state, k.machine, k.wake_at';

const keyRecord = ({ key, project, service, desired, state, machine, wake_at }: RecordRow): KeyRecord => ({
  key,
  project,
  service,
  desired,
  state,
  machine,
  wakeAt: wake_at,
});

export async function load(query: Query, key: string): Promise<KeyRecord | null> {
  const [row] = await query<RecordRow>(`select ${RECORD} from trueup.keys k where key = $1`, [key]);
  return row === undefined ? null : keyRecord(row);
}

export async function list(query: Query, project: string): Promise<readonly KeyRecord[]> {
  const rows = await query<RecordRow>(
    `select ${RECORD} from trueup.keys k where project = $1 and strpos(service, ':') = 0 order by key`,
    [project],
  );
  return rows.map(keyRecord);
}

export async function around(query: Query, project: string): Promise<readonly KeyRecord[]> {
  const rows = await query<RecordRow>(
    `select ${RECORD} from trueup.keys k where project = $1 and strpos(service, ':') > 0 order by key`,
    [project],
  );
  return rows.map(keyRecord);
}

export async function users(query: Query, project: string, name: string): Promise<readonly KeyRecord[]> {
  const rows = await query<RecordRow>(
    `select ${RECORD} from trueup.keys k where project = $1 and uses @> array[$2::text] order by key`,
    [project, name],
  );
  return rows.map(keyRecord);
}

export async function projects(query: Query): Promise<readonly string[]> {
  const rows = await query<{ key: string }>(`select key from trueup.keys where service = '' order by key`);
  return rows.map((row) => row.key);
}
