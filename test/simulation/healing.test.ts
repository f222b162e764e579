// After the rollout: what dies, drifts, is taken away or stops answering is seen, told, and replaced; and nothing else.
import { describe, expect, test } from 'vitest';
import type { DesiredService, RetrySpec } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';
import { isRunning, PROBE, served, shapeOf, web } from './services.ts';
import { simulate, type World, type WorldOptions } from './world.ts';

const HOUR = 3_600_000;
const SPOT: Offer = { ...LOCAL, backend: 'cloud', spot: true };

/** One that may run on spot instances. */
function onSpot(version: string): DesiredService {
  const base = web(version);
  const groups = base.spec.groups.map((group) => ({
    ...group,
    placement: { ...group.placement, spotPolicy: 'auto' as const },
  }));
  return { ...base, spec: { ...base.spec, groups } };
}

async function running(first = web('one'), options: WorldOptions = {}): Promise<World> {
  const world = await simulate(options);
  await world.commit(first);
  await world.runUntil('deployment 1 runs', isRunning(1));
  return world;
}

async function replicaOf(world: World, index = 0): Promise<Replica> {
  const replica = (await world.state())?.replicas[index];
  if (!replica) throw new Error('there is no such replica');
  return replica;
}

async function eventsOf(world: World): Promise<string[]> {
  const events = await world.store.events({ project: 'main', service: 'web', limit: 1000 });
  return events.map(({ event, reason }) => `${event} ${reason}`);
}

const isWhole = (last: number) => (state: ServiceState | null) =>
  state?.status === 'running' && state.lastReplica >= last && state.replicas.length === 2;

/** The fewest that clients reached until `until` held. */
async function leastUntil(world: World, what: string, until: (state: ServiceState | null) => boolean) {
  let least = Number.POSITIVE_INFINITY;
  const state = await world.runUntil(what, (now) => {
    least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
    return until(now);
  });
  return { least, state };
}

describe('a replica', () => {
  test('that exits with 0 is replaced like any other', async () => {
    const world = await running(web('one', 1), {
      behaviour: (_, replica) => (replica === 'web-1' ? { exitsAfterMs: 200_000, exitCode: 0 } : {}),
    });
    const state = await world.runUntil(
      'another one runs',
      (now) => now?.lastReplica === 2 && now.status === 'running',
    );
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-2']);
    expect(state?.failures.at(-1)?.reason).toMatch(/exited with code 0/);
  });

  test('whose instance is gone is told as lost, and replaced', async () => {
    const world = await running();
    world.take((await replicaOf(world)).instance ?? '');
    await world.runUntil('two run again', isWhole(3));
    expect(await eventsOf(world)).toContain('replica-lost web-1: its instance is gone');
  });

  test('whose instance will be taken away serves until another one does', async () => {
    const world = await running(onSpot('one'), {
      clouds: [{ name: 'cloud', offers: [SPOT], bootMs: 20_000 }],
    });
    world.take((await replicaOf(world)).instance ?? '', 120_000);
    const { least, state } = await leastUntil(world, 'two others run', isWhole(3));
    expect(least).toBe(2);
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-2', 'web-3']);
    expect(await eventsOf(world)).toContain('replica-interrupted web-1: its instance is being taken away');
  });

  test('that is taken away in a rollout is not held against the new revision', async () => {
    const two = onSpot('two');
    const world = await running(onSpot('one'), {
      clouds: [{ name: 'cloud', offers: [SPOT], bootMs: 5_000 }],
      behaviour: (shape) => (shape === shapeOf(two) ? { startMs: 20_000 } : {}),
    });
    await world.commit(two);
    for (let n = 0; n < 4; n++) {
      const { replicas = [] } =
        (await world.runUntil('a candidate starts', (now) => now?.replicas.some(isStarting(two)) ?? false)) ??
        {};
      world.take(replicas.find(isStarting(two))?.instance ?? '', n % 2 === 0 ? 0 : 3_000);
      await world.run(10_000);
    }
    const state = await world.runUntil('deployment 2 runs', isRunning(2));
    expect(state?.rollout).toMatchObject({ exits: 0, unready: 0 });
  });

  test('whose instance somebody has edited is told as drifted, and replaced before it goes', async () => {
    const world = await running();
    const { instance } = await replicaOf(world);
    world.retag(instance ?? '', { shape: 'edited' });
    world.wake();
    const { least, state } = await leastUntil(world, 'two others run', isWhole(3));
    expect(least).toBe(2);
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-2', 'web-3']);
    expect((await eventsOf(world)).find((text) => text.startsWith('drift'))).toMatch(
      /tagged as shape edited/,
    );
  });

  test('whose instance now bears another owner is let go, and never touched again', async () => {
    const world = await running();
    const { instance } = await replicaOf(world);
    world.retag(instance ?? '', { owner: 'somebody else' });
    world.wake();
    await world.runUntil('two run again', isWhole(3));
    await world.run(HOUR);
    const machine = world.cloud.machines().find(({ id }) => id === instance);
    expect(machine?.endedAt).toBeNull();
  });

  test('that somebody is stopping gets no more requests while it ends', async () => {
    const world = await running(web('one'), { behaviour: () => ({ stopsAfterMs: 8_000 }) });
    const { instance, name } = await replicaOf(world);
    const machine = await world.cloud.get(instance ?? '');
    if (!machine) throw new Error(`${name} has no machine`);
    await world.cloud.transport(machine).stop();
    world.wake();
    await world.runUntil('it is out of the routes', () => !routed(world).includes(name), 3_000);
    await world.runUntil('two run again', isWhole(3));
  });

  test('whose machine the cloud does not give back is paid for no longer than need be', async () => {
    const world = await running(web('one', 1));
    world.cloud.inject({ operation: 'terminate', kind: 'transient', effect: 'before', times: 12 });
    await world.commit(null);
    await world.runUntil('it is gone', (now) => now === null, 10 * 60_000);
  });

  test('that ignores even SIGKILL is ended with its machine', async () => {
    const [one, two] = [web('one'), web('two')];
    const world = await running(one, {
      behaviour: (shape) => (shape === shapeOf(one) ? { stopsAfterMs: null } : {}),
    });
    world.cloud.inject({ operation: 'stop', kind: 'bug', effect: 'before', times: 10_000 });
    await world.commit(two);
    await world.runUntil('deployment 2 runs', isRunning(2));
    expect(await served(world)).toEqual([shapeOf(two), shapeOf(two)]);
  });
});

test('a cloud that cannot be reached takes nothing out of the routes, and nothing is made anew', async () => {
  const from = 1_700_000_000_000 + 120_000;
  const world = await running(web('one'), {
    clouds: [
      {
        name: 'local',
        offers: [LOCAL],
        windows: [
          {
            from,
            to: from + HOUR,
            kind: 'transient',
            operations: null,
            probability: 1,
            effect: 'before',
            concerns: null,
            callMs: 0,
            retryAfterMs: 0,
            isHidden: false,
          },
        ],
      },
    ],
  });
  await world.run(HOUR / 2);
  expect(routed(world)).toEqual(['web-1', 'web-2']);
  const state = await world.state();
  expect(state?.waiting.map(({ reason, subject }) => [reason, subject])).toEqual([
    ['backend', 'web-1'],
    ['backend', 'web-2'],
  ]);
  await world.run(HOUR);
  expect((await world.state())?.replicas.map(({ name, phase }) => [name, phase])).toEqual([
    ['web-1', 'ready'],
    ['web-2', 'ready'],
  ]);
});

describe('readiness', () => {
  test('comes back, and the replica with it', async () => {
    const world = await running(web('one'), {
      behaviour: (_, replica) => (replica === 'web-1' ? { healthy: (ms) => ms < 30_000 || ms > 60_000 } : {}),
    });
    await world.runUntil('one is unready', (now) => now?.replicas[0]?.phase === 'unready');
    await world.run(500);
    expect(routed(world)).toEqual(['web-2']);
    await world.runUntil('it is ready again', (now) => now?.replicas[0]?.phase === 'ready');
    await world.run(500);
    expect(routed(world)).toEqual(['web-1', 'web-2']);
    expect((await world.state())?.lastReplica).toBe(2);
  });

  test('that is gone for too long has them replaced, never more at once than may be missing', async () => {
    for (const unavailable of [0, 2]) {
      const one = web('one', 4, { livenessMs: 30_000, unavailable });
      const world = await running(one, {
        behaviour: (_, replica) =>
          Number(replica.slice(4)) <= 4 ? { healthy: (ms: number) => ms < 20_000 } : {},
      });
      let most = 0;
      await world.runUntil('all four were replaced', (now) => {
        const leaving =
          now?.replicas.filter(({ name, leaving }) => leaving !== '' && Number(name.slice(4)) <= 4) ?? [];
        most = Math.max(most, leaving.filter(({ phase }) => phase === 'unready').length);
        return now?.status === 'running' && now.replicas.every(({ number }) => number > 4);
      });
      expect(most).toBe(Math.max(1, unavailable));
    }
  });
});

describe('`retry`', () => {
  const limited = (retry: RetrySpec, version = 'one') => {
    const one = web(version, 1);
    return { ...one, spec: { ...one.spec, retry } };
  };
  const dies = { behaviour: () => ({ exitsAfterMs: 90_000 }) };

  test('that does not name an event leaves it at that, and says so', async () => {
    const world = await running(limited({ on: ['interruption'], durationMs: HOUR }), dies);
    const state = await world.runUntil('it is given up', (now) => now?.waiting.length === 1);
    expect(state?.status).toBe('failed');
    expect(state?.waiting).toEqual([
      expect.objectContaining({
        reason: 'hold',
        detail: '`retry` is for interruption only, and this is error',
      }),
    ]);
    await world.run(HOUR);
    expect((await world.state())?.lastReplica).toBe(1);
    expect((await eventsOf(world)).filter((text) => text.startsWith('retry-over'))).toHaveLength(1);
    await world.commit(limited({ on: ['error'], durationMs: HOUR }, 'two'));
    await world.runUntil('it runs again', isRunning(2));
  });

  test('that gave up is tried again when anything of the file changes, be it a comment', async () => {
    const one = limited({ on: ['interruption'], durationMs: HOUR });
    const world = await running(one, dies);
    await world.runUntil('it is given up', (now) => now?.waiting[0]?.reason === 'hold');
    await world.commit({ ...one, digest: 'with a comment' });
    await world.runUntil('another one is made', (now) => now?.lastReplica === 2);
  });

  test('counts from the beginning of each incident, not from that of the service', async () => {
    const world = await running(limited({ on: ['error'], durationMs: 60_000 }), dies);
    const isLate = (now: ServiceState | null) => now?.status === 'running' && now.lastReplica > 20;
    await world.runUntil('it was healed for long', isLate, 3 * HOUR);
  });

  test('is over when one incident lasts longer than it allows', async () => {
    const one = limited({ on: ['error'], durationMs: 300_000 });
    let fails = false;
    const world = await running(one, {
      behaviour: () => (fails ? { startMs: null, exitsAfterMs: 500 } : { exitsAfterMs: 90_000 }),
    });
    fails = true;
    await world.run(HOUR);
    const state = await world.state();
    expect(state?.status).toBe('failed');
    expect(state?.waiting[0]?.detail).toBe('`retry` gave up 5m after the error');
  });

  test('holds for want of capacity too, and counts from when it was wanted', async () => {
    const clouds = [{ name: 'cloud', offers: [SPOT], capacity: () => 0 }];
    const world = await simulate({ clouds });
    await world.commit(limited({ on: ['no-capacity'], durationMs: 600_000 }));
    await world.run(300_000);
    expect((await world.state())?.waiting[0]?.reason).toBe('capacity');
    await world.run(HOUR);
    expect((await world.state())?.waiting[0]?.detail).toBe('`retry` gave up 10m after the no-capacity');
  });

  test('that is only `true`, or is not there, limits nothing', async () => {
    const world = await running(web('one', 1), dies);
    await world.run(6 * HOUR);
    expect((await world.state())?.lastReplica).toBeGreaterThan(50);
  });
});

const isStarting =
  (desired: { readonly shapes: { readonly [group: string]: string } }) =>
  ({ shape, phase }: Replica): boolean =>
    shape === desired.shapes['0'] && phase === 'starting';

const routed = (world: World) => world.table()?.routes[0]?.replicas.map(({ name }) => name) ?? [];

test('probes that a file no longer has end with it: what runs stays', async () => {
  const world = await running(web('one', 2, {}, [PROBE]));
  await world.commit(web('one', 2, {}, []));
  const state = await world.runUntil('deployment 2 runs', isRunning(2));
  expect(state?.replicas.map(({ name, probes }) => [name, probes.length])).toEqual([
    ['web-1', 0],
    ['web-2', 0],
  ]);
});

test('what could not be started for long is given back as soon as nobody wants it', async () => {
  const world = await simulate();
  world.cloud.inject({ operation: 'run', kind: 'transient', effect: 'before', times: 1_000 });
  await world.commit(web('one', 1));
  await world.run(9 * 60_000);
  expect((await world.state())?.replicas).toMatchObject([{ phase: 'starting' }]);
  await world.commit(null);
  await world.runUntil('nothing is left', (state) => state === null, 5_000);
  expect(world.cloud.live()).toEqual([]);
});
