// What every store promises. Run on memory, PGlite and Postgres.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  Approval,
  Claim,
  ClaimRequest,
  KeyRecord,
  Quote,
  Settlement,
  Store,
} from '../../reconciler/store/store.ts';
import type { NewEvent } from '../../schemas/events.ts';

export interface Subject {
  readonly store: Store;
  /** The same data as another reconciler sees it; `store` itself where there can be only one. */
  readonly peer: Store;
  /** Lets time pass on the store's clock. */
  elapse(ms: number): Promise<void>;
  /** Closes `store` and opens it again. */
  reopen(): Promise<Store>;
  close(): Promise<void>;
}

export function storeContract(open: () => Promise<Subject>): void {
  let subject: Subject;
  let store: Store;
  let project: string;
  let projects = 0;

  beforeAll(async () => {
    subject = await open();
    store = subject.store;
  });
  afterAll(() => subject?.close());

  /** Tests share one database (to open one may cost seconds), so each leaves every key asleep. */
  afterEach(async () => {
    for (const lease of leases.splice(0)) await store.settle([asleep(lease)]);
    for (const name of await store.projects())
      await store.wake([...(await store.list(name)), ...(await store.around(name))].map(({ key }) => key));
    for (const machine of ['here', 'there']) {
      await store.settle((await claim({ machine, limit: 10_000 })).map(({ lease }) => asleep(lease)));
    }
    leases.length = 0;
  });

  const leases: Claim['lease'][] = [];

  async function claim(request: Partial<ClaimRequest> = {}, from = store): Promise<readonly Claim[]> {
    const claims = await from.claim({
      holder: 'test',
      machine: 'here',
      limit: 100,
      leaseMs: 60_000,
      ...request,
    });
    leases.push(...claims.map(({ lease }) => lease));
    return claims;
  }

  /** A project of its own for the test, with services that are due; its own key is asleep. */
  async function services(...names: readonly string[]): Promise<readonly string[]> {
    project = `project-${++projects}`;
    await store.ensureProject(project);
    const [own] = await claim({ keys: [project] });
    const changes = names.map((name) => ({ key: `${project}/${name}`, desired: { name } }));
    await store.putDesired(must(own).lease, changes, null, []);
    await store.settle([asleep(must(own).lease)]);
    return changes.map(({ key }) => key);
  }

  /** One service, claimed. */
  async function claimed(request: Partial<ClaimRequest> = {}): Promise<Claim> {
    const keys = await services('web');
    return must((await claim({ keys, ...request }))[0]);
  }

  /** Writes what the project wants of its services, as a pass of the project would. */
  async function want(changes: { readonly [name: string]: unknown }): Promise<void> {
    await store.wake([project]);
    const [own] = await claim({ keys: [project] });
    const list = Object.entries(changes).map(([name, desired]) => ({ key: `${project}/${name}`, desired }));
    expect(await store.putDesired(must(own).lease, list, null, [])).toBe(true);
    await store.settle([asleep(must(own).lease)]);
  }

  /** What the records of services have to do with, as their passes would write it. */
  async function useAll(uses: { readonly [name: string]: readonly string[] }): Promise<void> {
    const claims = await claim({ keys: Object.keys(uses).map((name) => `${project}/${name}`) });
    const ends = claims.map(({ lease, record }) => ({
      ...asleep(lease),
      state: {},
      uses: must(uses[record.service]),
    }));
    expect(await store.settle(ends)).toEqual(new Set());
  }

  const reasons = async (of = project): Promise<readonly string[]> =>
    (await store.events({ project: of, limit: 100 })).map(({ reason }) => reason);

  describe('a project', () => {
    it('is due at once when it is new', async () => {
      await store.ensureProject('fresh');
      const [own] = await claim({ keys: ['fresh'] });
      expect(own?.record).toEqual({
        key: 'fresh',
        project: 'fresh',
        service: '',
        desired: null,
        state: null,
        machine: null,
        wakeAt: null,
      });
      expect(await store.projects()).toContain('fresh');
    });

    it('is left as it is when it is there already', async () => {
      const [key] = await services('web');
      await store.ensureProject(project);
      expect(await claim({ keys: [project] })).toEqual([]);
      expect((await store.list(project)).map((record) => record.key)).toEqual([project, key]);
    });

    it('keeps its key without any document', async () => {
      await services();
      await store.wake([project]);
      const [own] = await claim({ keys: [project] });
      await store.settle([{ ...asleep(must(own).lease), state: null }]);
      expect(await store.load(project)).not.toBeNull();
    });
  });

  describe('a claim', () => {
    it('never gives one key to two holders', async () => {
      const keys = await services(...Array.from({ length: 100 }, (_, index) => `s${index}`));
      const claims = await Promise.all(
        Array.from({ length: 30 }, (_, index) => claim({ limit: 7 }, index % 2 === 0 ? store : subject.peer)),
      );
      const rest = await claim();
      const taken = [...claims.flat(), ...rest].map(({ record }) => record.key);
      expect(taken.toSorted()).toEqual(keys.toSorted());
    });

    it('takes the longest due first, and no more than its limit', async () => {
      const [a, b, c] = await services('a', 'b', 'c');
      const claims = await claim();
      const due = new Map([
        [a, 3_000],
        [b, 1_000],
        [c, 2_000],
      ]);
      await store.settle(claims.map(({ lease }) => ({ ...asleep(lease), wakeAt: must(due.get(lease.key)) })));
      expect((await claim({ limit: 2 })).map(({ record }) => record.key)).toEqual([b, c]);
    });

    it('takes only the keys that it names', async () => {
      const [a, b] = await services('a', 'b');
      expect((await claim({ keys: [must(b), 'nobody/knows'] })).map(({ record }) => record.key)).toEqual([b]);
      expect((await claim()).map(({ record }) => record.key)).toEqual([a]);
    });

    it('takes nothing before it is due', async () => {
      const { lease, now } = await claimed();
      await store.settle([{ ...asleep(lease), wakeAt: now + 30 }]);
      await subject.elapse(30);
      expect(await claim()).toHaveLength(1);
      await store.settle(leases.map((held) => ({ ...asleep(held), wakeAt: now + 3_600_000 })).slice(-1));
      expect(await claim()).toEqual([]);
    });

    it('says when it was made and until when it holds', async () => {
      const before = await store.now();
      const { lease, now } = await claimed({ leaseMs: 5_000 });
      expect(now).toBeGreaterThanOrEqual(before);
      expect(lease.until).toBe(now + 5_000);
    });
  });

  describe('a lease', () => {
    it('keeps others out until it is over', async () => {
      const first = await claimed({ leaseMs: 40 });
      await subject.elapse(40);
      const [second] = await claim({}, subject.peer);
      expect(second?.record.key).toBe(first.record.key);
      expect(second?.lease.token).not.toBe(first.lease.token);
      expect(await claim()).toEqual([]);
    });

    it('once over, lets its holder write nothing, while the rest of the batch is written', async () => {
      const [a, b] = await services('a', 'b');
      const [late] = await claim({ keys: [must(a)], leaseMs: 40 });
      await subject.elapse(40);
      const [heir] = await claim({ keys: [must(a)] });
      const [other] = await claim({ keys: [must(b)] });
      const lost = await store.settle([
        {
          ...asleep(must(late).lease),
          state: { by: 'late' },
          machine: 'there',
          events: [event('a', 'late')],
        },
        { ...asleep(must(other).lease), state: { by: 'other' }, events: [event('b', 'in time')] },
      ]);
      expect(lost).toEqual(new Set([a]));
      expect(await store.load(must(a))).toMatchObject({ state: null, machine: null });
      expect(await store.load(must(b))).toMatchObject({ state: { by: 'other' } });
      expect(await reasons()).toEqual(['in time']);
      expect(await store.settle([asleep(must(heir).lease)])).toEqual(new Set());
    });

    it('once over, is over even when nobody came since', async () => {
      const { lease, record } = await claimed({ leaseMs: 40 });
      await subject.elapse(40);
      expect(await store.settle([{ ...asleep(lease), state: { late: true } }])).toEqual(
        new Set([record.key]),
      );
      expect(await store.renew([lease], 60_000)).toEqual(new Set());
      expect(await store.load(record.key)).toMatchObject({ state: null });
    });

    it('given back, is good for nothing', async () => {
      const { lease, record } = await claimed();
      await store.settle([asleep(lease)]);
      expect(await store.settle([{ ...asleep(lease), state: 1 }])).toEqual(new Set([record.key]));
    });

    it('of a holder known to be dead ends at once, and is good for nothing', async () => {
      const { lease, record } = await claimed();
      await store.endLeases('somebody else');
      expect(await claim({ keys: [record.key] })).toEqual([]);
      await store.endLeases('test');
      expect(await store.settle([{ ...asleep(lease), state: 1 }])).toEqual(new Set([record.key]));
      expect(await claim({ keys: [record.key] })).toHaveLength(1);
    });

    it('is extended by renewing', async () => {
      const [a, b] = await services('a', 'b');
      const [kept] = await claim({ keys: [must(a)], leaseMs: 10_000 });
      const [lost] = await claim({ keys: [must(b)], leaseMs: 10 });
      await subject.elapse(10);
      const { lease } = must(kept);
      expect(await store.renew([lease, must(lost).lease], 600_000)).toEqual(new Set([a]));
      expect(await store.nextWake('here')).toBeLessThan(lease.until);
      await store.settle((await claim({ keys: [must(b)] })).map((claim) => asleep(claim.lease)));
      expect(await store.nextWake('here')).toBeGreaterThan(lease.until);
    });
  });

  describe('a settlement', () => {
    it('leaves alone what it does not name', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: { v: 1 }, machine: 'here', release: false }]);
      await store.settle([asleep(lease)]);
      expect(await store.load(record.key)).toMatchObject({
        state: { v: 1 },
        machine: 'here',
        desired: { name: 'web' },
      });
    });

    it('may keep the lease: what it wrote survives a crash, and the key is due when the lease is over', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: { intent: 'create' }, release: false }]);
      expect(await claim({}, subject.peer)).toEqual([]);
      expect(await subject.peer.load(record.key)).toMatchObject({ state: { intent: 'create' } });
      expect(await store.nextWake('here')).toBe(lease.until);
    });

    it('never loses a wake that came since the claim', async () => {
      const { lease, record } = await claimed();
      await store.wake([record.key]);
      await store.settle([{ ...asleep(lease), state: { half: true }, release: false }]);
      await store.settle([{ ...asleep(lease), wakeAt: lease.until + 3_600_000 }]);
      expect(await claim()).toHaveLength(1);
    });

    it('forgets a wake that came before the claim', async () => {
      const keys = await services('web');
      await store.wake(keys);
      const claims = await claim();
      await store.settle(claims.map(({ lease }) => asleep(lease)));
      expect(await claim()).toEqual([]);
    });

    it('of no state removes the key once nothing is wanted of it', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: { v: 1 } }]);
      await want({ web: null });
      expect(await store.load(record.key)).toMatchObject({ desired: null, state: { v: 1 } });
      const [last] = await claim({ keys: [record.key] });
      await store.settle([{ ...asleep(must(last).lease), state: null }]);
      expect(await store.load(record.key)).toBeNull();
      expect(await store.list(project)).toHaveLength(1);
    });

    it('of no state keeps the key while something is wanted of it', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: null }]);
      expect(await store.load(record.key)).toMatchObject({ desired: { name: 'web' }, state: null });
    });

    it('may name an instant between two milliseconds', async () => {
      const { lease } = await claimed();
      await store.settle([{ ...asleep(lease), wakeAt: 9_000_000_000_000.25 }]);
      expect(await store.nextWake('here')).toBe(9_000_000_000_001);
    });

    it('has no second one of its key in a batch', async () => {
      const { lease } = await claimed();
      await expect(store.settle([asleep(lease), asleep(lease)])).rejects.toMatchObject({ kind: 'bug' });
    });
  });

  describe('desired documents', () => {
    it('are written together with the state of their project, and wake their keys', async () => {
      const [a] = await services('a');
      const [pass] = await claim();
      await store.settle([asleep(must(pass).lease)]);
      await store.wake([project]);
      const [own] = await claim({ keys: [project] });
      const changes = [
        { key: must(a), desired: { v: 2 } },
        { key: `${project}/b`, desired: { v: 1 } },
      ];
      expect(
        await store.putDesired(must(own).lease, changes, { commit: 'c1' }, [event('a', 'desired')]),
      ).toBe(true);
      expect(await store.list(project)).toMatchObject([
        { key: project, service: '', state: { commit: 'c1' } },
        { key: a, project, service: 'a', desired: { v: 2 } },
        { key: `${project}/b`, project, service: 'b', desired: { v: 1 }, state: null },
      ]);
      expect(await reasons()).toEqual(['desired']);
      expect((await claim()).map(({ record }) => record.key).toSorted()).toEqual([a, `${project}/b`]);
    });

    it('are refused, all of them, when the lease of the project was lost', async () => {
      const [a] = await services('a');
      await store.wake([project]);
      const [late] = await claim({ keys: [project], leaseMs: 40 });
      await subject.elapse(40);
      const { lease } = must(late);
      const changes = [
        { key: must(a), desired: null },
        { key: `${project}/b`, desired: {} },
      ];
      expect(await store.putDesired(lease, changes, { late: true }, [event('a', 'late')])).toBe(false);
      expect(await store.list(project)).toMatchObject([{ state: null }, { key: a, desired: { name: 'a' } }]);
      expect(await reasons()).toEqual([]);
    });

    it('may change during a pass, which then is followed by another', async () => {
      const { lease, record } = await claimed();
      await want({ web: { v: 2 } });
      await store.settle([{ ...asleep(lease), state: { seen: 1 } }]);
      const [next] = await claim();
      expect(next?.record).toMatchObject({ key: record.key, desired: { v: 2 }, state: { seen: 1 } });
    });

    it('taken back before there was any state, leave no key', async () => {
      const [key] = await services('web');
      await want({ web: null, unheard: null });
      expect(await store.load(must(key))).toBeNull();
      expect(await store.load(`${project}/unheard`)).toBeNull();
    });

    it('taken back during a pass, keep the key until its end: no second holder beside the first', async () => {
      const { lease, record } = await claimed();
      await want({ web: null });
      await want({ web: { again: true } });
      expect(await claim({ keys: [record.key] })).toEqual([]);
      await want({ web: null });
      expect(await store.settle([asleep(lease)])).toEqual(new Set());
      expect(await store.load(record.key)).toBeNull();
    });

    it('of another project are refused', async () => {
      await services();
      await store.wake([project]);
      const [own] = await claim({ keys: [project] });
      const stray = [{ key: `${project}-2/web`, desired: {} }];
      await expect(store.putDesired(must(own).lease, stray, null, [])).rejects.toMatchObject({ kind: 'bug' });
    });
  });

  describe('what services need around them', () => {
    const names = (records: readonly KeyRecord[]) => records.map(({ service }) => service);

    it('is no service: it is listed apart, by key', async () => {
      await services('web', 'volume:data', 'fleet:pool', 'fleet', 'api');
      expect(names(await store.list(project))).toEqual(['', 'api', 'fleet', 'web']);
      expect(names(await store.around(project))).toEqual(['fleet:pool', 'volume:data']);
      expect(await store.around('nobody')).toEqual([]);
    });

    it('has documents, leases and wakes as services have', async () => {
      const [key] = await services('fleet:pool');
      const [{ lease, record }] = (await claim()) as [Claim];
      expect(record).toMatchObject({ key, project, service: 'fleet:pool', desired: { name: 'fleet:pool' } });
      await store.settle([{ ...asleep(lease), state: { machines: 1 } }]);
      await store.wake([must(key)]);
      expect(await claim({ keys: [must(key)] })).toHaveLength(1);
      expect(await store.around(project)).toMatchObject([{ key, state: { machines: 1 } }]);
    });

    it('knows the services whose records have to do with it, of its own project alone', async () => {
      await services('web', 'api', 'db');
      const uses = { web: ['fleet:pool', 'volume:data'], api: ['fleet:pool'], db: [] };
      await useAll(uses);
      expect(names(await store.users(project, 'fleet:pool'))).toEqual(['api', 'web']);
      expect(names(await store.users(project, 'volume:data'))).toEqual(['web']);
      expect(await store.users(project, 'fleet:poo')).toEqual([]);
      const former = project;
      await services('web');
      expect(await store.users(project, 'fleet:pool')).toEqual([]);
      expect(await subject.peer.users(former, 'volume:data')).toHaveLength(1);
    });

    it('knows them until their records say otherwise; one that says nothing of it changes nothing', async () => {
      const { lease, record } = await claimed();
      const settle = async (over: Partial<Settlement>) => {
        await store.settle([{ ...asleep(lease), release: false, ...over }]);
        return names(await store.users(project, 'fleet:pool'));
      };
      expect(await settle({ uses: ['fleet:pool'], state: { v: 1 } })).toEqual(['web']);
      expect(await settle({ state: { v: 2 } })).toEqual(['web']);
      expect(await store.users(project, 'fleet:pool')).toEqual([await store.load(record.key)]);
      expect(await settle({ uses: ['fleet:other'] })).toEqual([]);
      expect(await settle({ uses: ['fleet:pool'] })).toEqual(['web']);
      expect(await settle({ uses: [] })).toEqual([]);
    });

    it('forgets a service with its key', async () => {
      const { lease } = await claimed();
      await store.settle([{ ...asleep(lease), state: { v: 1 }, uses: ['fleet:pool'] }]);
      await want({ web: null });
      const [last] = await claim();
      await store.settle([{ ...asleep(must(last).lease), state: null }]);
      expect(await store.users(project, 'fleet:pool')).toEqual([]);
      await want({ web: {} });
      expect(await store.users(project, 'fleet:pool')).toEqual([]);
    });

    it('is told nothing by a holder who has lost the lease', async () => {
      const { lease } = await claimed({ leaseMs: 40 });
      await subject.elapse(40);
      await store.settle([{ ...asleep(lease), uses: ['fleet:pool'] }]);
      expect(await store.users(project, 'fleet:pool')).toEqual([]);
    });
  });

  describe('documents', () => {
    it('come back as JSON would have them', async () => {
      const { lease, record } = await claimed();
      const state = {
        z: 1,
        a: [null, { deep: 'é"\\{},\'' }],
        nul: 'a\u0000b',
        none: undefined,
        half: '\ud83d',
        big: 2 ** 52,
      };
      await store.settle([{ ...asleep(lease), state }]);
      const loaded = (await store.load(record.key))?.state;
      expect(JSON.stringify(loaded)).toBe(JSON.stringify(state));
    });

    it('do not change with the value they were written from', async () => {
      const { lease, record } = await claimed();
      const state = { list: [1] };
      await store.settle([{ ...asleep(lease), state }]);
      state.list.push(2);
      expect(await store.load(record.key)).toMatchObject({ state: { list: [1] } });
    });
  });

  describe('a wake', () => {
    it('makes a sleeping key due and ignores unknown ones', async () => {
      const { lease, record } = await claimed();
      await store.settle([asleep(lease)]);
      expect(await claim()).toEqual([]);
      await store.wake([record.key, 'nobody/knows']);
      expect(await claim()).toHaveLength(1);
      expect(await store.load('nobody/knows')).toBeNull();
    });
  });

  describe('a key bound to a machine', () => {
    it('is claimed there only', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: {}, machine: 'there', wakeAt: 1 }]);
      expect(await claim({ machine: 'here' })).toEqual([]);
      const [own] = await claim({ machine: 'there' });
      expect(own?.record).toMatchObject({ key: record.key, machine: 'there' });
      await store.settle([{ ...asleep(must(own).lease), machine: null, wakeAt: 1 }]);
      expect(await claim({ machine: 'here' })).toHaveLength(1);
    });
  });

  describe('the next wake', () => {
    it('is that of the earliest key which this machine may claim', async () => {
      expect(await store.nextWake('here')).toBeNull();
      await services('a', 'b');
      const [a, b] = await claim();
      await store.settle([{ ...asleep(must(a).lease), wakeAt: 8_000_000_000_000, machine: 'there' }]);
      expect(await store.nextWake('here')).toBe(must(b).lease.until);
      await store.settle([{ ...asleep(must(b).lease), wakeAt: 9_000_000_000_000 }]);
      expect(await store.nextWake('here')).toBe(9_000_000_000_000);
      expect(await store.nextWake('there')).toBe(8_000_000_000_000);
    });
  });

  describe('a key of a project that is not asked for', () => {
    it('is neither claimed nor waited for', async () => {
      const keys = await services('web');
      expect(await claim({ projects: ['elsewhere'] })).toEqual([]);
      expect(await store.nextWake('here', ['elsewhere'])).toBeNull();
      expect(await store.nextWake('here', [project])).not.toBeNull();
      expect((await claim({ projects: [project] })).map(({ lease }) => lease.key)).toContain(keys[0]);
    });
  });

  describe('events', () => {
    const some = (count: number, service = 'web') =>
      Array.from({ length: count }, (_, index) => event(service, `${service} ${index + 1}`));

    it('are numbered in order within their project', async () => {
      const before = await store.now();
      await store.appendEvents('log-a', some(2));
      await store.appendEvents('log-b', some(1));
      await store.appendEvents('log-a', [
        { ...event('db', 'full'), replica: 'db-1', deployment: 3, commit: 'abc' },
      ]);
      const events = await store.events({ project: 'log-a', limit: 10 });
      expect(events.map(({ seq, reason }) => [seq, reason])).toEqual([
        [1, 'web 1'],
        [2, 'web 2'],
        [3, 'full'],
      ]);
      expect(events[2]).toMatchObject({
        project: 'log-a',
        service: 'db',
        event: 'status',
        replica: 'db-1',
        deployment: 3,
        commit: 'abc',
      });
      expect(Date.parse(must(events[0]).time)).toBeGreaterThanOrEqual(before);
      expect(must(events[0]).time).toMatch(/^\d{4}-.*Z$/);
    });

    it('are found by service, after a seq, and the newest first of all', async () => {
      await store.appendEvents('log-c', [...some(3), ...some(1, 'db'), ...some(2)]);
      const seqs = async (query: object): Promise<readonly number[]> =>
        (await store.events({ project: 'log-c', limit: 100, ...query })).map(({ seq }) => seq);
      expect(await seqs({})).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await seqs({ after: 4 })).toEqual([5, 6]);
      expect(await seqs({ limit: 2 })).toEqual([5, 6]);
      expect(await seqs({ after: 1, limit: 2, service: 'web' })).toEqual([5, 6]);
      expect(await seqs({ service: 'db' })).toEqual([4]);
      expect(await seqs({ limit: 0 })).toEqual([]);
      expect(await store.events({ project: 'unheard', limit: 9 })).toEqual([]);
    });

    it('of one batch keep their order, those of many writers their numbers', async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? store : subject.peer).appendEvents('log-d', some(3, `s${index}`)),
        ),
      );
      const events = await store.events({ project: 'log-d', limit: 100 });
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
      for (let index = 0; index < 20; index++) {
        const own = events.filter(({ service }) => service === `s${index}`).map(({ reason }) => reason);
        expect(own).toEqual([`s${index} 1`, `s${index} 2`, `s${index} 3`]);
      }
    });

    it('are forgotten by age, without their numbers being given again', async () => {
      await store.appendEvents('log-e', some(2));
      await subject.elapse(5);
      const now = await store.now();
      await store.appendEvents('log-e', some(1));
      expect(await store.pruneEvents(now)).toBeGreaterThanOrEqual(2);
      expect((await store.events({ project: 'log-e', limit: 9 })).map(({ seq }) => seq)).toEqual([3]);
      expect(await store.pruneEvents((await store.now()) + 1)).toBeGreaterThanOrEqual(1);
      await store.appendEvents('log-e', some(1));
      expect((await store.events({ project: 'log-e', limit: 9 })).map(({ seq }) => seq)).toEqual([4]);
    });
  });

  describe('a kept plan', () => {
    const kept = (id: string, more: Partial<Quote> = {}): Quote => ({
      id,
      project: 'quoted',
      digest: 'd'.repeat(64),
      commit: null,
      at: 1_800_000_000_000,
      expiresAt: 1_800_000_600_000,
      document: { price: { steady: 1.25 } },
      ...more,
    });

    it('is found under its project and id, as it was saved, by every reconciler', async () => {
      await store.saveQuote(kept('a'));
      await store.saveQuote(kept('b', { commit: 'c0ffee', document: { changes: ['ä\u0000'] } }));
      expect(await subject.peer.quote('quoted', 'a')).toEqual(kept('a'));
      expect(await store.quote('quoted', 'b')).toMatchObject({
        commit: 'c0ffee',
        document: { changes: ['ä\u0000'] },
      });
      expect(await store.quote('quoted', 'c')).toBeNull();
      expect(await store.quote('another', 'a')).toBeNull();
    });

    it('is never replaced', async () => {
      await store.saveQuote(kept('once'));
      await expect(store.saveQuote(kept('once', { document: 'other' }))).rejects.toMatchObject({
        kind: 'bug',
      });
      expect(await store.quote('quoted', 'once')).toEqual(kept('once'));
    });

    it('is found by its label, the newest first', async () => {
      const of = (id: string, at: number, label = 'me/services#1') =>
        kept(id, { project: 'named', label, at });
      for (const quote of [of('1', 1), of('3', 3), of('2', 2), of('4', 3), of('5', 9, 'me/services#2')])
        await store.saveQuote(quote);
      await store.saveQuote(kept('6', { project: 'named' }));
      const found = await subject.peer.quotesOf('named', 'me/services#1', 3);
      expect(found.map(({ id }) => id)).toEqual(['4', '3', '2']);
      expect(found[0]).toEqual(of('4', 3));
      expect(await store.quotesOf('quoted', 'me/services#1', 3)).toEqual([]);
    });

    it('is forgotten some time after it has expired', async () => {
      await store.saveQuote(kept('old', { project: 'pruned', expiresAt: 1_000 }));
      await store.saveQuote(kept('new', { project: 'pruned', expiresAt: 2_000 }));
      expect(await store.pruneQuotes(1_500)).toBe(1);
      expect(await store.quote('pruned', 'old')).toBeNull();
      expect(await store.quote('pruned', 'new')).not.toBeNull();
    });
  });

  describe('an approval', () => {
    const given = (commit: string, plan = 'plan'): Approval => ({ commit, plan, by: 'ci', at: 1_000 });

    it('is the newest of its project, and none before the first', async () => {
      await services();
      expect(await store.approval(project)).toBeNull();
      await store.approve(project, given('first'), []);
      await subject.peer.approve(project, given('second', 'other'), []);
      expect(await store.approval(project)).toEqual(given('second', 'other'));
      expect(await store.approval('unheard')).toBeNull();
    });

    it('wakes the project and is told', async () => {
      await services('web');
      await store.settle((await claim()).map(({ lease }) => asleep(lease)));
      await store.approve(project, given('first'), [event('', 'approved by ci')]);
      expect((await claim()).map(({ record }) => record.key)).toEqual([project]);
      expect(await reasons()).toEqual(['approved by ci']);
    });
  });

  describe('a subscriber', () => {
    it('hears of wakes and of events, whoever made them, until it leaves', async () => {
      const { lease, record } = await claimed();
      await store.settle([asleep(lease)]);
      let heard = 0;
      const leave = store.subscribe(() => {
        heard += 1;
      });
      // Listening begins a little later: speak until it is heard.
      await until(async () => {
        await subject.peer.appendEvents(project, [event('web', 'hello')]);
        return heard > 0;
      });
      heard = 0;
      await subject.peer.wake([record.key]);
      await until(() => heard > 0);
      leave();
      const left = heard;
      let others = 0;
      const leaveToo = store.subscribe(() => {
        others += 1;
      });
      await until(async () => {
        await store.appendEvents(project, [event('web', 'bye')]);
        return others > 0;
      });
      leaveToo();
      expect(heard).toBe(left);
    });
  });

  describe('opened again', () => {
    it('it is the same store, with all that was written, and its epochs go on', async () => {
      const { lease, record } = await claimed();
      await store.settle([{ ...asleep(lease), state: { kept: true }, events: [event('web', 'kept')] }]);
      const epoch = await store.nextEpoch();
      const quote = {
        id: 'q',
        project,
        digest: '',
        commit: null,
        at: 0,
        expiresAt: 1,
        document: {},
      };
      await store.saveQuote(quote);
      await store.approve(project, { commit: 'c', plan: 'q', by: 'me', at: 1 }, []);
      const { id } = store;
      store = await subject.reopen();
      expect(store.id).toBe(id);
      expect(await store.nextEpoch()).toBe(epoch + 1);
      expect(await store.load(record.key)).toMatchObject({ state: { kept: true } });
      expect(await reasons()).toEqual(['kept']);
      expect(await store.quote(project, 'q')).toEqual(quote);
      expect(await store.approval(project)).toMatchObject({ commit: 'c' });
    });
  });
}

/** The end of a pass that changes nothing and waits to be woken. */
export const asleep = (lease: Claim['lease']): Settlement => ({
  lease,
  wakeAt: null,
  events: [],
  release: true,
});

export const event = (service: string, reason: string): NewEvent => ({ service, event: 'status', reason });

/** The value, where a test cannot go on without it. */
export function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('there is no such thing');
  return value;
}

/** Waits for `met`, at most ten seconds. */
export async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await met())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${met}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** How real time passes on a store whose clock nobody can move. */
export async function elapse(store: Store, ms: number): Promise<void> {
  const start = await store.now();
  await until(async () => (await store.now()) >= start + ms);
}
