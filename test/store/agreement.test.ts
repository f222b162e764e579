// The memory store is the model that Postgres is checked against: whatever is done to both, both say the same.
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openMemory } from '../../reconciler/store/memory.ts';
import { openPostgres } from '../../reconciler/store/postgres.ts';
import type { Claim, KeyRecord, Lease, Settlement, Store } from '../../reconciler/store/store.ts';
import { type Postgres, startPostgres } from '../postgres.ts';
import { event } from './contract.ts';

let postgres: Postgres;
let store: Store;
let admin: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres();
  store = await openPostgres(postgres.url);
  admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await store?.close();
  await postgres?.stop();
});

it('memory and Postgres agree on every sequence of operations', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
      await admin.query('truncate trueup.keys, trueup.events, trueup.journals');
      const model: World = { store: openMemory(), leases: new Map() };
      const real: World = { store, leases: new Map() };
      for (const operate of operations) expect(await operate.run(real)).toEqual(await operate.run(model));
      expect(await everything(real)).toEqual(await everything(model));
    }),
    { numRuns: 60 },
  );
});

/** A store, and the last lease taken of each key, good or not. */
interface World {
  readonly store: Store;
  readonly leases: Map<string, Lease>;
}

interface Operation {
  run(world: World): Promise<unknown>;
  toString(): string;
}

const PROJECTS = ['a', 'b'];
const KEYS = ['a', 'b', 'a/web', 'a/db', 'a/fleet:pool', 'b/web'];
const USED = ['fleet:pool', 'volume:data'];
const FAR = 9_000_000_000_000;

const key = fc.constantFrom(...KEYS);
const someKeys = fc.subarray(KEYS);
const machine = fc.constantFrom('here', 'there');
const document = fc.option(fc.jsonValue({ maxDepth: 2 }));

const settlement = fc.record(
  {
    key,
    state: document,
    machine: fc.option(machine),
    uses: fc.subarray(USED),
    wakeAt: fc.constantFrom(null, 1, FAR),
    release: fc.boolean(),
    told: fc.integer({ min: 0, max: 2 }),
  },
  { requiredKeys: ['key', 'wakeAt', 'release', 'told'] },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc
    .constantFrom(...PROJECTS)
    .map((project) => named(`ensure ${project}`, ({ store }) => store.ensureProject(project))),
  fc.tuple(fc.option(someKeys), machine).map(([keys, machine]) =>
    named(`claim ${keys ?? 'any'} at ${machine}`, async (world) => {
      const named = keys === null ? {} : { keys };
      const claims = await world.store.claim({ holder: 'x', machine, limit: 99, leaseMs: 600_000, ...named });
      for (const { lease } of claims) world.leases.set(lease.key, lease);
      return claims.map(claimed).toSorted();
    }),
  ),
  fc.uniqueArray(settlement, { selector: (chosen) => chosen.key }).map((chosen) =>
    named(`settle ${JSON.stringify(chosen)}`, async (world) => {
      const settlements = chosen.flatMap(({ key, told, ...rest }): Settlement[] => {
        const lease = world.leases.get(key);
        const events = Array.from({ length: told }, (_, index) => event(key, `told ${index}`));
        return lease === undefined ? [] : [{ lease, events, ...rest }];
      });
      return [...(await world.store.settle(settlements))].toSorted();
    }),
  ),
  fc
    .tuple(
      fc.constantFrom(...PROJECTS),
      fc.dictionary(fc.constantFrom('web', 'db', 'fleet:pool'), document),
      document,
    )
    .map(([project, services, state]) =>
      named(
        `put ${project} ${JSON.stringify(services)} ${JSON.stringify(state)}`,
        async ({ store, leases }) => {
          const lease = leases.get(project);
          const changes = Object.entries(services).map(([name, desired]) => ({
            key: `${project}/${name}`,
            desired,
          }));
          return lease === undefined ? null : store.putDesired(lease, changes, state, [event('', 'put')]);
        },
      ),
    ),
  someKeys.map((keys) => named(`wake ${keys}`, ({ store }) => store.wake(keys))),
  someKeys.map((keys) =>
    named(`renew ${keys}`, async ({ store, leases }) => {
      const held = keys.flatMap((key) => leases.get(key) ?? []);
      return [...(await store.renew(held, 900_000))].toSorted();
    }),
  ),
  machine.map((machine) =>
    named(`next wake at ${machine}`, async ({ store }) =>
      instant(await store.nextWake(machine), await store.now()),
    ),
  ),
);

function named(name: string, run: (world: World) => Promise<unknown>): Operation {
  return { run, toString: () => name };
}

const claimed = ({ record, now }: Claim): string => JSON.stringify(recorded(record, now));

const recorded = (record: KeyRecord, now: number): object => ({
  ...record,
  wakeAt: instant(record.wakeAt, now),
});

/** Clocks differ; what matters of an instant does not. */
function instant(at: number | null, now: number): string {
  if (at === null) return 'never';
  if (at === FAR) return 'far';
  return at <= now ? 'due' : 'leased';
}

async function everything({ store }: World): Promise<unknown> {
  const now = await store.now();
  const projects = await store.projects();
  const listed = async (project: string): Promise<unknown> => ({
    records: (await store.list(project)).map((record) => recorded(record, now)),
    around: (await store.around(project)).map((record) => recorded(record, now)),
    users: await Promise.all(
      USED.map(async (name) => (await store.users(project, name)).map(({ service }) => service)),
    ),
    events: (await store.events({ project, limit: 999 })).map(({ time: _, ...rest }) => rest),
    newest: (await store.events({ project, limit: 3, after: 1, service: 'a/web' })).map(({ seq }) => seq),
  });
  return { projects, listed: await Promise.all(PROJECTS.map(listed)) };
}
