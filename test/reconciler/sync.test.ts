// What commits do to the desired documents: the real source, parser and sync on a real repository and a memory store.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BOUNDARIES, type Boundary } from '../../reconciler/boundary.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { openSource } from '../../reconciler/source/git.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Settlement, Store } from '../../reconciler/store/store.ts';
import { createSync } from '../../reconciler/sync.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import { Failure } from '../../schemas/errors.ts';
import type { ProjectState } from '../../schemas/project.ts';
import { makeLink, makeRepo, type TestRepo, temporaryFolder } from '../git.ts';
import { replica, service, state as stateOf } from '../plan/samples.ts';

const KEY = Buffer.from('sixteen characters at least');
/** Not an Error, so nothing takes it for a failure. */
const KILLED = Symbol('killed');
const OF_THE_SOURCE = BOUNDARIES.filter((name) => /^(source|desired)-/.test(name));
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).toReversed()) close();
});

/** A valid service file; `more` are further lines. */
const web = (name: string, ...more: readonly string[]) =>
  [
    'type: service',
    `name: ${name}`,
    'port: 8000',
    'commands: [node app.js]',
    'probes: [{type: http}]',
    ...more,
    '',
  ].join('\n');

interface Watched {
  readonly repo: TestRepo;
  readonly store: Store;
  /** What the server's configuration gives; may be changed. */
  readonly secrets: Map<string, string>;
  /** USD per hour of one replica, by service (else 0); or why nobody can say. */
  readonly prices: Map<string, number | string>;
  /** Stops the store's clock at an instant (ISO 8601). */
  at(time: string): void;
  /** Somebody approves a commit. */
  approve(commit: string): Promise<void>;
  /** Commits, and lets one pass see it. */
  push(files: Parameters<TestRepo['commit']>[0]): Promise<Settlement>;
  /** One pass. */
  pass(): Promise<Settlement>;
  /** A new daemon takes over, with nothing in memory. */
  restart(key?: Buffer): Promise<void>;
  /** Lets the service's rollout be done, as its own pass would. */
  serve(name: string): Promise<void>;
  desired(name: string): Promise<DesiredRecord | null>;
  names(): Promise<string[]>;
  project(): Promise<ProjectState>;
  events(): Promise<string[]>;
  /** Documents of services written so far. */
  writes(): number;
  /** The daemon dies when it comes to this place. */
  killAt(boundary: Boundary): void;
}

async function watch(
  files: Parameters<TestRepo['commit']>[0],
  options: { readonly path?: string; readonly apply?: 'auto' | 'gated'; readonly at?: string } = {},
): Promise<Watched> {
  const folder = temporaryFolder();
  closers.push(folder.remove);
  const repo = makeRepo(join(folder.dir, 'repo'));
  repo.commit(files);
  const { apply = 'auto', path } = options;
  let stopped = options.at === undefined ? null : Date.parse(options.at);
  const memory = openMemory({ id: 'memory', now: () => stopped ?? Date.now() });
  const secrets = new Map<string, string>();
  const prices = new Map<string, number | string>();
  let writes = 0;
  const store: Store = {
    ...memory,
    putDesired(lease, changes, state, events) {
      writes += changes.length;
      return memory.putDesired(lease, changes, state, events);
    },
  };
  let daemons = 0;
  let doom: Boundary | null = null;
  const startSync = async (key: Buffer = KEY) => {
    const source = await openSource({
      repo: repo.dir,
      dir: join(folder.dir, `mirror-${daemons++}`),
      ...(path === undefined ? {} : { path }),
    });
    closers.push(() => source.close());
    return createSync({
      project: 'main',
      source,
      store,
      secrets: (name) => secrets.get(name) ?? null,
      vault: createVault(key),
      refusal: () => null,
      apply,
      approved: async (project) => (await store.approval(project))?.commit ?? null,
      async priceOfMachine({ name }) {
        const price = prices.get(`fleet:${name}`) ?? 0;
        if (typeof price === 'string') throw new Failure('transient', price);
        return price;
      },
      async priceOf({ name, groups }) {
        const price = prices.get(name) ?? 0;
        if (typeof price === 'string') throw new Failure('transient', price);
        return { steadyMax: groups.reduce((sum, { replicas }) => sum + replicas.max * price, 0) };
      },
      pollMs: 30_000,
      random: () => 0.5,
      boundary(boundary) {
        if (boundary !== doom) return;
        doom = null;
        throw KILLED;
      },
    });
  };
  let sync = await startSync();
  await store.ensureProject('main');

  const pass = async () => {
    await store.wake(['main']);
    const [claim] = await store.claim({
      holder: 'here',
      machine: 'here',
      limit: 1,
      leaseMs: 30_000,
      keys: ['main'],
    });
    if (!claim) throw new Error('the project cannot be claimed');
    const settlement = await sync(claim);
    await store.settle([settlement]);
    return settlement;
  };
  const watched: Watched = {
    repo,
    store,
    secrets,
    prices,
    at(time) {
      stopped = Date.parse(time);
    },
    approve: (commit) =>
      store.approve('main', { commit, plan: 'a plan', by: 'somebody', at: stopped ?? Date.now() }, []),
    push(changed) {
      repo.commit(changed);
      return pass();
    },
    pass,
    async restart(key) {
      sync = await startSync(key);
      // As a daemon does at its start: whoever held leases for it before is dead.
      await store.endLeases('here');
    },
    async serve(name) {
      await store.wake([`main/${name}`]);
      const [claim] = await store.claim({
        holder: 'here',
        machine: 'here',
        limit: 1,
        leaseMs: 30_000,
        keys: [`main/${name}`],
      });
      if (!claim) throw new Error(`${name} cannot be claimed`);
      const served = service(name);
      const state = stateOf(served, {
        replicas: [replica(`${name}-1`, { shape: served.shapes['0'] ?? '' })],
      });
      await store.settle([{ lease: claim.lease, state, wakeAt: null, events: [], release: true }]);
    },
    desired: async (name) => ((await store.load(`main/${name}`))?.desired ?? null) as DesiredRecord | null,
    names: async () =>
      (await store.list('main'))
        .filter(({ service, desired }) => service !== '' && desired !== null)
        .map(({ service }) => service),
    project: async () => (await store.load('main'))?.state as ProjectState,
    events: async () =>
      (await store.events({ project: 'main', limit: 1000 })).map(
        ({ service, event, reason }) => `${service} ${event}: ${reason}`,
      ),
    writes: () => writes,
    killAt(boundary) {
      doom = boundary;
    },
  };
  await pass();
  return watched;
}

const several = (count: number, ...more: readonly string[]) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`s${i}.dstack.yml`, web(`s${i}`, `env: [N=${i}]`, ...more)]),
  );

const errorsOf = (record: DesiredRecord | null) =>
  (record?.problems ?? []).filter(({ severity }) => severity === 'error').map(({ message }) => message);

describe('a commit', () => {
  test('that adds, changes and removes files does the same to services, and touches no other', async () => {
    const world = await watch({
      'one.dstack.yml': web('one'),
      'two.dstack.yml': web('two', 'env: [A=1]'),
      'three.dstack.yml': web('three', 'env: [A=2]'),
    });
    const before = await world.desired('three');
    expect(world.writes()).toBe(3);
    await world.push({
      'one.dstack.yml': web('one', 'env: [B=1]'),
      'two.dstack.yml': null,
      'four.dstack.yml': web('four', 'env: [C=1]'),
    });
    expect(await world.names()).toEqual(['four', 'one', 'three']);
    expect(world.writes()).toBe(6);
    expect(await world.desired('three')).toEqual(before);
  });

  test('that changes nothing of a service writes nothing of it, after a restart as well', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const serial = (await world.project()).serial;
    await world.push({ 'README.md': 'hello' });
    await world.restart();
    await world.pass();
    await world.pass();
    expect(world.writes()).toBe(1);
    expect((await world.project()).serial).toBe(serial + 1);
  });

  test('that breaks a file keeps its service as it was, and says what is wrong', async () => {
    const world = await watch({ 'one.dstack.yml': web('one'), 'two.dstack.yml': web('two') });
    const before = await world.desired('one');
    for (const broken of [
      'type: service\nname: [\n',
      web('one', 'comands: [x]'),
      'type: task\nname: one\ncomands: [x]\n',
      '',
    ]) {
      await world.push({ 'one.dstack.yml': broken });
      const after = await world.desired('one');
      expect(after?.service).toEqual(before?.service);
      expect(errorsOf(after)).not.toEqual([]);
    }
    await world.push({ 'one.dstack.yml': web('one') });
    expect(errorsOf(await world.desired('one'))).toEqual([]);
  });

  test('that renames a service into something that cannot run keeps the old one', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const before = await world.desired('one');
    await world.push({ 'one.dstack.yml': web('other', 'files: [./data.txt:/data.txt]') });
    expect((await world.desired('one'))?.service).toEqual(before?.service);
    expect(errorsOf(await world.desired('other'))).toEqual([expect.stringMatching(/no 'data.txt'/)]);
    await world.push({ 'one.dstack.yml': web('other') });
    expect((await world.project()).renames).toEqual([{ from: 'one', to: 'other' }]);
    expect(await world.names()).toEqual(['one', 'other']);
  });

  test('that gives two files one name changes nothing for any of them, until one gives way', async () => {
    const world = await watch({
      'one.dstack.yml': web('one'),
      'two.dstack.yml': web('two', 'env: [A=1]'),
    });
    const [one, two] = [await world.desired('one'), await world.desired('two')];
    await world.push({ 'two.dstack.yml': web('one', 'env: [A=2]') });
    expect((await world.desired('one'))?.service).toEqual(one?.service);
    expect(errorsOf(await world.desired('one'))).toHaveLength(2);
    expect((await world.desired('two'))?.service).toEqual(two?.service);
    await world.push({ 'two.dstack.yml': null });
    expect(await world.names()).toEqual(['one']);
    expect(errorsOf(await world.desired('one'))).toEqual([]);
  });

  test('with a mount that cannot be read is a problem of that service alone', async () => {
    const world = await watch({ 'one.dstack.yml': web('one'), 'data.txt': 'a' });
    makeLink(join(world.repo.dir, 'link'), '/etc/passwd');
    await world.push({
      'two.dstack.yml': web('two', 'files: [link:/data]'),
      'three.dstack.yml': web('three'),
    });
    expect((await world.project()).sourceFailure).toBeNull();
    expect(await world.names()).toEqual(['one', 'three', 'two']);
    expect(errorsOf(await world.desired('two'))).toEqual([expect.stringMatching(/link/)]);
  });

  test('that adds what a file mounts puts its service right', async () => {
    const world = await watch({ 'one.dstack.yml': web('one', 'files: [./data.txt:/data.txt]') });
    expect(errorsOf(await world.desired('one'))).toHaveLength(1);
    await world.push({ 'data.txt': 'a' });
    expect(errorsOf(await world.desired('one'))).toEqual([]);
    const before = (await world.desired('one'))?.service?.shapes;
    await world.push({ 'data.txt': 'b' });
    expect((await world.desired('one'))?.service?.shapes).not.toEqual(before);
  });

  test('is found where the branch was rewritten', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    world.repo.git('commit', '--amend', '--quiet', '--message=other');
    await world.push({ 'one.dstack.yml': web('one', 'env: [B=1]') });
    expect(await world.events()).toContainEqual(expect.stringMatching(/the branch was rewritten/));
    expect(errorsOf(await world.desired('one'))).toEqual([]);
  });
});

describe('deletions', () => {
  test('beyond the budget are held, all of them, and released by name', async () => {
    const world = await watch(several(10));
    const gone = Object.fromEntries([0, 1, 2, 3].map((i) => [`s${i}.dstack.yml`, null]));
    await world.push(gone);
    expect(await world.names()).toHaveLength(10);
    expect((await world.project()).held).toEqual(['s0', 's1', 's2', 's3']);
    await world.restart();
    await world.pass();
    expect(await world.names()).toHaveLength(10);
    await world.push({ 'trueup.yml': 'prune: {allow: [s0, s1, s2, s3]}\n' });
    expect(await world.names()).toEqual(['s4', 's5', 's6', 's7', 's8', 's9']);
    expect((await world.project()).held).toEqual([]);
  });

  test('that were held are forgotten when the files come back', async () => {
    const world = await watch(several(10));
    await world.push(Object.fromEntries([0, 1, 2, 3].map((i) => [`s${i}.dstack.yml`, null])));
    const held = await world.desired('s0');
    expect(held?.pending).toMatchObject({ reason: 'deletion-budget', revision: null, until: null });
    await world.push(several(10));
    expect((await world.project()).held).toEqual([]);
    expect(await world.desired('s0')).toEqual({ service: held?.service, removed: false, problems: [] });
    expect(await world.events()).toContain('s0 withdrawn: its removal is no longer asked for');
  });

  test('are not let through by the very commit that raises the budget for them, but by the next', async () => {
    const world = await watch(several(10));
    const gone = Object.fromEntries([0, 1, 2, 3].map((i) => [`s${i}.dstack.yml`, null]));
    await world.push({ ...gone, 'trueup.yml': 'deletion_budget: 9\n' });
    expect(await world.names()).toHaveLength(10);
    expect(await world.events()).toContainEqual(
      expect.stringMatching(/policy-loosened: .*`deletion_budget`/),
    );
    await world.restart();
    await world.pass();
    expect(await world.names()).toHaveLength(10);
    await world.push({ 'README.md': 'hello' });
    expect(await world.names()).toHaveLength(6);
  });

  test('are as many as the services that were there allow, however many come with them', async () => {
    const world = await watch(several(10));
    const gone = Object.fromEntries([0, 1, 2, 3].map((i) => [`s${i}.dstack.yml`, null]));
    const fresh = Object.fromEntries(Object.entries(several(30)).filter(([path]) => !(path in several(10))));
    await world.push({ ...fresh, ...gone });
    await world.restart();
    await world.pass();
    expect((await world.project()).held).toEqual(['s0', 's1', 's2', 's3']);
    expect(await world.names()).toHaveLength(30);
  });

  test('that were held go once a commit of its own has raised the budget', async () => {
    const world = await watch(several(10));
    await world.push(Object.fromEntries([0, 1, 2, 3].map((i) => [`s${i}.dstack.yml`, null])));
    await world.push({ 'trueup.yml': 'deletion_budget: 9\n' });
    expect(await world.names()).toHaveLength(6);
  });

  test('do not happen while trueup.yml is broken', async () => {
    const world = await watch({ ...several(5), 'trueup.yml': 'prune: false\n' });
    await world.push({ 'trueup.yml': 'prune: [\n', 's0.dstack.yml': null });
    expect(await world.names()).toHaveLength(5);
    await world.restart();
    await world.pass();
    expect(await world.names()).toHaveLength(5);
  });
});

describe('a policy', () => {
  test('takes effect on services whose files did not change', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const before = (await world.desired('one'))?.service;
    await world.push({ 'trueup.yml': 'rollout: {surge: 3}\n' });
    const after = (await world.desired('one'))?.service;
    expect(after?.spec.policy.surge).toBe(3);
    expect(after?.revision).toBe(before?.revision);
    expect(after?.digest).not.toBe(before?.digest);
  });

  test('that breaks stays in force as it was, after a restart as well', async () => {
    const world = await watch({ 'one.dstack.yml': web('one'), 'trueup.yml': 'rollout: {surge: 3}\n' });
    await world.push({ 'trueup.yml': 'rollout: {surge: many}\n' });
    expect(await world.events()).toContainEqual(expect.stringMatching(/^\S* ?invalid: trueup.yml:1:18 /));
    expect((await world.desired('one'))?.service?.spec.policy.surge).toBe(3);
    expect((await world.project()).problems).not.toEqual([]);
    await world.restart();
    await world.pass();
    expect((await world.desired('one'))?.service?.spec.policy.surge).toBe(3);
    expect((await world.events()).filter((event) => event.includes('invalid:'))).toHaveLength(1);
    await world.push({ 'trueup.yml': 'rollout: {surge: 2}\n' });
    expect(await world.events()).toContainEqual(
      expect.stringMatching(/fixed: trueup.yml has no errors any more/),
    );
  });

  test('is not mixed up with a profile, which stays in force when its file breaks', async () => {
    const profile = 'profiles: [{name: cheap, default: true, max_price: 0.5}]\n';
    const world = await watch({ 'one.dstack.yml': web('one'), '.dstack/profiles.yml': profile });
    const before = (await world.desired('one'))?.service;
    expect(before?.spec.groups[0]?.placement.maxPrice).toBe(0.5);
    await world.push({ '.dstack/profiles.yml': 'profiles: [{\n' });
    expect((await world.desired('one'))?.service).toEqual(before);
    await world.restart();
    await world.pass();
    expect((await world.desired('one'))?.service).toEqual(before);
  });
});

describe('a window', () => {
  const nightly = 'windows: [{schedule: "0 22 * * *", duration: 2h}]\n';
  const world = (files: Parameters<TestRepo['commit']>[0]) =>
    watch(files, { at: '2026-01-05T12:00:00.000Z' });

  test('keeps a change back until it opens, told once, and through a restart', async () => {
    const { pass, push, desired, restart, events, at } = await world({
      'one.dstack.yml': web('one'),
      'trueup.yml': nightly,
    });
    // The first commit waits as well.
    expect((await desired('one'))?.service).toBeNull();
    at('2026-01-05T22:00:00.000Z');
    await pass();
    const first = (await desired('one'))?.service;
    at('2026-01-06T12:00:00.000Z');
    const { wakeAt } = await push({ 'one.dstack.yml': web('one', 'env: [A=1]') });
    expect(wakeAt).toBeLessThan(Date.parse('2026-01-06T22:00:00.000Z'));
    for (let turn = 0; turn < 3; turn++) {
      await restart();
      await pass();
      await pass();
    }
    const waiting = await desired('one');
    expect(waiting?.service).toEqual(first);
    expect(waiting?.pending).toMatchObject({
      reason: 'window',
      until: Date.parse('2026-01-06T22:00:00.000Z'),
      since: Date.parse('2026-01-06T12:00:00.000Z'),
      service: { configuration: { env: expect.anything() } },
    });
    at('2026-01-06T21:59:50.000Z');
    expect((await pass()).wakeAt).toBe(Date.parse('2026-01-06T22:00:00.000Z'));
    at('2026-01-06T22:00:00.000Z');
    await pass();
    const after = await desired('one');
    expect(after?.pending).toBeUndefined();
    expect(after?.service?.configuration).toHaveProperty('env');
    const told = (await events()).filter((event) => /^one (pending|admitted)/.test(event));
    expect(told).toEqual([
      expect.stringMatching(/^one pending: revision \w+ waits, until 2026-01-05T22:00:00.000Z/),
      expect.stringMatching(/^one admitted: revision \w+ no longer waits/),
      expect.stringMatching(/^one pending: revision \w+ waits, until 2026-01-06T22:00:00.000Z/),
      expect.stringMatching(/^one admitted: /),
    ]);
  });

  test('holds for the commit that takes it away, and for none after it', async () => {
    const { push, desired } = await world({ 'one.dstack.yml': web('one') });
    await push({ 'trueup.yml': nightly });
    await push({ 'trueup.yml': null, 'one.dstack.yml': web('one', 'env: [A=1]') });
    expect((await desired('one'))?.pending?.reason).toBe('window');
    await push({ 'README.md': 'hello' });
    expect((await desired('one'))?.pending).toBeUndefined();
    expect((await desired('one'))?.service?.configuration).toHaveProperty('env');
  });

  test('that waits for one change is replaced by a newer commit', async () => {
    const { push, desired, events } = await world({ 'one.dstack.yml': web('one') });
    const before = await desired('one');
    await push({ 'trueup.yml': nightly });
    await push({ 'one.dstack.yml': web('one', 'env: [A=1]') });
    await push({ 'one.dstack.yml': web('one') });
    expect(await desired('one')).toEqual(before);
    expect(await events()).toContainEqual(expect.stringMatching(/^one withdrawn: /));
  });
});

describe('a budget', () => {
  test('keeps a dearer change back, with figures, until it is cheaper', async () => {
    const world = await watch({ 'one.dstack.yml': web('one', 'replicas: 2'), 'trueup.yml': 'budget: 5\n' });
    world.prices.set('one', 2);
    await world.push({ 'one.dstack.yml': web('one', 'replicas: 3') });
    expect((await world.desired('one'))?.pending).toMatchObject({
      reason: 'budget',
      detail: expect.stringMatching(/\$6.00\/h wanted, \$5.00\/h allowed, \$4.00\/h now/),
    });
    await world.pass();
    world.prices.set('one', 1.5);
    await world.pass();
    expect((await world.desired('one'))?.service?.spec.groups[0]?.replicas.max).toBe(3);
    expect((await world.events()).filter((event) => event.startsWith('one pending'))).toHaveLength(1);
  });

  test('makes what has no price wait, and says why', async () => {
    const world = await watch({ 'trueup.yml': 'services: {one: {budget: 5}}\n' });
    world.prices.set('one', 'the cloud cannot say its prices');
    await world.push({ 'one.dstack.yml': web('one'), 'two.dstack.yml': web('two', 'env: [A=1]') });
    expect((await world.desired('one'))?.pending?.detail).toMatch(/unknown.*the cloud cannot say its prices/);
    expect((await world.desired('two'))?.pending).toBeUndefined();
    world.prices.set('one', 1);
    await world.pass();
    expect((await world.desired('one'))?.pending).toBeUndefined();
  });

  test('that is raised in a commit of its own lets through what waits', async () => {
    const world = await watch({ 'one.dstack.yml': web('one'), 'trueup.yml': 'budget: 2\n' });
    world.prices.set('one', 1);
    await world.push({ 'one.dstack.yml': web('one', 'replicas: 3'), 'trueup.yml': 'budget: 3\n' });
    expect((await world.desired('one'))?.pending?.reason).toBe('budget');
    await world.push({ 'trueup.yml': 'budget: 3.5\n' });
    expect((await world.desired('one'))?.pending).toBeUndefined();
  });
});

describe('a suspension', () => {
  test('leaves services as they are, also those whose files are gone, until it is lifted', async () => {
    const world = await watch({
      'one.dstack.yml': web('one'),
      'two.dstack.yml': web('two', 'env: [A=1]'),
      'three.dstack.yml': web('three', 'env: [A=2]'),
    });
    const before = await world.desired('one');
    await world.push({ 'trueup.yml': 'suspend: {services: [one, t*o]}\n' });
    await world.push({
      'one.dstack.yml': web('one', 'env: [B=1]'),
      'two.dstack.yml': null,
      'three.dstack.yml': web('three', 'env: [A=3]'),
    });
    expect(await world.desired('one')).toMatchObject({
      service: before?.service,
      suspended: true,
      pending: { reason: 'suspended', until: null },
    });
    expect((await world.desired('two'))?.pending).toMatchObject({ reason: 'suspended', revision: null });
    expect((await world.desired('three'))?.suspended).toBeUndefined();
    expect((await world.desired('three'))?.pending).toBeUndefined();
    await world.push({ 'trueup.yml': null });
    expect(await world.names()).toEqual(['one', 'three']);
    expect((await world.desired('one'))?.service?.configuration).toHaveProperty('env');
    const told = (await world.events()).filter((event) => /^one (suspended|resumed)/.test(event));
    expect(told).toHaveLength(2);
  });
});

describe('a gated project', () => {
  const gated = { apply: 'gated' } as const;

  test('waits for the approval of every commit, the first one too', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') }, gated);
    expect(await world.desired('one')).toMatchObject({ service: null, pending: { reason: 'approval' } });
    expect((await world.project()).applied).toBeUndefined();
    await world.approve(world.repo.head());
    await world.pass();
    const first = await world.desired('one');
    expect(first?.service).not.toBeNull();
    expect(first?.pending).toBeUndefined();

    const second = world.repo.head();
    await world.push({ 'one.dstack.yml': web('one', 'env: [A=1]'), 'two.dstack.yml': web('two') });
    await world.pass();
    expect((await world.desired('one'))?.service).toEqual(first?.service);
    expect((await world.project()).pending?.commit).toBe(world.repo.head());
    expect((await world.project()).applied).toBe(second);

    await world.restart();
    await world.approve(world.repo.head());
    await world.pass();
    expect((await world.desired('one'))?.service?.configuration).toHaveProperty('env');
    expect((await world.desired('two'))?.service).not.toBeNull();
    expect((await world.project()).pending).toBeUndefined();
    const told = (await world.events()).filter((event) => /^ (pending|admitted)/.test(event));
    expect(told).toHaveLength(4);
  });

  test('lets a newer commit replace the one that waits, so that an approval of that one is for nothing', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') }, gated);
    await world.approve(world.repo.head());
    await world.pass();
    await world.push({ 'one.dstack.yml': web('one', 'env: [A=1]') });
    const late = world.repo.head();
    await world.push({ 'one.dstack.yml': web('one', 'env: [A=2]') });
    await world.approve(late);
    await world.pass();
    const record = await world.desired('one');
    expect(record?.service?.configuration).not.toHaveProperty('env');
    expect(record?.pending?.commit).toBe(world.repo.head());
  });

  test('has nothing to approve of a commit that changes nothing', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') }, gated);
    await world.approve(world.repo.head());
    await world.pass();
    await world.push({ 'README.md': 'hello' });
    expect((await world.project()).applied).toBe(world.repo.head());
    expect((await world.project()).pending).toBeUndefined();
  });

  test('takes no policy from a commit that nobody approved', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') }, gated);
    await world.approve(world.repo.head());
    await world.pass();
    await world.push({ 'trueup.yml': 'suspend: true\nrollout: {surge: 4}\n' });
    expect((await world.desired('one'))?.suspended).toBeUndefined();
    expect((await world.desired('one'))?.service?.spec.policy.surge).toBe(1);
    expect((await world.project()).pending?.commit).toBe(world.repo.head());
    await world.approve(world.repo.head());
    await world.pass();
    expect((await world.desired('one'))?.suspended).toBe(true);
  });

  test('removes nothing that was not approved', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') }, gated);
    await world.approve(world.repo.head());
    await world.pass();
    await world.push({ 'one.dstack.yml': null });
    expect((await world.desired('one'))?.pending).toMatchObject({ reason: 'approval', revision: null });
    await world.approve(world.repo.head());
    await world.pass();
    expect(await world.names()).toEqual([]);
  });
});

describe('a rename', () => {
  test('keeps the old service until the new one has been rolled out', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const { wakeAt, lease } = await world.push({ 'one.dstack.yml': web('other') });
    expect((wakeAt ?? 0) - lease.until).toBeLessThan(0);
    expect(await world.names()).toEqual(['one', 'other']);
    expect((await world.project()).renames).toEqual([{ from: 'one', to: 'other' }]);
    expect((await world.desired('one'))?.renamedTo).toBe('other');
    const serial = (await world.project()).serial;
    await world.pass();
    await world.pass();
    expect((await world.project()).serial).toBe(serial);
    await world.serve('other');
    await world.pass();
    expect(await world.names()).toEqual(['other']);
    expect((await world.project()).renames).toEqual([]);
    expect(await world.events()).toContain('one removed: it is called other now; its replicas are ended');
  });

  test('survives a restart', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    await world.push({ 'one.dstack.yml': web('other') });
    await world.restart();
    await world.pass();
    expect(await world.names()).toEqual(['one', 'other']);
    await world.serve('other');
    await world.restart();
    await world.pass();
    expect(await world.names()).toEqual(['other']);
  });
});

describe('a secret', () => {
  test('that is missing is a problem, and is taken as soon as it is there', async () => {
    const world = await watch({ 'one.dstack.yml': web('one', 'env: [TOKEN]') });
    expect(errorsOf(await world.desired('one'))).toEqual([expect.stringMatching(/TOKEN has no value/)]);
    world.secrets.set('TOKEN', 'hush-hush');
    await world.pass();
    expect(errorsOf(await world.desired('one'))).toEqual([]);
    expect((await world.desired('one'))?.service).not.toBeNull();
  });

  test('that is rotated changes the shape; that of a probe changes the probe', async () => {
    const header = `probes: [{type: http, headers: [{name: X-Key, value: "$\{{ secrets.KEY }}"}]}]`;
    const file = (name: string, ...more: string[]) =>
      web(name, ...more).replace('probes: [{type: http}]\n', '');
    const world = await watch({
      'one.dstack.yml': file('one', 'env: [TOKEN]'),
      'two.dstack.yml': file('two', header),
    });
    world.secrets.set('TOKEN', 'hush-hush');
    world.secrets.set('KEY', 'psst-psst');
    await world.pass();
    const [one, two] = [(await world.desired('one'))?.service, (await world.desired('two'))?.service];
    world.secrets.set('TOKEN', 'new-token');
    world.secrets.set('KEY', 'new-key-k');
    await world.pass();
    expect((await world.desired('one'))?.service?.shapes).not.toEqual(one?.shapes);
    expect(await world.events()).toContain(
      `one desired: revision ${one?.revision} from one.dstack.yml; the value of TOKEN changed: replicas are replaced one by one`,
    );
    expect((await world.desired('two'))?.service?.spec.probes).not.toEqual(two?.spec.probes);
    expect((await world.desired('two'))?.service?.digest).not.toEqual(two?.digest);
    const sealed = createVault(KEY).open((await world.desired('two'))?.service?.sealed ?? '');
    expect(sealed.secrets).toEqual(['new-key-k']);
    const stored = JSON.stringify([await world.store.list('main'), await world.events()]);
    for (const value of ['hush-hush', 'psst-psst', 'new-token', 'new-key-k'])
      expect(stored).not.toContain(value);
  });

  test('that is taken away leaves the last good spec', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    world.secrets.set('TOKEN', 'hush-hush');
    await world.push({ 'one.dstack.yml': web('one', 'env: [TOKEN]') });
    const before = (await world.desired('one'))?.service;
    world.secrets.delete('TOKEN');
    await world.pass();
    expect((await world.desired('one'))?.service).toEqual(before);
    expect(errorsOf(await world.desired('one'))).toHaveLength(1);
  });
});

describe('a database', () => {
  test('that belongs to a trueup with another key is left alone', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const before = await world.store.list('main');
    await world.restart(Buffer.from('another key of some length'));
    await expect(world.pass()).rejects.toMatchObject({ kind: 'unauthorized' });
    expect((await world.store.load('main/one'))?.desired).toEqual(before[1]?.desired);
  });

  test('shared by two that read it in turns is not written when nothing is new', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    const serial = (await world.project()).serial;
    for (let turn = 0; turn < 4; turn++) {
      await world.restart();
      await world.pass();
    }
    expect((await world.project()).serial).toBe(serial);
    expect(world.writes()).toBe(1);
  });
});

describe('a source that fails', () => {
  test('changes nothing, is told once, and recovers', async () => {
    const world = await watch({ 'one.dstack.yml': web('one') });
    renameSync(world.repo.dir, `${world.repo.dir}-away`);
    await world.pass();
    const { wakeAt } = await world.pass();
    expect((await world.project()).sourceFailure?.message).toMatch(/cannot read/);
    expect(wakeAt).not.toBeNull();
    expect(await world.names()).toEqual(['one']);
    expect((await world.events()).filter((event) => event.includes('source-failed'))).toHaveLength(1);
    renameSync(`${world.repo.dir}-away`, world.repo.dir);
    await world.pass();
    expect((await world.project()).sourceFailure).toBeNull();
    expect(await world.events()).toContainEqual(expect.stringMatching(/source-recovered/));
    expect(world.writes()).toBe(1);
  });

  test('a watched folder that is gone removes nothing', async () => {
    const world = await watch({ 'apps/one.dstack.yml': web('one') }, { path: 'apps' });
    await world.push({ 'apps/one.dstack.yml': null });
    expect(await world.names()).toEqual(['one']);
    expect((await world.project()).sourceFailure?.message).toMatch(/there is no folder 'apps'/);
  });
});

describe('a daemon that dies in its sync', () => {
  test('can do so at three places', () => {
    expect(OF_THE_SOURCE).toHaveLength(3);
  });

  test.each(OF_THE_SOURCE)('at %s loses nothing of the commit, and says it once', async (boundary) => {
    const world = await watch({ 'one.dstack.yml': web('one'), 'two.dstack.yml': web('two', 'env: [A=1]') });
    world.killAt(boundary);
    const dying = world.push({
      'one.dstack.yml': web('one', 'env: [B=1]'),
      'two.dstack.yml': null,
      'three.dstack.yml': web('three', 'env: [C=1]'),
    });
    await expect(dying).rejects.toBe(KILLED);
    await world.restart();
    await world.pass();
    expect(await world.names()).toEqual(['one', 'three']);
    expect((await world.desired('one'))?.service?.configuration).toHaveProperty('env.B');
    const told = (await world.events()).filter((event) => event.startsWith(' commit:'));
    expect(told).toHaveLength(2);
  });
});

describe('what is around services', () => {
  const pool = (nodes: string) => `type: fleet\nname: pool\nnodes: ${nodes}\n`;

  test('is not among what is read and not reconciled, but for gateways', async () => {
    const { project } = await watch({
      'pool.dstack.yml': pool('1'),
      'models.dstack.yml': 'type: volume\nname: models\nbackend: aws\nregion: us\nsize: 100GB\n',
      'gw.dstack.yml': 'type: gateway\nname: gw\nbackend: aws\nregion: us\ndomain: "*.example.org"\n',
    });
    expect((await project()).others).toEqual([{ path: 'gw.dstack.yml', type: 'gateway', name: 'gw' }]);
  });

  test('tells of a mistake in its file itself; one that was never good is a problem of the project', async () => {
    const watched = await watch({ 'pool.dstack.yml': pool('1') });
    await watched.push({ 'pool.dstack.yml': pool('many'), 'other.dstack.yml': 'type: fleet\nnodes: many\n' });
    const files = (await watched.project()).problems.map(({ file }) => file);
    expect(new Set(files)).toEqual(new Set(['other.dstack.yml']));
    const record = await watched.store.load('main/fleet:pool');
    expect(record?.desired).toMatchObject({ spec: { nodes: { min: 1 } }, problems: [{ severity: 'error' }] });
    const told = (await watched.events()).filter((text) => text.includes(' invalid: pool.dstack.yml'));
    expect(told).toEqual([expect.stringMatching(/^fleet:pool invalid: .*; the last good spec stays$/)]);
  });

  test('is missed by a service that names it until another commit declares it, and again when that is gone', async () => {
    const watched = await watch({ 'web.dstack.yml': web('web', 'fleets: [pool]') });
    const problems = async () => (await watched.desired('web'))?.problems.map(({ message }) => message);
    const before = await watched.desired('web');
    expect(await problems()).toEqual(['no file declares the fleet `pool`, so the service waits for it']);
    await watched.push({ 'pool.dstack.yml': pool('1') });
    expect(await problems()).toEqual([]);
    expect((await watched.desired('web'))?.service).toEqual(before?.service);
    await watched.push({ 'pool.dstack.yml': null });
    expect(await problems()).toHaveLength(1);
  });

  test('that two files declare is told, whether or not there was one before', async () => {
    const watched = await watch({ 'a.dstack.yml': pool('1'), 'b.dstack.yml': pool('2') });
    const messages = async () => (await watched.project()).problems.map(({ message }) => message);
    expect(await messages()).toEqual([
      'the fleet `pool` is also declared by b.dstack.yml',
      'the fleet `pool` is also declared by a.dstack.yml',
    ]);
    await watched.push({ 'b.dstack.yml': null });
    expect(await messages()).toEqual([]);
    await watched.push({ 'b.dstack.yml': pool('2') });
    expect(await messages()).toEqual([]);
    const record = await watched.store.load('main/fleet:pool');
    expect(record?.desired).toMatchObject({ spec: { nodes: { min: 1 } }, problems: [{}, {}] });
  });

  test('counts in the budget that services are held back by', async () => {
    const inPool = web('web', 'fleets: [pool]', 'replicas: 2');
    const watched = await watch({ 'trueup.yml': 'budget: 6\n', 'pool.dstack.yml': pool('5') });
    watched.prices.set('web', 1).set('fleet:pool', 1);
    await watched.push({ 'web.dstack.yml': inPool });
    expect((await watched.desired('web'))?.pending).toBeUndefined();
    watched.prices.set('api', 2);
    await watched.push({ 'api.dstack.yml': web('api') });
    expect((await watched.desired('api'))?.pending).toMatchObject({
      reason: 'budget',
      detail: expect.stringContaining('with $3.00/h for machines that fleets keep beside: $7.00/h wanted'),
    });
  });

  test('of a commit that waits for approval is kept with it, and nothing of it is in force', async () => {
    const watched = await watch({ 'web.dstack.yml': web('web') }, { apply: 'gated' });
    await watched.approve(watched.repo.head());
    await watched.pass();
    await watched.push({ 'pool.dstack.yml': pool('1') });
    expect((await watched.project()).pending?.around).toMatchObject({
      'fleet:pool': { spec: { nodes: { min: 1 } } },
    });
    expect(await watched.store.load('main/fleet:pool')).toBeNull();
    await watched.approve(watched.repo.head());
    await watched.pass();
    expect((await watched.project()).pending).toBeUndefined();
    expect((await watched.store.load('main/fleet:pool'))?.desired).toMatchObject({ spec: { name: 'pool' } });
  });
});
