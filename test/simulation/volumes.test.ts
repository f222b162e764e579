// Services with volumes: scenarios as users write them; and what no scenario can do to a volume.
import { describe, expect, test } from 'vitest';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { DesiredVolume, VolumeState } from '../../schemas/volume.ts';
import { service as desiredService, group, LOCAL } from '../plan/samples.ts';
import { play } from './scenarios.ts';
import { isRunning, PROBE } from './services.ts';
import { simulate, type World } from './world.ts';

const PROBES = 'probes: [{type: http, url: /, interval: 5s, ready_after: 1}]';
const service = (name: string, version: string, more = ', volumes: ["data:/data"]') =>
  `${name}.dstack.yml: {type: service, name: ${name}, port: 80, commands: [serve ${version}], ${PROBES}${more}}`;
const volume = (name: string, more = 'size: 100GB', where = 'backend: aws, region: east') =>
  `${name}.dstack.yml: {type: volume, name: ${name}, ${where}, ${more}}`;
const files = (...all: readonly string[]) => `files: {${all.join(', ')}}`;
const POLICY = 'trueup.yml: {rollout: {surge: 0, unavailable: 1}}';
const AWS = 'backends: {aws: {offers: [{region: west, price: 1}, {region: east, price: 2}]}}';

type Played = Awaited<ReturnType<typeof play>>;

const told = ({ story }: Played, events: RegExp): string[] =>
  story
    .filter(({ event }) => events.test(event))
    .map(({ t, event, replica, service: of }) => `${Math.round(t)} ${event} ${replica ?? of}`);
const fine = ({ summary, strays }: Played) => {
  const { violations, leaked, unmet } = summary;
  expect({ violations, leaked, unmet, strays }).toEqual({ violations: [], leaked: 0, unmet: [], strays: [] });
};

describe('a volume', () => {
  test('is there before the service that names it, which runs where it is', async () => {
    const played = await play(`${AWS}
commits: [{${files(volume('data'), service('web', 'one'))}}]
duration: 10m`);
    fine(played);
    expect(told(played, /volume-ready|replica-created/)).toEqual([
      '0 volume-ready volume:data',
      '0 replica-created web-1',
    ]);
    const [created] = played.story.filter(({ event }) => event === 'replica-created');
    expect(created?.reason).toBe('web-1 on aws (east) for deployment 1');
  });

  test('that no file declares is waited for, with its name, and found when its file comes', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(service('web', 'one'))}}
  - {at: 1h, ${files(volume('data'))}}
expect: [{at: 30m, services: {web: {waiting: [dependency]}}}, {services: {web: {status: running}}}]
duration: 2h`);
    fine(played);
    expect(told(played, /volume-ready|replica-ready/)).toEqual([
      '3600 volume-ready volume:data',
      '3642 replica-ready web-1',
    ]);
  });

  test('without a size, and without an id, is not made; the service says why', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(volume('data', 'tags: {}'), service('web', 'one'))}}
  - {at: 20m, ${files(volume('data'))}}
expect: [{at: 19m, services: {web: {waiting: [dependency]}}}, {services: {web: {status: running}}}]
duration: 40m`);
    fine(played);
  });

  test('whose id is not to be found is waited for, and no other is made in its place', async () => {
    const played = await play(`${AWS}
commits: [{${files(volume('data', 'volume_id: vol-7'), service('web', 'one'))}}]
duration: 40m`);
    fine(played);
    expect(told(played, /volume-ready/)).toEqual([]);
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'dependency',
        detail: 'volume data is not there yet: there is no volume vol-7 in aws (east)',
      },
    ]);
  });

  test('of a backend that is not configured says so', async () => {
    const played = await play(`
commits: [{${files(volume('data'), service('web', 'one'))}}]
duration: 10m`);
    fine(played);
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'dependency',
        detail: 'volume data is not there yet: backend aws is not configured: no volume can be had there',
      },
    ]);
  });

  test('in a region where nothing is sold says so', async () => {
    const played = await play(`${AWS}
commits: [{${files(volume('data'), service('web', 'one', ', regions: [west], volumes: ["data:/data"]'))}}]
duration: 10m`);
    fine(played);
    expect(played.web?.waiting).toMatchObject([
      { reason: 'capacity', detail: 'its volume data is in aws (east), where it may not run' },
    ]);
  });
});

describe('a rollout of a service with a volume', () => {
  const rollout = (more = '') => `${AWS}
commits:
  - {${files(volume('data'), service('web', 'one'))}}
  - {at: 10m, ${files(service('web', 'two'))}}
${more}
traffic: {web: [{from: 2m, rps: 5}]}
duration: 40m`;

  test('waits while the old replica holds it, says what would help, and the old one goes on serving', async () => {
    const played = await play(rollout());
    fine(played);
    expect(played.web).toMatchObject({ status: 'rolling', ready: 1, minReady: 1, requests: { failed: 0 } });
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'cannot-surge',
        detail:
          'there is no room for one more beside the 1 that serve: volume data is held by web-1: one machine at a time can hold it; `unavailable: 1` in trueup.yml lets it go on with one replica less for a while',
      },
    ]);
    expect(played.web?.next).toBe('Make room for one more replica, or allow `unavailable: 1` in trueup.yml.');
  });

  test('goes on once one may be missing', async () => {
    const played = await play(rollout(`  - {at: 20m, ${files(POLICY)}}`));
    fine(played);
    expect(told(played, /replica-/)).toEqual([
      '0 replica-created web-1',
      '42 replica-ready web-1',
      expect.stringMatching(/^120\d replica-draining web-1$/),
      expect.stringMatching(/^120\d replica-stopped web-1$/),
      expect.stringMatching(/^120\d replica-created web-2$/),
      expect.stringMatching(/^124\d replica-ready web-2$/),
    ]);
    expect(played.web).toMatchObject({ status: 'running', deployment: 2 });
  });

  test('takes another volume of a list, where there is one that is free', async () => {
    const both = ', volumes: [{name: [data, more], path: /data}]';
    const played = await play(`${AWS}
commits:
  - {${files(volume('data'), volume('more'), service('web', 'one', both))}}
  - {at: 10m, ${files(service('web', 'two', both))}}
  - {at: 20m, ${files(service('web', 'three', both))}}
duration: 40m`);
    fine(played);
    expect(played.web).toMatchObject({ status: 'running', deployment: 3, minReady: 1, maxLive: 2 });
  });
});

describe('several volumes', () => {
  test('of one name in several regions put the service where one of them is', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(
    volume('one', 'size: 1GB'),
    volume('two', 'size: 1GB', 'backend: aws, region: west'),
    service('web', 'a', ', replicas: 2, volumes: [{name: [one, two], path: /data}]'),
  )}}
duration: 10m`);
    fine(played);
    const created = played.story.filter(({ event }) => event === 'replica-created');
    expect(created.map(({ reason }) => reason)).toEqual([
      'web-1 on aws (west) for deployment 1',
      'web-2 on aws (east) for deployment 1',
    ]);
    expect(played.web).toMatchObject({ status: 'running', ready: 2 });
  });

  test('that a machine must hold together are chosen from one place', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(
    volume('one', 'size: 1GB'),
    volume('two', 'size: 1GB', 'backend: aws, region: west'),
    volume('log', 'size: 1GB'),
    service('web', 'a', ', volumes: [{name: [one, two], path: /data}, "log:/log"]'),
  )}}
duration: 10m`);
    fine(played);
    const [created] = played.story.filter(({ event }) => event === 'replica-created');
    expect(created?.reason).toBe('web-1 on aws (east) for deployment 1');
  });

  test('that are nowhere together are waited for', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(
    volume('two', 'size: 1GB', 'backend: aws, region: west'),
    volume('log', 'size: 1GB'),
    service('web', 'a', ', volumes: ["two:/data", "log:/log"]'),
  )}}
duration: 10m`);
    fine(played);
    expect(played.web?.waiting).toMatchObject([
      {
        reason: 'capacity',
        detail: 'its volumes are in different places: no machine can hold them together',
      },
    ]);
  });

  test('that another service holds are waited for, and had when that is gone', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(volume('data'), service('one', 'a'))}}
  - {at: 5m, ${files(service('two', 'a'))}}
  - {at: 20m, remove: one.dstack.yml}
expect: [{at: 19m, services: {two: {waiting: [capacity]}}}, {services: {two: {status: running}}}]
duration: 40m`);
    fine(played);
  });
});

test('of two services that want a volume at the same moment one has it, and no machine is bought for the other', async () => {
  const played = await play(`${AWS}
commits:
  - {${files(volume('data'), service('one', 'a'), service('two', 'a'))}}
  - {at: 20m, remove: one.dstack.yml}
expect: [{at: 19m, services: {one: {status: running}, two: {maxLive: 0, waiting: [capacity]}}}, {services: {two: {ready: 1}}}]
duration: 40m`);
  fine(played);
});

describe('the file of a volume', () => {
  test('that is gone keeps the volume and who uses it, and one that comes back finds it', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(POLICY, volume('data'), service('web', 'one'))}}
  - {at: 10m, remove: data.dstack.yml}
  - {at: 20m, ${files(service('web', 'two'))}}
  - {at: 30m, ${files(volume('data'))}}
expect: [{at: 29m, services: {web: {status: running, deployment: 2}}}]
duration: 40m`);
    fine(played);
    expect(told(played, /volume-/)).toEqual(['0 volume-ready volume:data']);
  });

  test('that asks for another size changes nothing, and is told', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(volume('data'), service('web', 'one'))}}
  - {at: 10m, ${files(volume('data', 'size: 200GB'))}}
duration: 20m`);
    fine(played);
    expect(told(played, /volume-|replica-/)).toEqual([
      '0 volume-ready volume:data',
      '0 replica-created web-1',
      '42 replica-ready web-1',
    ]);
  });
});

describe('on a fleet', () => {
  const fleet = 'pool.dstack.yml: {type: fleet, name: pool, nodes: 2, regions: [east]}';
  const both = ', fleets: [pool], volumes: ["data:/data"]';

  test('a volume goes from machine to machine with who needs it, and with nobody else', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(POLICY, fleet, volume('data'), service('web', 'one', both))}}
  - {at: 10m, ${files(service('web', 'two', both))}}
  - {at: 20m, remove: web.dstack.yml}
  - {at: 30m, ${files(service('api', 'one', ', replicas: 2, fleets: [pool]'))}}
  - {at: 40m, remove: api.dstack.yml}
  - {at: 50m, ${files(service('db', 'one', both))}}
expect:
  - {at: 19m, services: {web: {status: running, deployment: 2}}}
  - {at: 39m, services: {api: {status: running}}}
  - {at: 59m, services: {db: {status: running}}}
duration: 1h`);
    fine(played);
    expect(told(played, /failure/)).toEqual([]);
    expect(told(played, /machine-created/)).toHaveLength(2);
  });

  test('that is elsewhere a service with a volume waits, and says why', async () => {
    const played = await play(`${AWS}
commits:
  - {${files(fleet.replace('east', 'west'), volume('data'), service('web', 'one', both))}}
duration: 10m`);
    fine(played);
    expect(played.web?.waiting).toMatchObject([
      { reason: 'capacity', detail: 'nothing can be what both the service and the fleet pool ask for' },
    ]);
  });
});

const data = (more: Partial<DesiredVolume['spec']> = {}): DesiredVolume => ({
  file: 'data.dstack.yml',
  commit: 'c0ffee',
  spec: {
    name: 'data',
    backend: 'local',
    region: 'local',
    zone: null,
    sizeGib: 10,
    existing: null,
    refusal: null,
    ...more,
  },
  problems: [],
});
const web = (version: string) => {
  const groups = [group({}, { commands: [version], volumes: [{ name: 'data', path: '/data' }] })];
  return desiredService('web', { version }, { groups, probes: [PROBE] });
};
const volumeIn = async (world: World) =>
  (await world.store.load('main/volume:data'))?.state as VolumeState | null | undefined;
const mountedIn = (state: ServiceState | null) => state?.replicas.map(({ offer }) => offer.mounted?.[0]?.id);

describe('a volume that is lost', () => {
  test('is told of, and nothing new runs without it until its file changes; what runs goes on', async () => {
    const world = await simulate({ clouds: [{ name: 'local', offers: [LOCAL] }] });
    await world.declare('volume:data', data());
    await world.commit(web('one'));
    const state = await world.runUntil('it runs', isRunning(1));
    const id = mountedIn(state)?.[0] ?? '';
    world.cloud.loseDisk(id);
    await world.run(600_000);
    expect(await volumeIn(world)).toMatchObject({ phase: 'lost', id });
    expect((await world.state())?.status).toBe('running');
    world.take(world.cloud.live()[0]?.id ?? '');
    await world.run(600_000);
    expect((await world.state())?.waiting).toMatchObject([
      {
        reason: 'dependency',
        detail: `volume data is not there yet: ${id} is gone from local (local), and what was on it; change its file to have a new one made`,
      },
    ]);
    await world.declare('volume:data', data({ sizeGib: 20 }));
    await world.runUntil('it runs again', isRunning(1));
    expect(await volumeIn(world)).toMatchObject({ phase: 'ready', spec: { sizeGib: 20 } });
  });
});

describe('a volume that was there already', () => {
  test('is used by its id, and never made', async () => {
    const world = await simulate({ clouds: [{ name: 'local', offers: [LOCAL] }] });
    const tags = { owner: 'somebody', project: 'else', volume: 'old' };
    const old = await world.cloud.disks?.create({ tags, region: 'local', zone: null, sizeGib: 5 });
    await world.declare('volume:data', data({ existing: old?.id ?? '' }));
    await world.commit(web('one'));
    const state = await world.runUntil('it runs', isRunning(1));
    expect(mountedIn(state)).toEqual([old?.id]);
    expect(await world.cloud.disks?.list('me')).toEqual([]);
  });
});
