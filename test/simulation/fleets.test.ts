// Services on fleets, and on the pool of idle machines: scenarios as users write them.
import { describe, expect, test } from 'vitest';
import type { StoryLine } from '../../reconciler/simulate/story.ts';
import { play } from './scenarios.ts';

const PROBES = 'probes: [{type: http, url: /, interval: 5s, ready_after: 1}]';
const service = (name: string, version: string, more = '') =>
  `${name}.dstack.yml: {type: service, name: ${name}, port: 80, commands: [serve ${version}], ${PROBES}${more}}`;
const ON_POOL = ', fleets: [pool]';
const pool = (more: string) => `pool.dstack.yml: {type: fleet, name: pool, ${more}}`;
const files = (...all: readonly string[]) => `files: {${all.join(', ')}}`;

type Played = Awaited<ReturnType<typeof play>>;

/** `<seconds> <event> <replica or machine>`, of what is asked for. */
const told = ({ story }: Played, events: RegExp): string[] =>
  story
    .filter(({ event }) => events.test(event))
    .map(({ t, event, replica }) => `${Math.round(t)} ${event} ${replica}`);
const at = ({ story }: Played, isIt: (line: StoryLine) => boolean) =>
  story.filter(isIt).map(({ t }) => Math.round(t));
const fine = ({ summary, strays }: Played) => {
  const { violations, leaked, unmet } = summary;
  expect({ violations, leaked, unmet, strays }).toEqual({ violations: [], leaked: 0, unmet: [], strays: [] });
};

describe('a fleet', () => {
  test('has its machines before the services come, which then start without a boot', async () => {
    const played = await play(`
commits:
  - ${files(pool('nodes: 2'))}
  - {at: 10m, ${files(service('web', 'one', `, replicas: 2${ON_POOL}`))}}
duration: 20m`);
    fine(played);
    expect(told(played, /^machine-|replica-ready/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '30 machine-ready pool-m1',
      '30 machine-ready pool-m2',
      '600 machine-lent pool-m1',
      '600 machine-lent pool-m2',
      '612 replica-ready web-1',
      '612 replica-ready web-2',
    ]);
  });

  test('that is full lets who asks wait, with its own words, until a machine is free', async () => {
    const played = await play(`
commits:
  - ${files(pool('nodes: 1'), service('one', 'a', ON_POOL))}
  - {at: 5m, ${files(service('two', 'a', ON_POOL))}}
  - {at: 20m, remove: one.dstack.yml}
expect: [{at: 19m, services: {one: {status: running}, two: {status: starting, waiting: [capacity]}}}]
duration: 30m`);
    fine(played);
    expect(at(played, ({ replica, event }) => replica === 'two-1' && event === 'replica-ready')).toEqual([
      1203,
    ]);
  });

  test('says so in words', async () => {
    const { summary } = await play(`
commits: [{${files(pool('nodes: 1'), service('one', 'a', ON_POOL), service('two', 'a', ON_POOL))}}]
duration: 10m`);
    const [waits] = Object.values(summary.services).flatMap(({ waiting = [] }) => waiting);
    expect(waits?.detail).toBe('fleet pool is full: 1 of its 1 machines are in use');
  });

  test('gives what is free to the highest priority, whoever waited longer', async () => {
    const played = await play(`
commits:
  - ${files(pool('nodes: 1'), service('first', 'a', ON_POOL))}
  - {at: 5m, ${files(service('aaa', 'a', `${ON_POOL}, priority: 10`))}}
  - {at: 20m, ${files(service('top', 'a', `${ON_POOL}, priority: 90`))}}
  - {at: 40m, remove: first.dstack.yml}
  - {at: 60m, remove: top.dstack.yml}
duration: 70m`);
    fine(played);
    expect(told(played, /replica-ready/)).toEqual([
      '42 replica-ready first-1',
      '2403 replica-ready top-1',
      '3603 replica-ready aaa-1',
    ]);
  });

  test('gives it by priority also when all ask at once', async () => {
    const played = await play(`
commits:
  - ${files(pool('nodes: 1'), service('aaa', 'a', `${ON_POOL}, priority: 10`), service('zzz', 'a', `${ON_POOL}, priority: 20`))}
duration: 20m`);
    fine(played);
    expect(played.summary.services).toMatchObject({ zzz: { ready: 1 }, aaa: { ready: 0 } });
  });

  test('makes more machines than it keeps when they are asked for, up to its bound, and gives them up when idle', async () => {
    const played = await play(`
commits:
  - ${files(pool('nodes: 0..3, idle_duration: 10m'), service('web', 'one', `, replicas: 2${ON_POOL}, idle_duration: 20m`))}
  - {at: 20m, remove: web.dstack.yml}
duration: 60m`);
    fine(played);
    expect(told(played, /machine-(created|stopped)/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '1806 machine-stopped pool-m1',
      '1806 machine-stopped pool-m2',
    ]);
  });

  test('gives what is free at once, also where its cloud has just had nothing more of the kind', async () => {
    const played = await play(`
backends: {cloud: {frank: false, offers: [{capacity: 1}]}}
commits:
  - ${files(pool('nodes: 0..2'), service('one', 'a', ON_POOL))}
  - {at: 5m, ${files(service('two', 'a', ON_POOL))}}
  - {at: 20m, remove: one.dstack.yml}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-lent|replica-ready/)).toEqual([
      '42 replica-ready one-1',
      '1201 machine-lent pool-m1',
      expect.stringMatching(/^1203 replica-ready two-/),
    ]);
  });

  test('with `creation_policy: reuse` gives its idle machines, and makes none', async () => {
    const played = await play(`
commits: [{${files(pool('nodes: 1..4'), service('web', 'one', `, replicas: 2${ON_POOL}, creation_policy: reuse`))}}]
expect: {services: {web: {ready: 1, waiting: [capacity]}}}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-created/)).toHaveLength(1);
    expect(played.web?.waiting?.[0]?.detail).toBe('no machine of fleet pool is idle');
  });

  test('that no file declares yet is waited for, and found when its file comes', async () => {
    const played = await play(`
commits:
  - ${files(service('web', 'one', ON_POOL))}
  - {at: 2h, ${files(pool('nodes: 1'))}}
expect: [{at: 1h, services: {web: {waiting: [dependency]}}}, {services: {web: {status: running}}}]
duration: 3h`);
    fine(played);
    expect(told(played, /replica-ready/)).toEqual(['7242 replica-ready web-1']);
  });

  test('may be one of several: an idle machine of any goes before a new one of another', async () => {
    const played = await play(`
commits:
  - ${files('a.dstack.yml: {type: fleet, name: east, nodes: 0..1}', 'b.dstack.yml: {type: fleet, name: west, nodes: 1}')}
  - {at: 5m, ${files(service('web', 'one', ', replicas: 2, fleets: [east, west]'))}}
duration: 20m`);
    fine(played);
    expect(told(played, /machine-lent|replica-ready/)).toEqual([
      '300 machine-lent west-m1',
      '312 replica-ready web-1',
      '342 replica-ready web-2',
    ]);
  });
});

describe('a rollout', () => {
  const rollout = (policy: string) => `
commits:
  - {${files(`trueup.yml: {rollout: ${policy}}`, pool('nodes: 2'), service('web', 'one', `, replicas: 2${ON_POOL}`))}}
  - {at: 10m, ${files(service('web', 'two', `, replicas: 2${ON_POOL}`))}}
traffic: {web: [{from: 2m, rps: 5}]}
duration: 20m`;

  test('in a fixed fleet goes one by one where one may be missing, and no request fails', async () => {
    const played = await play(rollout('{surge: 0, unavailable: 1}'));
    fine(played);
    expect(played.summary.requests.failed).toBe(0);
    expect(played.web).toMatchObject({ status: 'running', deployment: 2, ready: 2, minReady: 1, maxLive: 2 });
  });

  test('in a fixed fleet waits where none may be missing, and says what would help', async () => {
    const played = await play(rollout('{surge: 1, unavailable: 0}'));
    fine(played);
    expect(played.web).toMatchObject({ status: 'rolling', ready: 2, minReady: 2 });
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'cannot-surge',
        detail:
          'there is no room for one more beside the 2 that serve: fleet pool is full: 2 of its 2 machines are in use; `unavailable: 1` in trueup.yml lets it go on with one replica less for a while',
      },
    ]);
    expect(played.web?.next).toBe('Make room for one more replica, or allow `unavailable: 1` in trueup.yml.');
  });

  test('in a fleet with room surges, and what served is idle afterwards', async () => {
    const played = await play(rollout('{surge: 1}').replace('nodes: 2', 'nodes: 2..3'));
    fine(played);
    expect(played.web).toMatchObject({ status: 'running', deployment: 2, minReady: 2, maxLive: 3 });
    expect(told(played, /machine-created/)).toHaveLength(3);
  });
});

describe('a machine', () => {
  const lasting = (faults: string, more = '') => `
backends: {cloud: {offers: [{spot: true, price: 0.5}], faults: [${faults}]}}
commits: [{${files(pool('nodes: 2, spot_policy: auto'), service('web', 'one', `${ON_POOL}, spot_policy: auto${more}`))}}]
duration: 40m`;

  test('that is lost while it is used is replaced by the idle one, and made anew', async () => {
    const played = await play(lasting('{kind: instance-lost, at: 10m, replica: web-1}'));
    fine(played);
    expect(told(played, /replica-(ready|lost)|machine-/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '30 machine-ready pool-m1',
      '30 machine-ready pool-m2',
      '30 machine-lent pool-m1',
      '42 replica-ready web-1',
      '600 replica-lost web-1',
      '600 machine-lost pool-m1',
      '600 machine-created pool-m3',
      '600 machine-lent pool-m2',
      '612 replica-ready web-2',
      '630 machine-ready pool-m3',
    ]);
  });

  test('that is lost while it is idle is made anew, and the service does not notice', async () => {
    const played = await play(lasting('{kind: instance-lost, at: 10m, replica: pool-m2}'));
    fine(played);
    expect(told(played, /machine-(lost|created)/).slice(2)).toEqual([
      '600 machine-lost pool-m2',
      '601 machine-created pool-m3',
    ]);
    expect(
      told(played, /replica-/).filter((line) => !line.startsWith('30 ') && !line.startsWith('42 ')),
    ).toEqual([]);
  });

  test('of which its cloud gives notice is left before it goes, for one that stays', async () => {
    const played = await play(
      `${lasting('{kind: interruption, at: 10m, notice: 2m, replica: web-1}')}
traffic: {web: [{from: 2m, rps: 5}]}`,
    );
    fine(played);
    expect(played.summary.requests.failed).toBe(0);
    expect(told(played, /replica-(ready|interrupted|stopped)|machine-(lost|created)/).slice(3)).toEqual([
      '600 replica-interrupted web-1',
      '613 replica-ready web-2',
      '615 replica-stopped web-1',
      '720 machine-lost pool-m1',
      '721 machine-created pool-m3',
    ]);
  });

  test('on which the process ends by itself stays, and another has the next at once', async () => {
    const played = await play(`${lasting('')}
replicas: {"web#1": {crash_after: 5m}}`);
    fine(played);
    expect(told(played, /replica-(failed|ready)|machine-lent/)).toEqual([
      '30 machine-lent pool-m1',
      '42 replica-ready web-1',
      '340 replica-failed web-1',
      '340 machine-lent pool-m2',
      '352 replica-ready web-2',
    ]);
  });

  test('that never comes is given up, and another is had elsewhere', async () => {
    const played = await play(`
backends:
  slow: {boot: 30m, offers: [{price: 0.1}]}
  dear: {offers: [{price: 2}]}
commits: [{${files(pool('nodes: 1'), service('web', 'one', ON_POOL))}}]
duration: 40m`);
    fine(played);
    expect(told(played, /machine-(created|ready)|replica-ready/)).toEqual([
      '0 machine-created pool-m1',
      '605 machine-created pool-m2',
      '635 machine-ready pool-m2',
      '647 replica-ready web-1',
    ]);
  });
});

describe('the pool of idle machines', () => {
  const idle = (duration: string, more = '') => `
commits:
  - {${files(service('web', 'one', duration))}}
  - {at: 10m, ${files(service('web', 'two', duration))}}
  - {at: 12m, ${files(service('web', 'three', duration))}}
${more}
duration: 1h`;

  test('keeps what a service with an `idle_duration` leaves, for so long, for its next replica', async () => {
    const played = await play(idle(', idle_duration: 10m'));
    fine(played);
    expect(told(played, /machine-(created|lent|stopped)/)).toEqual([
      '0 machine-created idle-m1',
      '600 machine-created idle-m2',
      '720 machine-lent idle-m1',
      '1338 machine-stopped idle-m2',
    ]);
    expect(told(played, /replica-ready/)).toEqual([
      '42 replica-ready web-1',
      '642 replica-ready web-2',
      '722 replica-ready web-3',
    ]);
  });

  test('keeps it for 5 minutes where the file says 5m, which is no different from another duration', async () => {
    const played = await play(idle(', idle_duration: 5m'));
    fine(played);
    expect(told(played, /machine-stopped/)).toEqual(['1038 machine-stopped idle-m2']);
  });

  test('keeps it for ever where the file says off', async () => {
    const played = await play(idle(', idle_duration: off'));
    fine(played);
    expect(told(played, /machine-stopped/)).toEqual([]);
    expect(played.summary.services.web?.live).toBe(1);
  });

  test('is there for services alone that say so: without it, a machine ends with what runs on it', async () => {
    const played = await play(idle(''));
    fine(played);
    expect(told(played, /machine-/)).toEqual([]);
    expect(told(played, /replica-stopped/)).toEqual([
      '658 replica-stopped web-1',
      '778 replica-stopped web-2',
    ]);
  });

  test('is shared by all who say so, whatever they are called', async () => {
    const played = await play(`
commits:
  - {${files(service('web', 'one', ', idle_duration: 30m'))}}
  - {at: 5m, ${files(service('api', 'one', ', idle_duration: 5m'))}}
  - {at: 10m, remove: api.dstack.yml}
  - {at: 12m, ${files(service('db', 'one', ', idle_duration: 5m'))}}
  - {at: 20m, remove: db.dstack.yml}
duration: 40m`);
    fine(played);
    expect(told(played, /machine-(lent|created|stopped)/)).toEqual([
      '0 machine-created idle-m1',
      '300 machine-created idle-m2',
      '720 machine-lent idle-m2',
      '1506 machine-stopped idle-m2',
    ]);
  });

  test('gives no machine that is not what the next asks for', async () => {
    const played = await play(`
backends: {cloud: {offers: [{price: 1}, {instance: large, cpu: 64, price: 5}]}}
commits:
  - {${files(service('web', 'one', ', idle_duration: 1h'))}}
  - {at: 5m, ${files(service('web', 'two', ', idle_duration: 1h, resources: {cpu: 32..}'))}}
duration: 20m`);
    fine(played);
    expect(told(played, /machine-(lent|created)/)).toEqual([
      '0 machine-created idle-m1',
      '300 machine-created idle-m2',
    ]);
  });
});

describe('the file of a fleet', () => {
  test('that is gone while it is used leaves what runs alone, and ends the machines that are idle', async () => {
    const played = await play(`
commits:
  - {${files(pool('nodes: 2'), service('web', 'one', ON_POOL))}}
  - {at: 10m, remove: pool.dstack.yml}
  - {at: 30m, remove: web.dstack.yml}
traffic: {web: [{from: 2m, to: 29m, rps: 5}]}
expect: [{at: 29m, services: {web: {ready: 1, live: 1}}}]
duration: 40m`);
    fine(played);
    expect(played.summary.requests.failed).toBe(0);
    expect(told(played, /machine-(stopped|created)/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '605 machine-stopped pool-m2',
      '1806 machine-stopped pool-m1',
    ]);
    expect(played.summary.converged).not.toBeNull();
  });

  test('that is gone gives a replica that dies no other machine, and says why', async () => {
    const played = await play(`
commits:
  - {${files(pool('nodes: 1'), service('web', 'one', ON_POOL))}}
  - {at: 10m, remove: pool.dstack.yml}
replicas: {"web#1": {crash_after: 20m}}
duration: 40m`);
    fine(played);
    expect(played.web).toMatchObject({ status: 'failed', ready: 0 });
    expect(played.web?.waiting).toMatchObject([
      { reason: 'dependency', detail: 'no file declares the fleet `pool`' },
    ]);
  });

  test('with mistakes keeps the last good one, and says so', async () => {
    const played = await play(`
commits:
  - {${files(pool('nodes: 2'), service('web', 'one', ON_POOL))}}
  - {at: 10m, ${files(pool('nodez: 3'))}}
  - {at: 20m, ${files(pool('nodes: 3'))}}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-(created|stopped)/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '1200 machine-created pool-m3',
    ]);
    const [invalid] = played.story.filter(
      ({ event, service: of }) => event === 'invalid' && of === 'fleet:pool',
    );
    expect(invalid?.reason).toMatch(/^pool.dstack.yml:3:1 .*nodez.*; the last good spec stays$/);
  });

  test('of a name that another claims as well changes nothing, until one of them is gone', async () => {
    const played = await play(`
commits:
  - {${files(pool('nodes: 1'))}}
  - {at: 10m, ${files('other.dstack.yml: {type: fleet, name: pool, nodes: 3}')}}
  - {at: 20m, remove: pool.dstack.yml}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-(created|stopped)/)).toEqual([
      '0 machine-created pool-m1',
      '1200 machine-created pool-m2',
      '1200 machine-created pool-m3',
    ]);
    const [invalid] = played.story.filter(
      ({ event, service: of }) => event === 'invalid' && of === 'fleet:pool',
    );
    expect(invalid?.reason).toContain('the fleet `pool` is also declared by');
  });

  test('with fewer nodes ends idle machines at once, and used ones when they are free', async () => {
    const played = await play(`
commits:
  - {${files(pool('nodes: 3'), service('web', 'one', `, replicas: 2${ON_POOL}`))}}
  - {at: 10m, ${files(pool('nodes: 1'))}}
  - {at: 20m, ${files(service('web', 'one', ON_POOL))}}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-stopped/)).toEqual([
      '605 machine-stopped pool-m3',
      '1206 machine-stopped pool-m2',
    ]);
    expect(played.web).toMatchObject({ status: 'running', ready: 1, minReady: 1 });
  });

  test('with another placement replaces idle machines, and used ones when they are free', async () => {
    const played = await play(`
backends: {cloud: {offers: [{price: 1}, {instance: large, price: 2}]}}
commits:
  - {${files(pool('nodes: 2'), service('web', 'one', ON_POOL))}}
  - {at: 10m, ${files(pool('nodes: 2, instance_types: [large]'))}}
  - {at: 20m, ${files(service('web', 'two', ON_POOL))}}
duration: 30m`);
    fine(played);
    expect(told(played, /machine-(created|stopped|lent)/)).toEqual([
      '0 machine-created pool-m1',
      '0 machine-created pool-m2',
      '30 machine-lent pool-m1',
      '605 machine-stopped pool-m2',
      '605 machine-created pool-m3',
      '1200 machine-lent pool-m3',
      '1228 machine-stopped pool-m1',
      '1228 machine-created pool-m4',
    ]);
    expect(played.web).toMatchObject({ status: 'running', deployment: 2, minReady: 1 });
  });

  test('that names a backend which is not configured says what it waits for, and so do its services', async () => {
    const played = await play(`
commits: [{${files(pool('nodes: 1, backends: [aws]'), service('web', 'one', ON_POOL))}}]
duration: 10m`);
    fine(played);
    expect(played.web).toMatchObject({ status: 'starting', ready: 0 });
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'capacity',
        detail: 'no backend offers what both it and the fleet pool ask for: on aws, on-demand',
      },
    ]);
  });

  test('that gives machines which are there already is refused, and a service says so', async () => {
    const played = await play(`
commits: [{${files(pool('ssh_config: {user: me, identity_file: ~/.ssh/id, hosts: [10.0.0.1]}'), service('web', 'one', ON_POOL))}}]
duration: 10m`);
    fine(played);
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'dependency',
        detail: 'fleet pool: machines that are there already (`ssh_config`) cannot be used yet',
      },
    ]);
  });
});
