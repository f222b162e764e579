// The rules of the simulated world, each shown a world that breaks it: what never complains proves nothing.
import { expect, test } from 'vitest';
import type { Machine } from '../../backends/fake/cloud.ts';
import { createRules } from '../../reconciler/simulate/rules.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import type { RouteReplica } from '../../schemas/routes.ts';
import { group, LOCAL, replica, service, state } from '../plan/samples.ts';

const two = service('web', {}, { groups: [group({ replicas: { min: 2, max: 2 } })] });
const routed = (...names: readonly string[]): RouteReplica[] =>
  names.map((name) => ({ name, group: '0', endpoint: { kind: 'tcp', host: name, port: 1 } }));
const route = (...names: readonly string[]) => ({
  project: 'main',
  service: 'web',
  version: 1,
  auth: true,
  stripPrefix: true,
  model: null,
  replicas: routed(...names),
});

function machine(name: string, over: Partial<Machine> = {}, owner = 'me'): Machine {
  const tags = {
    owner,
    project: 'main',
    service: 'web',
    group: '0',
    replica: name,
    attempt: 1,
    shape: '',
    deployment: 1,
  };
  return { id: `${name}-id`, tags, runs: null, offer: LOCAL, createdAt: 0, endedAt: null, ...over };
}

function world() {
  const broken: string[] = [];
  let machines: readonly Machine[] = [];
  const gone = new Set<Machine>();
  const guests = new Map<string, string>();
  let table: readonly RouteReplica[] = [];
  let now = 0;
  const rules = createRules({
    live: () => machines.filter(({ endedAt }) => endedAt === null),
    ended() {
      const ended = machines.filter((each) => each.endedAt !== null && !gone.has(each));
      for (const each of ended) gone.add(each);
      return ended;
    },
    wasTaken: (id) => id.startsWith('taken'),
    isServing: () => true,
    runsAt: (endpoint) => (endpoint.kind === 'tcp' ? (guests.get(endpoint.host) ?? endpoint.host) : null),
    fleets: () => [],
    renames: new Map([['web', 'site']]),
    table: () => ({
      store: '',
      epoch: 1,
      generation: 1,
      tokens: [],
      routes: [{ ...route(), replicas: table }],
    }),
    now: () => now,
    report: (_, text) => broken.push(text),
  });
  return {
    broken,
    /** What runs on the machine of the one is the other. */
    lend: (from: string, to: string) => guests.set(from, to),
    record: (replicas: readonly Replica[], more: Partial<ServiceState> = {}) =>
      rules.noteState('main/web', state(two, { replicas, ...more })),
    recordSite: (replicas: readonly Replica[]) =>
      rules.noteState('main/site', state({ ...two, name: 'site' }, { replicas })),
    look(there: readonly Machine[], served: readonly RouteReplica[] = [], ms = 0) {
      [machines, table, now] = [there, served, now + ms];
      rules.look();
    },
  };
}

const [first, second] = [replica('web-1'), replica('web-2')];

test('a world in order breaks none', () => {
  const { record, look, broken } = world();
  record([first, second], { route: route('web-1', 'web-2') });
  look([machine('web-1'), machine('web-2'), machine('web-9', {}, 'somebody')], routed('web-1', 'web-2'));
  expect(broken).toEqual([]);
});

test('sending away what is needed', () => {
  const { record, broken } = world();
  record([first, second]);
  record([first, replica('web-2', { phase: 'draining' })]);
  expect(broken).toEqual(['1 of at least 2 replicas stay ready while web-2 is sent away']);
});

test('sending away what its new name does not make up for', () => {
  const { record, recordSite, broken } = world();
  record([first, second]);
  recordSite([replica('site-1')]);
  record([first, replica('web-2', { phase: 'draining' })]);
  expect(broken).toEqual([]);
  record([replica('web-1', { phase: 'draining' })]);
  expect(broken).toEqual(['1 of at least 2 replicas stay ready while web-1 is sent away']);
});

test('routing what is not ready while something is', () => {
  const { record, broken } = world();
  record([first, replica('web-2', { phase: 'unready' })], { route: route('web-1', 'web-2', 'web-3') });
  expect(broken).toEqual(['web-2 is routed while it is unready', 'web-3 is routed, but is not there']);
});

test('routing what is not ready is fine while nothing is', () => {
  const { record, broken } = world();
  record([replica('web-2', { phase: 'unready' })], { route: route('web-2') });
  expect(broken).toEqual([]);
});

test('stopping what the proxies still serve', () => {
  const { record, look, broken } = world();
  const endpoint = { kind: 'tcp', host: 'web-3', port: 1 } as const;
  record([first, second, replica('web-3', { phase: 'stopping', endpoint })]);
  look([machine('web-1'), machine('web-2'), machine('web-3')], routed('web-3'));
  expect(broken).toEqual(['web-3 is stopped while the proxies still send it requests']);
});

test('two machines for one replica, or the same order carried out twice', () => {
  const { record, look, broken } = world();
  record([first, second]);
  look([
    machine('web-1'),
    machine('web-1', { id: 'other' }),
    machine('web-2', { endedAt: 5 }),
    machine('web-2'),
  ]);
  expect(broken).toContain('there are two machines for web-1');
  expect(broken).toContain('web-2 was created twice');
});

test('ordering again what the world took is no second order', () => {
  const { record, look, broken } = world();
  record([first, second]);
  look([
    machine('web-1', { id: 'taken-1', endedAt: 5 }),
    machine('web-1', { id: 'taken-1' }),
    machine('web-2'),
  ]);
  expect(broken).toEqual([]);
});

test('more machines than count and surge', () => {
  const { record, look, broken } = world();
  const four = ['web-1', 'web-2', 'web-3', 'web-4'];
  record(four.map((name) => replica(name)));
  look(four.map((name) => machine(name)));
  expect(broken).toEqual(['group 0 has 4 machines; at most 3 are allowed']);
});

test('paying for what no record knows', () => {
  const { record, look, broken } = world();
  record([first, second]);
  const there = [machine('web-1'), machine('web-2'), machine('web-7')];
  look(there);
  look(there, [], 100_000);
  expect(broken).toEqual([]);
  look(there, [], 100_000);
  expect(broken).toEqual(['web-7-id is paid for, but no record knows it']);
});

test('touching what is not ours', () => {
  const { look, broken } = world();
  look([machine('web-1', { endedAt: 5 }, 'somebody')]);
  expect(broken).toEqual(['web-1-id was ended, and belongs to somebody']);
});

test('a group that takes over the machines of another one makes none', () => {
  const { record, look, broken } = world();
  const old = ['web-1', 'web-2', 'web-3', 'web-4'].map((name) => replica(name, { group: 'old' }));
  const machines = old.map(({ name }) => {
    const made = machine(name);
    return { ...made, tags: { ...made.tags, group: 'old' } };
  });
  record(old);
  look(machines);
  record(old.map((each) => ({ ...each, group: '0' })));
  look(machines);
  expect(broken).toEqual([]);
  look([...machines, machine('web-5')]);
  expect(broken).toEqual(['group 0 has 5 machines; at most 3 are allowed']);
});

test('two replicas on one machine', () => {
  const { record, look, broken } = world();
  record([first, replica('web-2', { instance: 'web-1' })]);
  look([machine('web-1')]);
  expect(broken).toEqual(['web-1 and web-2 are on one machine']);
});

test('giving back the machine of what is served', () => {
  const { record, look, broken } = world();
  record([replica('web-1', { instance: 'web-1-id' }), second]);
  look([machine('web-1', { endedAt: 5 }), machine('web-2')], routed('web-1', 'web-2'));
  expect(broken).toEqual(['the machine of web-1 was ended while requests are sent to it']);
});

test('sending requests to who came after', () => {
  const { record, look, broken, lend } = world();
  record([first, second]);
  lend('web-2', 'api-1');
  look([machine('web-1'), machine('web-2')], routed('web-1', 'web-2'));
  expect(broken).toEqual(['requests for web-2 are sent to api-1']);
});
