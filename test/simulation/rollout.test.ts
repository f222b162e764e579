// Rollouts in a simulated world: the real pass and decision on a virtual clock.
import { describe, expect, test } from 'vitest';
import type { Behaviour } from '../../backends/fake/machine.ts';
import { statusOf } from '../../reconciler/plan/explain.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import { group, service } from '../plan/samples.ts';
import { play } from './scenarios.ts';
import { behaving, isRunning, PROBE, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

async function running(world: World, first: DesiredService): Promise<void> {
  await world.commit(first);
  await world.runUntil('the first deployment runs', isRunning(1));
}

function inGroups(...names: readonly string[]): DesiredService {
  const groups = names.map((name) => group({ name, replicas: { min: 2, max: 2 } }));
  return service('web', { groups: [...names] }, { groups, probes: [PROBE] });
}

describe('a rollout', () => {
  test('replaces every replica, one after the other, and never serves from fewer than wanted', async () => {
    const [one, two] = [web('one', 3), web('two', 3)];
    const world = await simulate();
    await running(world, one);
    await world.commit(two);
    let least = Number.POSITIVE_INFINITY;
    const state = await world.runUntil('deployment 2 runs', (now) => {
      least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
      return isRunning(2)(now);
    });
    expect(least).toBe(3);
    expect(await served(world)).toEqual(Array(3).fill(shapeOf(two)));
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-4', 'web-5', 'web-6']);
  });

  test('lets the old replica with the highest number go first', async () => {
    const [one, two] = [web('one', 3), web('two', 3)];
    const world = await simulate();
    await running(world, one);
    await world.commit(two);
    const left: string[] = [];
    await world.runUntil('deployment 2 runs', (now) => {
      for (const { name, phase } of now?.replicas ?? [])
        if (phase === 'draining' && !left.includes(name)) left.push(name);
      return isRunning(2)(now);
    });
    expect(left).toEqual(['web-3', 'web-2', 'web-1']);
  });

  test('is gone on with where it was killed: a candidate that was just made is known, also to what supersedes it', async () => {
    const world = await simulate({ bootMs: 5_000 });
    await running(world, web('one'));
    const before = world.crossed.length;
    await world.commit(web('two'));
    while (!world.crossed.slice(before).includes('create:before')) await world.run(100);
    const crossing = world.crossed.indexOf('create:after', before);
    const again = await simulate({ bootMs: 5_000 });
    await running(again, web('one'));
    again.killAt(crossing);
    await again.commit(web('two'));
    await again.run(1_000);
    await again.commit(web('three'));
    await again.runUntil(
      'the last commit runs',
      (now) => now?.status === 'running' && now.good === now.lastDeployment && now.lastDeployment > 1,
    );
    const events = await again.store.events({ project: 'main', service: 'web', limit: 1000 });
    expect(events.filter(({ event }) => event === 'failure' || event === 'orphan-removed')).toEqual([]);
    expect(await served(again)).toEqual([shapeOf(web('three')), shapeOf(web('three'))]);
  });

  test('that crashes three times is rolled back: the old replicas are never touched', async () => {
    const [one, bad] = [web('one'), web('bad')];
    const world = await simulate({ behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 300 }]]) });
    await running(world, one);
    const before = (await world.state())?.replicas.map(({ name }) => name);
    await world.commit(bad);
    const state = await world.runUntil(
      'it failed',
      (now) => now?.rollout?.outcome === 'failed' && now.replicas.length === 2,
    );
    expect(state?.replicas.map(({ name }) => name)).toEqual(before);
    expect(state?.status).toBe('degraded');
    expect(state?.rollout?.reason).toMatch(/3 candidates ended/);
    expect(state?.waiting.map(({ reason }) => reason)).toEqual(['quarantine']);
    await world.run(3_600_000);
    expect((await world.state())?.lastReplica).toBe(state?.lastReplica);
  });

  test('that was rolled back still says how many replicas it was to have', async () => {
    const [one, bad] = [web('one', 2), web('bad', 3)];
    const world = await simulate({
      behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 2_000 }]]),
    });
    await running(world, one);
    await world.commit(bad);
    const state = await world.runUntil(
      'the rollout failed, and nothing of it is left',
      (now) => now?.rollout?.outcome === 'failed' && now.replicas.every(({ deployment }) => deployment === 1),
    );
    const record = { service: bad, removed: false, problems: [] };
    const view = statusOf({ name: 'web', record, state, url: '', now: world.now() }, String);
    expect(view).toMatchObject({ deployment: 1, desired: 2, rollout: { to: 2, ready: 0, desired: 3 } });
  });

  test('whose probes never succeed fails after two candidates', async () => {
    const [one, bad] = [web('one'), web('bad', 2, { readyMs: 30_000 })];
    const world = await simulate({ behaviour: behaving([[bad, { healthy: () => false }]]) });
    await running(world, one);
    await world.commit(bad);
    const state = await world.runUntil('it failed', (now) => now?.rollout?.outcome === 'failed');
    expect(state?.rollout?.unready).toBe(2);
    expect(state?.failures.at(-1)?.reason).toMatch(/did not become ready within 30 s: its probe fails: 503/);
  });

  test('whose probes need longer than the deadline to succeed often enough is given that time', async () => {
    const patient = [{ ...PROBE, intervalMs: 5_000, readyAfter: 6 }];
    const [one, two] = [
      web('one', 1, { readyMs: 10_000 }, patient),
      web('two', 1, { readyMs: 10_000 }, patient),
    ];
    const world = await simulate();
    await running(world, one);
    await world.commit(two);
    const state = await world.runUntil('deployment 2 runs', isRunning(2));
    expect(state?.failures).toEqual([]);
  });

  test('that failed is tried again when the file changes, and not before', async () => {
    const [one, bad, fixed] = [web('one'), web('bad'), web('fixed')];
    const world = await simulate({ behaviour: behaving([[bad, { exitsAfterMs: 300, startMs: null }]]) });
    await running(world, one);
    await world.commit(bad);
    await world.runUntil('it failed', (now) => now?.rollout?.outcome === 'failed');
    await world.commit(bad);
    await world.run(60_000);
    expect((await world.state())?.lastDeployment).toBe(2);
    await world.commit(fixed);
    await world.runUntil('deployment 3 runs', isRunning(3));
    expect(await served(world)).toEqual([shapeOf(fixed), shapeOf(fixed)]);
  });

  test('is superseded at once by a newer commit', async () => {
    const [one, slow, three] = [web('one'), web('slow'), web('three')];
    const world = await simulate({ behaviour: behaving([[slow, { startMs: 300_000 }]]) });
    await running(world, one);
    await world.commit(slow);
    await world.runUntil(
      'a candidate starts',
      (now) => now?.replicas.some(({ shape }) => shape === shapeOf(slow)) ?? false,
    );
    await world.commit(three);
    await world.runUntil('deployment 3 runs', isRunning(3), 120_000);
    expect(await served(world)).toEqual([shapeOf(three), shapeOf(three)]);
  });

  test('that is reverted half way keeps the replicas that already are what is asked', async () => {
    const [one, two] = [web('one', 3), web('two', 3)];
    const world = await simulate({ behaviour: behaving([[two, { startMs: 20_000 }]]) });
    await running(world, one);
    await world.commit(two);
    await world.runUntil(
      'one was replaced',
      (now) => now?.replicas.some((r) => r.shape === shapeOf(two) && r.phase === 'ready') ?? false,
    );
    await world.commit(one);
    const state = await world.runUntil('deployment 3 runs', isRunning(3));
    const numbers = state?.replicas.map(({ number }) => number) ?? [];
    expect(numbers.filter((number) => number <= 3).length).toBeGreaterThanOrEqual(2);
    expect(await served(world)).toEqual(Array(3).fill(shapeOf(one)));
  });

  test('of other probes replaces no replica: the new ones are tried beside the old', async () => {
    const one = web('one');
    const other = web('one', 2, {}, [{ ...PROBE, url: '/other', readyAfter: 3 }]);
    const world = await simulate();
    await running(world, one);
    const before = (await world.state())?.replicas.map(({ name }) => name);
    await world.commit(other);
    const state = await world.runUntil('deployment 2 runs', isRunning(2));
    expect(state?.replicas.map(({ name }) => name)).toEqual(before);
    expect(state?.replicas.every(({ probes }) => probes[0]?.streak === 3)).toBe(true);
  });

  test('that scales down and changes waits until the new shape has proven itself', async () => {
    const [one, bad] = [web('one', 3), web('bad', 1)];
    const world = await simulate({ behaviour: behaving([[bad, { exitsAfterMs: 300, startMs: null }]]) });
    await running(world, one);
    await world.commit(bad);
    await world.runUntil(
      'it failed',
      (now) => now?.rollout?.outcome === 'failed' && now.replicas.length === 3,
    );
    expect(await served(world)).toEqual(Array(3).fill(shapeOf(one)));
  });

  test('with no surge and one allowed to be missing works within a full pool', async () => {
    const policy = { surge: 0, unavailable: 1 };
    const [one, two] = [web('one', 2, policy), web('two', 2, policy)];
    const world = await simulate({ capacity: 2 });
    await running(world, one);
    await world.commit(two);
    await world.runUntil('deployment 2 runs', isRunning(2));
    expect(await served(world)).toEqual([shapeOf(two), shapeOf(two)]);
  });

  test('waits, and says so, while there is no capacity for the surge', async () => {
    const [one, two] = [web('one'), web('two')];
    const world = await simulate({ capacity: 2 });
    await running(world, one);
    await world.commit(two);
    await world.run(600_000);
    const state = await world.state();
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
    expect(state?.status).toBe('rolling');
    expect(state?.waiting.length).toBeGreaterThan(0);
  });
});

describe('a service', () => {
  test('that cannot start at first is tried again for ever, with backoff, and is failed', async () => {
    const bad = web('bad', 1);
    const world = await simulate({ behaviour: behaving([[bad, { exitsAfterMs: 100, startMs: null }]]) });
    await world.commit(bad);
    const state = await world.runUntil('it is failed', (now) => now?.status === 'failed');
    expect(state?.quarantine).toBeNull();
    await world.run(3_600_000);
    const later = await world.state();
    expect(later?.lastReplica).toBeGreaterThan(8);
    expect(later?.lastReplica).toBeLessThan(25);
  });

  test('gets a dead replica replaced, and stays in the routes meanwhile', async () => {
    const one = web('one');
    const world = await simulate();
    await running(world, one);
    await world.run(120_000);
    world.cloud.crash((await world.state())?.replicas[0]?.instance ?? '', 137);
    let least = 2;
    const state = await world.runUntil('two are ready again', (now) => {
      least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
      return now?.lastReplica === 3 && now.replicas.length === 2 && now.status === 'running';
    });
    expect(least).toBe(1);
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-2', 'web-3']);
  });

  test('whose probes all begin to fail keeps its routes: some answer is better than none', async () => {
    const one = web('one');
    const world = await simulate({ behaviour: behaving([[one, { healthy: (ms) => ms < 60_000 }]]) });
    await running(world, one);
    await world.runUntil(
      'none is ready',
      (now) => now?.replicas.every(({ phase }) => phase === 'unready') ?? false,
    );
    await world.run(5_000);
    expect(world.table()?.routes[0]?.replicas.length).toBe(2);
  });

  test('loses a replica that stays unready for too long, and one at a time', async () => {
    const one = web('one', 2, { livenessMs: 60_000 });
    const behaviour = (_shape: string, replica: string): Partial<Behaviour> =>
      replica === 'web-1' || replica === 'web-2' ? { healthy: (ms) => ms < 30_000 } : {};
    const world = await simulate({ behaviour });
    await running(world, one);
    const state = await world.runUntil(
      'both were replaced',
      (now) => now?.status === 'running' && now.lastReplica >= 4 && now.replicas.length === 2,
    );
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-3', 'web-4']);
  });

  test('whose file is gone is ended, and nothing of it is left', async () => {
    const world = await simulate();
    await running(world, web('one'));
    await world.commit(null);
    await world.runUntil('it is gone', (now) => now === null);
    expect(world.cloud.machines().filter(({ endedAt }) => endedAt === null)).toEqual([]);
    expect(await world.store.load('main/web')).toBeNull();
  });

  test('whose file breaks keeps running as it was', async () => {
    const one = web('one');
    const world = await simulate();
    await running(world, one);
    const problem = {
      file: 'web.dstack.yml',
      line: 3,
      column: 1,
      path: 'comands',
      message: 'unknown key',
      fix: 'did you mean commands?',
      severity: 'error' as const,
    };
    await world.commitRecord('web', { service: one, removed: false, problems: [problem] });
    await world.run(60_000);
    const state = await world.state();
    expect(state?.status).toBe('invalid');
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
    expect(state?.waiting[0]?.detail).toMatch(/web.dstack.yml:3:1 unknown key/);
  });

  test('that failed is held where it is, but what dies is replaced by what is known to run', async () => {
    const [one, bad] = [web('one'), web('bad', 2, { onFailure: 'hold' })];
    const world = await simulate({ behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 300 }]]) });
    await running(world, one);
    await world.commit(bad);
    const held = await world.runUntil(
      'it is held',
      (now) => now?.rollout?.outcome === 'failed' && now.replicas.length === 2,
    );
    expect([held?.target, held?.waiting.map(({ reason }) => reason)]).toEqual([2, ['hold']]);
    world.cloud.crash(held?.replicas[0]?.instance ?? '', 1);
    const state = await world.runUntil(
      'two serve again',
      (now) => now?.replicas.filter(({ phase }) => phase === 'ready').length === 2 && now.lastReplica > 5,
    );
    expect(state?.waiting.map(({ reason }) => reason)).toContain('quarantine');
    await world.run(1_000);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
  });

  test('that failed and is held takes the place of nothing more, though one of it is ready', async () => {
    const { web, story } = await play(`
commits:
  - files:
      trueup.yml: {rollout: {on_failure: hold, unavailable: 1}}
      web.dstack.yml: {type: service, name: web, port: 80, commands: [v1], replicas: 3}
  - {at: 10m, files: {web.dstack.yml: {type: service, name: web, port: 80, commands: [v2], replicas: 3}}}
replicas: {web@2: {crash_after: 10s}}
duration: 1h`);
    const failedAt = story.findIndex(({ event }) => event === 'rollout-failed');
    expect(story[failedAt]?.reason).toMatch(/held where it is$/);
    const left = story.slice(failedAt).filter(({ event }) => event === 'replica-draining');
    expect(left).toEqual([]);
    expect(web).toMatchObject({ minReady: 2, ready: 3 });
  });

  test('is not blamed for replicas that had long been well, nor for an end that nobody saw', async () => {
    const [three, eight, other] = [web('one', 3), web('one', 8), web('two', 8)];
    const world = await simulate({ behaviour: behaving([[other, { startMs: 20_000 }]]) });
    const end = (code: number | null) => {
      const alive = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
      for (const { id } of code === null ? alive : alive.slice(0, 3)) world.cloud.crash(id, code);
    };
    await running(world, three);
    await world.run(120_000);
    await world.commit(eight);
    await world.run(300);
    end(137);
    await world.runUntil('deployment 2 runs', isRunning(2));
    await world.commit(other);
    for (let power = 0; power < 3; power++) {
      await world.run(10_000);
      end(null);
    }
    await world.runUntil('deployment 3 runs', isRunning(3));
    expect(await served(world)).toEqual(Array(8).fill(shapeOf(other)));
  });

  test('that finds no capacity says what it was told, and does not ask all the time', async () => {
    const world = await simulate({ capacity: 2 });
    await running(world, web('one'));
    await world.commit(web('two'));
    await world.run(3_600_000);
    const { waiting = [] } = (await world.state()) ?? {};
    expect(waiting.map(({ detail }) => detail)).toEqual([expect.stringMatching(/no local in local is left/)]);
    const events = await world.store.events({ project: 'main', service: 'web', limit: 1000 });
    expect(events.filter(({ event }) => event === 'failure').length).toBeLessThan(20);
  });

  test('waits for a proxy that does not take the table, and goes on when it does', async () => {
    const [one, two] = [web('one'), web('two', 2, { surge: 2 })];
    const world = await simulate({
      behaviour: (_, replica) => (replica === 'web-4' ? { startMs: 20_000 } : {}),
    });
    await running(world, one);
    world.deafen(true);
    await world.commit(two);
    await world.run(300_000);
    const stalled = await world.state();
    expect(stalled?.waiting.map(({ reason }) => reason)).toContain('publish');
    const old = stalled?.replicas.filter(({ shape }) => shape === shapeOf(one));
    expect(old?.map(({ phase }) => phase)).toEqual(['ready', 'ready']);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
    world.deafen(false);
    await world.runUntil('deployment 2 runs', isRunning(2), 60_000);
  });

  test('keeps what leaves until every proxy has let go of it', async () => {
    const [one, two] = [web('one', 1, { drainMs: 10_000 }), web('two', 1)];
    const world = await simulate();
    await running(world, one);
    await world.commit(two);
    await world.runUntil('the old one leaves', (now) => {
      const isLeaving = now?.replicas.some(({ phase }) => phase === 'draining') ?? false;
      if (isLeaving) world.deafen(true);
      return isLeaving;
    });
    await world.run(120_000);
    expect((await world.state())?.replicas.map(({ phase }) => phase)).toEqual(['draining', 'ready']);
    world.deafen(false);
    await world.runUntil('deployment 2 runs', isRunning(2), 60_000);
  });

  test('that was removed and comes back takes no name and token of its former life', async () => {
    const world = await simulate();
    await running(world, web('one', 1));
    await world.commit(null);
    await world.runUntil('it is gone', (now) => now === null);
    await running(world, web('one', 1));
    expect(new Set(world.cloud.machines().map(({ id }) => id)).size).toBe(2);
  });

  test('takes up what runs when the database was lost, be it what is asked for or not', async () => {
    for (const next of [web('one'), web('two')]) {
      const world = await simulate();
      const empty = world.store.snapshot();
      await running(world, web('one'));
      await world.commit(web('one', 3));
      await world.runUntil('deployment 2 runs', isRunning(2));
      world.store.restore(empty);
      await world.commit(next);
      const state = await world.runUntil('it runs', (now) => {
        const ready = now?.replicas.filter(({ phase }) => phase === 'ready' || phase === 'unready') ?? [];
        expect(now === null ? 2 : ready.length).toBeGreaterThanOrEqual(2);
        return now?.status === 'running';
      });
      expect(state?.lastDeployment).toBe(3);
      expect(await served(world)).toEqual([shapeOf(next), shapeOf(next)]);
      const kept = state?.replicas.filter(({ number }) => number <= 3).length;
      expect(kept).toBe(next.revision === web('one').revision ? 2 : 0);
      expect(world.cloud.machines().filter(({ endedAt }) => endedAt === null)).toHaveLength(2);
    }
  });

  test('to no replica at all and back works like any other', async () => {
    const world = await simulate();
    await running(world, web('one', 3));
    await world.commit(web('one', 0));
    await world.runUntil('nothing runs', (now) => now?.status === 'scaled-to-zero' && now.good === 2);
    expect(world.table()?.routes[0]?.replicas).toEqual([]);
    await world.commit(web('one', 2));
    await world.runUntil('deployment 3 runs', isRunning(3));
  });

  test('that renames a group serves from the old one until the new one does', async () => {
    const world = await simulate();
    await running(world, inGroups('a'));
    await world.commit(inGroups('b'));
    let least = 2;
    await world.runUntil('deployment 2 runs', (now) => {
      least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
      return isRunning(2)(now);
    });
    expect(least).toBe(2);
    expect(world.table()?.routes[0]?.replicas.map((replica) => replica.group)).toEqual(['b', 'b']);
  });

  test('of a rotated value in a probe is a deployment that replaces nothing', async () => {
    const one = web('one');
    const rotated: DesiredService = {
      ...one,
      digest: 'other',
      sealed: 'other',
      spec: { ...one.spec, probes: [{ ...PROBE, headers: [{ name: 'X-Key', value: 'mask:other' }] }] },
    };
    const world = await simulate();
    await running(world, one);
    await world.commit(rotated);
    const state = await world.runUntil('deployment 2 runs', isRunning(2));
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
    expect(state?.deployments.map(({ sealed }) => sealed)).toEqual(['other']);
  });

  test('that is the first and serves from some of its replicas is degraded while nothing is there for the others', async () => {
    const { web, story } = await play(`
backends: {cloud: {capacity: 3}}
commits: [{files: {web.dstack.yml: {type: service, name: web, port: 80, commands: [v1], replicas: 5}}}]
duration: 20m`);
    expect(web).toMatchObject({ ready: 3, desired: 5, status: 'degraded' });
    expect(web?.waiting?.map(({ reason }) => reason)).toEqual(['capacity']);
    const statuses = story.filter(({ event }) => event === 'status').map(({ reason }) => reason);
    expect(statuses).toEqual(['starting → degraded']);
  });

  test('that is the first and serves is not failed because one of its replicas ends again and again', async () => {
    const { web } = await play(`
commits: [{files: {web.dstack.yml: {type: service, name: web, port: 80, commands: [v1], replicas: 2}}}]
replicas: {web: {start: never, crash_after: 10s}, web#1: {start: 2s, crash_after: never}}
duration: 20m`);
    expect(web).toMatchObject({ ready: 1, status: 'degraded' });
  });

  test('that is the first and is refused by every machine has failed, and says why', async () => {
    const world = await simulate();
    world.cloud.inject({ operation: 'run', kind: 'invalid', effect: 'before', times: 1000 });
    await world.commit(web('one', 1));
    const state = await world.runUntil('it has failed', (now) => now?.status === 'failed');
    expect(state?.failures.at(-1)?.reason).not.toBe('');
    const backoff = await world.runUntil(
      'it waits',
      (now) => now?.waiting.some(({ reason }) => reason === 'backoff') ?? false,
    );
    expect(backoff?.waiting.map(({ detail }) => detail).join()).not.toMatch(/unknown/);
  });

  test('is not blamed for the time a laptop slept in mid-rollout', async () => {
    const [one, two] = [web('one', 2, { startMs: 60_000 }), web('two', 2, { startMs: 60_000 })];
    const world = await simulate({ behaviour: behaving([[two, { startMs: 40_000 }]]) });
    await running(world, one);
    await world.commit(two);
    await world.run(10_000);
    world.sleep(3_600_000);
    await world.runUntil('deployment 2 runs', isRunning(2));
    expect((await world.state())?.failures).toEqual([]);
  });
});
