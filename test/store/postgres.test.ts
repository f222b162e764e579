import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../reconciler/store/migrate.ts';
import { migrations } from '../../reconciler/store/migrations.ts';
import { openPostgres } from '../../reconciler/store/postgres.ts';
import type { Sql } from '../../reconciler/store/sql.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { Failure } from '../../schemas/errors.ts';
import { type OwnPostgres, type Postgres, startOwnPostgres, startPostgres } from '../postgres.ts';
import { asleep, elapse, event, must, storeContract, until } from './contract.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());

/** Migrations that there were before services could have to do with what is around them. */
const BEFORE_FLEETS = 3;
const request = { holder: 'test', machine: 'here', limit: 100, leaseMs: 60_000 };

describe('the Postgres store', () => {
  storeContract(async () => {
    let store = await openPostgres(postgres.url);
    const peer = await openPostgres(postgres.url);
    return {
      store,
      peer,
      elapse: (ms) => elapse(store, ms),
      reopen: async () => {
        await store.close();
        store = await openPostgres(postgres.url);
        return store;
      },
      close: async () => {
        await store.close();
        await peer.close();
      },
    };
  });
});

describe('several reconcilers on one Postgres', () => {
  let url: string;
  let stores: readonly Store[];

  beforeAll(async () => {
    url = await postgres.create();
    stores = await Promise.all(Array.from({ length: 4 }, () => openPostgres(url)));
  });
  afterAll(() => Promise.all((stores ?? []).map((store) => store.close())));

  it('may all be the first to open it', async () => {
    expect(new Set(stores.map((store) => store.id)).size).toBe(1);
    const epochs = await Promise.all(stores.map((store) => store.nextEpoch()));
    expect(epochs.toSorted()).toEqual([1, 2, 3, 4]);
  });

  it('do not wait for keys that another is just taking', async () => {
    const [first] = stores;
    const store = must(first);
    await project(store, 'skip', { a: {}, b: {} });
    await within(url, async (client) => {
      await client.query('begin');
      await client.query(`select from trueup.keys where key = 'skip/a' for update`);
      const claims = await store.claim({ ...request, keys: ['skip/a', 'skip/b'] });
      expect(claims.map(({ record }) => record.key)).toEqual(['skip/b']);
      await client.query('rollback');
    });
    expect(await store.claim({ ...request, keys: ['skip/a', 'skip/b'] })).toHaveLength(1);
  });

  it('never miss a change of what is wanted, however passes and commits interleave', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `s${index}`);
    const keys = names.map((name) => `race/${name}`);
    const versions = (version: number) => Object.fromEntries(names.map((name) => [name, { version }]));
    await project(must(stores[0]), 'race', versions(0));
    let committing = true;
    const passes = stores.slice(1).map(async (store) => {
      // One round after the last commit, for what it woke.
      for (let last = false; !last; ) {
        last = !committing;
        const claims = await store.claim({ ...request, keys });
        const ends = claims.map(({ lease, record }) => ({ ...asleep(lease), state: record.desired }));
        await store.settle(ends.reverse());
      }
    });
    for (let version = 1; version <= 60; version++) await project(must(stores[0]), 'race', versions(version));
    committing = false;
    await Promise.all(passes);
    const records = (await must(stores[0]).list('race')).slice(1);
    expect(records.map(({ state }) => state)).toEqual(names.map(() => ({ version: 60 })));
  });

  it('never block each other for good, whatever order they name keys in', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const keys = ['order', ...names.map((name) => `order/${name}`)];
    await project(must(stores[0]), 'order', Object.fromEntries(names.map((name) => [name, {}])));
    const disorder = stores.map(async (store, index) => {
      const mine = index % 2 === 0 ? keys : keys.toReversed();
      for (let round = 0; round < 25; round++) {
        await store.wake(mine);
        const claims = await store.claim({ ...request, keys: mine, limit: 8 });
        const leases = claims.map(({ lease }) => lease);
        if (index % 2 === 0) leases.reverse();
        await store.renew(leases, 60_000);
        await store.settle(leases.map((lease) => ({ ...asleep(lease), events: [event('web', 'round')] })));
      }
    });
    await expect(Promise.all(disorder)).resolves.toHaveLength(stores.length);
  });
});

describe('the schema', () => {
  it('of a newer trueup is refused', async () => {
    const url = await postgres.create();
    await (await openPostgres(url)).close();
    await within(url, (client) => client.query('insert into trueup.migrations (version) values (99)'));
    await expect(openPostgres(url)).rejects.toMatchObject({
      kind: 'invalid',
      message: `the database's schema has version 99; this trueup knows up to ${migrations.length}`,
      fix: expect.stringContaining('newer trueup'),
    });
  });

  it('goes forward from where it is, all or nothing', async () => {
    const url = await postgres.create();
    const store = await openPostgres(url);
    await store.ensureProject('kept');
    await store.close();
    await within(url, async (client) => {
      const next = ['create table trueup.next ()', 'select 1 / 0'];
      await expect(migrate(sqlOn(client), [...migrations, next])).rejects.toThrow('division by zero');
      const version = async () =>
        (
          await client.query(
            'select max(version) as version, to_regclass($1) as next from trueup.migrations',
            ['trueup.next'],
          )
        ).rows[0];
      expect(await version()).toEqual({ version: migrations.length, next: null });
      await migrate(sqlOn(client), [...migrations, next.slice(0, 1)]);
      expect(await version()).toEqual({ version: migrations.length + 1, next: 'trueup.next' });
      expect((await client.query('select key from trueup.keys')).rows).toEqual([{ key: 'kept' }]);
    });
  });

  it('of a trueup without fleets keeps its records; who has to do with what is told from then on', async () => {
    const url = await postgres.create();
    await within(url, async (client) => {
      await migrate(sqlOn(client), migrations.slice(0, BEFORE_FLEETS));
      const state = JSON.stringify({ replicas: [{ name: 'web-1' }] });
      await client.query(
        "insert into trueup.keys (key, project, service, state, wake_at) values ('main', 'main', '', null, 1), ('main/web', 'main', 'web', $1, 1)",
        [state],
      );
    });
    const store = await openPostgres(url);
    const [record] = (await store.list('main')).filter(({ service }) => service === 'web');
    expect(record).toMatchObject({ key: 'main/web', state: { replicas: [{ name: 'web-1' }] } });
    expect(await store.users('main', 'fleet:pool')).toEqual([]);
    expect(await store.around('main')).toEqual([]);
    const [claim] = await store.claim({ ...request, keys: ['main/web'] });
    await store.settle([{ ...asleep(must(claim).lease), uses: ['fleet:pool'] }]);
    expect(await store.users('main', 'fleet:pool')).toMatchObject([{ key: 'main/web' }]);
    await store.close();
  });

  it('does not rewrite documents in a pass that changes none', async () => {
    const url = await postgres.create();
    const store = await openPostgres(url);
    const text = Array.from({ length: 160 }, (_, index) => `line ${index * 7919}`);
    await project(store, 'main', { web: { text } });
    const documents = async (): Promise<number> =>
      within(url, async (client) => {
        const size = `select pg_relation_size(reltoastrelid)::int as size from pg_class where oid = 'trueup.keys'::regclass`;
        return (await client.query<{ size: number }>(size)).rows[0]?.size ?? 0;
      });
    const before = await documents();
    expect(before).toBeGreaterThan(0);
    for (let pass = 0; pass < 50; pass++) {
      await store.wake(['main/web']);
      const claims = await store.claim({ ...request, keys: ['main/web'] });
      expect(await store.settle(claims.map(({ lease }) => asleep(lease)))).toEqual(new Set());
    }
    expect(await documents()).toBe(before);
    await store.close();
  });
});

describe('a Postgres that goes away', () => {
  let server: OwnPostgres;
  beforeAll(async () => {
    server = await startOwnPostgres();
  });
  afterAll(() => server?.stop());

  it('fails what is under way as transient, and is used again when it is back', async () => {
    const store = await openPostgres(server.url);
    let heard = 0;
    store.subscribe(() => {
      heard += 1;
    });
    await store.ensureProject('main');
    const [own] = await store.claim({ ...request, leaseMs: 600_000 });
    await until(() => heard > 0);
    const failures: unknown[] = [];
    let working = true;
    const workers = [
      () => store.appendEvents('main', [event('web', 'tick')]),
      () => store.claim({ ...request, keys: ['nothing'] }),
      () => store.putDesired(must(own).lease, [{ key: 'main/web', desired: {} }], null, []),
    ].map(async (work) => {
      while (working) await work().catch((failure: unknown) => failures.push(failure));
    });
    await server.down();
    await until(() => failures.length > 3);
    await server.up();
    await until(() =>
      store.now().then(
        () => true,
        () => false,
      ),
    );
    working = false;
    await Promise.all(workers);
    for (const failure of failures) {
      expect(failure).toMatchObject({
        kind: 'transient',
        message: expect.stringContaining(`127.0.0.1:${server.port}`),
      });
      expect(inspect(failure, { depth: 9 })).not.toContain(server.password);
    }
    heard = 0;
    await until(async () => {
      await store.appendEvents('main', [event('web', 'back')]);
      return heard > 0;
    });
    await store.close();
  });

  it('is named when it cannot be opened, with what to do', async () => {
    await server.down();
    const failure = await openPostgres(server.url).catch((error: unknown) => error);
    await server.up();
    const database = new URL(server.url).pathname.slice(1);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ kind: 'transient', fix: expect.stringContaining('Start the database') });
    expect(failure).toHaveProperty(
      'message',
      expect.stringContaining(`127.0.0.1:${server.port}, database ${database}`),
    );
    expect(inspect(failure, { depth: 9 })).not.toContain(server.password);
  });

  it.each([
    [
      'a wrong password',
      (url: URL) => {
        url.password = 'hunter2';
      },
      'unauthorized',
      'password',
    ],
    [
      'no such database',
      (url: URL) => {
        url.pathname = '/elsewhere';
      },
      'invalid',
      'Create the database',
    ],
  ] as const)('tells %s from being down', async (_, spoil, kind, fix) => {
    const url = new URL(server.url);
    spoil(url);
    const failure = await openPostgres(url.href).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind, fix: expect.stringContaining(fix) });
    expect(inspect(failure, { depth: 9 })).not.toContain(url.password);
  });

  it.each(['mysql://root:hunter2@db/x', 'postgres://root:hunter2@db:port/x', 'hunter2'])(
    'is not dialled at %s, and the message keeps the password out',
    async (url) => {
      const failure = await openPostgres(url).catch((error: unknown) => error);
      expect(failure).toMatchObject({ kind: 'invalid', fix: expect.stringContaining('postgres://') });
      expect(inspect(failure, { depth: 9 })).not.toContain('hunter2');
    },
  );
});

/** Writes desired documents as a pass of the project would. */
async function project(
  store: Store,
  name: string,
  services: { readonly [service: string]: unknown },
): Promise<void> {
  await store.ensureProject(name);
  await store.wake([name]);
  const [own] = await store.claim({ ...request, keys: [name] });
  const { lease } = must(own);
  const changes = Object.entries(services).map(([service, desired]) => ({
    key: `${name}/${service}`,
    desired,
  }));
  await store.putDesired(lease, changes, null, []);
  await store.settle([asleep(lease)]);
}

async function within<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function sqlOn(client: pg.Client): Sql {
  const query: Sql['query'] = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
    (await client.query<Row & pg.QueryResultRow>(text, [...values])).rows;
  return {
    query,
    transaction: async (work) => {
      await client.query('begin');
      try {
        const result = await work(query);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      }
    },
  };
}
