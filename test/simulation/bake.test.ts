// Revisions that become ready and end soon after: what `rollout.bake` and a moment of watching make of them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Behaviour } from '../../backends/fake/machine.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { play } from './scenarios.ts';
import { behaving, isRunning, PROBE, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const MINUTE = 60_000;
const ends = (exitsAfterMs: number): Partial<Behaviour> => ({ exitsAfterMs });
const [one, bad, fixed] = [web('one'), web('bad'), web('fixed')];

const hasFailed = (state: ServiceState | null) => state?.rollout?.outcome === 'failed';
const isBack = (state: ServiceState | null) =>
  state?.status === 'degraded' &&
  state.waiting.every(({ reason }) => reason === 'quarantine') &&
  state.replicas.every(({ deployment }) => deployment === 1);

async function deployed(world: World, desired = one, number = 1): Promise<void> {
  await world.commit(desired);
  await world.runUntil(`deployment ${number} runs`, isRunning(number));
}

describe('a deployment whose rollout is done', () => {
  test('fails after all when three of its replicas end soon after they were ready', async () => {
    const world = await simulate({ behaviour: behaving([[bad, ends(90_000)]]) });
    await deployed(world);
    await deployed(world, bad, 2);
    const failed = await world.runUntil('it fails', hasFailed);
    expect(failed?.rollout).toMatchObject({ from: 1, to: 2, exits: 3 });
    expect(failed?.rollout?.reason).toMatch(
      /^3 candidates ended soon after they were ready; the last one exited/,
    );
    const state = await world.runUntil('deployment 1 is back', isBack);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
    expect(state?.status).toBe('degraded');
    expect(state?.waiting.map(({ reason }) => reason)).toEqual(['quarantine']);
    await world.run(60 * MINUTE);
    expect((await world.state())?.lastReplica).toBe(state?.lastReplica);
  });

  test('is let go on by less than that, by lost machines, and by what ends late', async () => {
    const world = await simulate();
    await deployed(world);
    await deployed(world, fixed, 2);
    const alive = () => world.cloud.machines().filter(({ endedAt }) => endedAt === null);
    for (let lost = 0; lost < 5; lost++) {
      world.take(alive()[0]?.id ?? '');
      await world.run(20_000);
    }
    for (let exits = 0; exits < 2; exits++) {
      world.cloud.crash(alive()[0]?.id ?? '', 1);
      await world.run(20_000);
    }
    await world.run(10 * MINUTE);
    for (let exits = 0; exits < 4; exits++) {
      world.cloud.crash(alive()[0]?.id ?? '', 1);
      await world.run(20_000);
    }
    const state = await world.runUntil('it is well again', isRunning(2));
    expect(state?.quarantine).toBeNull();
    expect(state?.deployments.map(({ number }) => number)).toEqual([2]);
  });

  test('is not blamed for what the one before it did as well', async () => {
    const world = await simulate({
      behaviour: behaving([
        [one, ends(150_000)],
        [bad, ends(150_000)],
      ]),
    });
    await deployed(world);
    await world.run(6 * MINUTE);
    await world.commit(bad);
    await world.run(20 * MINUTE);
    const state = await world.state();
    expect(state?.target).toBe(2);
    expect(state?.quarantine).toBeNull();
  });

  test('is kept for as long as none of its replicas holds out, however long that takes', async () => {
    const [slow, slowBad] = [web('one', 1), web('bad', 1)];
    const world = await simulate({ bootMs: 4 * MINUTE, behaviour: behaving([[slowBad, ends(100_000)]]) });
    await deployed(world, slow);
    await deployed(world, slowBad, 2);
    const state = await world.runUntil('it fails', hasFailed);
    expect(state?.target).toBe(1);
  });

  test('of which something is known already is not what the next failure returns to', async () => {
    const worse = web('worse');
    const behaviour = behaving([
      [bad, ends(100_000)],
      [worse, { startMs: null, exitsAfterMs: 300 }],
    ]);
    const world = await simulate({ behaviour });
    await deployed(world);
    await deployed(world, bad, 2);
    await world.runUntil('a replica has ended', (state) => (state?.rollout?.exits ?? 0) > 0);
    await world.commit(worse);
    await world.runUntil('it failed', hasFailed);
    await world.runUntil('deployment 1 is back', isBack);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
  });

  test('and failed is followed by the next commit at once', async () => {
    const world = await simulate({ behaviour: behaving([[bad, ends(20_000)]]) });
    await deployed(world);
    await world.commit(bad);
    await world.runUntil('it fails', hasFailed);
    await deployed(world, fixed, 3);
    expect(await served(world)).toEqual([shapeOf(fixed), shapeOf(fixed)]);
  });

  test('has nothing to return to if it is the first, or if `bake` is off', async () => {
    const off = [web('one', 2, { bakeMs: 0 }), web('bad', 2, { bakeMs: 0 })] as const;
    const world = await simulate({ behaviour: behaving([[off[1], ends(90_000)]]) });
    await deployed(world, off[0]);
    await deployed(world, off[1], 2);
    await world.run(20 * MINUTE);
    expect((await world.state())?.target).toBe(2);
    const first = await simulate({ behaviour: behaving([[bad, ends(20_000)]]) });
    await first.commit(bad);
    await first.run(20 * MINUTE);
    expect(await first.state()).toMatchObject({ target: 1, quarantine: null });
  });

  test('that sleeps is tried when it wakes', async () => {
    const sleeper = (command: string) =>
      `{type: service, name: web, port: 8000, commands: [${command}], replicas: 0..1, scaling: {metric: rps, target: 5}}`;
    const { web: last } = await play(`
commits:
  - {files: {web.dstack.yml: ${sleeper('one')}}}
  - {at: 20m, files: {web.dstack.yml: ${sleeper('two')}}}
replicas: {web@2: {start: never, crash_after: 1s}}
traffic: {web: [{from: 1m, to: 2m, rps: 1}, {from: 40m, to: 50m, rps: 1}]}
duration: 55m`);
    expect(last).toMatchObject({ deployment: 1, ready: 1, status: 'degraded' });
    expect(last?.rollout).toMatchObject({ to: 2, outcome: 'failed' });
  });
});

describe('of the candidates of a rollout', () => {
  test('the first is watched: if it ends seconds after it was ready, no old one has left, and it says so', async () => {
    for (const probes of [[], [PROBE]]) {
      const [good, brief] = [web('one', 3, {}, probes), web('brief', 3, {}, probes)];
      const world = await simulate({ behaviour: behaving([[brief, ends(9_000)]]) });
      await deployed(world, good);
      await world.commit(brief);
      const texts = new Set<string>();
      await world.runUntil('it fails', (state) => {
        const old = state?.replicas.filter(({ shape }) => shape === shapeOf(good)) ?? [];
        expect(old.map(({ name, phase }) => [name, phase])).toEqual([
          ['web-1', 'ready'],
          ['web-2', 'ready'],
          ['web-3', 'ready'],
        ]);
        for (const { detail } of state?.waiting ?? []) texts.add(detail);
        return hasFailed(state);
      });
      expect(texts).toContain(
        'it is the first of its kind: it is watched for a moment before another leaves because of it',
      );
    }
  });

  test.each([0, 1])(
    'the first is watched before there are fewer of them, too, with %i allowed to be missing',
    async (unavailable) => {
      const policy = { unavailable };
      const world = await simulate({ behaviour: behaving([[web('brief', 1, policy), ends(9_000)]]) });
      await deployed(world, web('one', 6, policy));
      await world.commit(web('brief', 1, policy));
      await world.runUntil('it fails', (state) => {
        const old = state?.replicas.filter(({ deployment, phase }) => deployment === 1 && phase === 'ready');
        expect(old?.length).toBeGreaterThanOrEqual(6 - unavailable);
        return hasFailed(state);
      });
    },
  );

  test('the first of each group is watched before a group that is gone leaves', async () => {
    const { web: last, summary } = await play(`
commits:
  - files: {web.dstack.yml: &web {type: service, name: web, port: 80, groups: [{name: a, replicas: 3, commands: [a]}]}}
  - {at: 5m, files: {web.dstack.yml: {<<: *web, groups: [{name: b, replicas: 2, commands: [b]}, {name: c, replicas: 1, commands: [c]}]}}}
replicas: {web@2: {crash_after: 8s}}
traffic: {web: {from: 2m, rps: 10}}
duration: 15m`);
    expect(last).toMatchObject({ deployment: 1, ready: 3, minReady: 3 });
    expect(summary.requests.failed).toBe(0);
  });

  test('all are watched from the beginning where the same failed before and is tried again', async () => {
    const again = { ...bad, digest: 'its policy has changed', revision: 'again' };
    const world = await simulate({ behaviour: behaving([[bad, ends(40_000)]]) });
    await deployed(world);
    await world.commit(bad);
    await world.runUntil('it fails', hasFailed);
    await world.runUntil('deployment 1 is back', isBack);
    await world.commit(again);
    await world.runUntil('it is tried again', (state) => state?.rollout?.outcome === 'rolling');
    const texts = new Set<string>();
    const failed = await world.runUntil('it fails again', (state) => {
      for (const { detail } of state?.waiting ?? []) texts.add(detail);
      const serving = state?.replicas.filter(
        ({ shape, phase }) => shape === shapeOf(one) && phase === 'ready',
      );
      expect(serving?.length).toBe(2);
      return hasFailed(state);
    });
    expect([...texts].join()).toContain('it has failed before: it is watched for a moment');
    const ended = failed?.failures.filter(({ deployment }) => deployment === 3);
    expect(failed?.rollout?.reason).toContain(`it has failed before, and ${ended?.length} candidates ended`);
  });

  test('those after the first replace the old ones as soon as they are ready', async () => {
    const world = await simulate();
    await deployed(world, web('one', 6));
    const begun = world.now();
    await deployed(world, web('two', 6), 2);
    expect(world.now() - begun).toBeLessThan(45_000);
  });
});

describe('a revision whose replicas are ready at first, and then fail their probes', () => {
  const files = (version: string) =>
    `{type: service, name: web, port: 80, commands: [${version}], replicas: 3, probes: [{type: http, url: /}]}`;
  const run = (behaviour: string, policy = '') =>
    play(`
commits:
  - files: {trueup.yml: {rollout: {${policy}}}, web.dstack.yml: ${files('v1')}}
  - {at: 10m, files: {web.dstack.yml: ${files('v2')}}}
replicas: {web@2: ${behaviour}}
traffic: {web: {from: 3m, rps: 5}}
duration: 2h`);

  test('fails, and no more old ones leave for it than had left before', async () => {
    const { web: last, summary } = await run('{unhealthy_after: 20s}');
    expect(last).toMatchObject({ deployment: 1, ready: 3, minReady: 2, status: 'degraded' });
    expect(last?.rollout?.reason).toMatch(
      /^2 candidates did not become or stay ready; the last one was not ready for 5 min: its probe fails/,
    );
    expect(summary.requests.failed).toBe(0);
  });

  test('fails after all when that shows only once the rollout is done', async () => {
    const { web: last } = await run('{unhealthy_after: 4m}');
    expect(last).toMatchObject({ deployment: 1, ready: 3, status: 'degraded' });
    expect(last?.rollout).toMatchObject({ to: 2, outcome: 'failed' });
  });

  test('is not failed for a moment of weakness', async () => {
    const { web: last } = await run('{flaps: {every: 20s, for: 6s}}', 'liveness: 2m');
    expect(last).toMatchObject({ deployment: 2, rollout: { outcome: 'done' } });
  });
});

describe('once a candidate has ended after it was ready', () => {
  test('the next are watched for a minute before an old one leaves, and it says so', async () => {
    const world = await simulate({ bootMs: 50_000, behaviour: behaving([[bad, ends(40_000)]]) });
    await deployed(world);
    await world.commit(bad);
    let least = 2;
    const texts = new Set<string>();
    await world.runUntil('deployment 1 is back', (state) => {
      const serving = state?.replicas.filter(({ phase }) => phase === 'ready').length ?? 0;
      least = Math.min(least, serving);
      for (const { detail } of state?.waiting ?? []) texts.add(detail);
      return isBack(state);
    });
    expect(least).toBe(1);
    expect(texts).toContain(
      'one before it ended: it is watched for a moment before another leaves because of it',
    );
  });

  test('the rollout still comes to its end', async () => {
    let made = 0;
    const flaky = web('flaky', 3);
    const world = await simulate({
      behaviour: (shape) => (shape === shapeOf(flaky) && made++ === 0 ? ends(20_000) : {}),
    });
    await deployed(world, web('one', 3));
    await deployed(world, flaky, 2);
    expect(await served(world)).toEqual(Array(3).fill(shapeOf(flaky)));
  });
});

test('whenever its replicas end soon, the one before serves in the end; and a good one is never held back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        count: fc.integer({ min: 1, max: 4 }),
        surge: fc.integer({ min: 0, max: 3 }),
        unavailable: fc.integer({ min: 0, max: 2 }),
        exitsAfterMs: fc.option(fc.integer({ min: 100, max: 4 * MINUTE })),
        bootMs: fc.integer({ min: 100, max: 2 * MINUTE }),
        seed: fc.nat(1_000),
      }),
      async ({ count, surge, unavailable, exitsAfterMs, bootMs, seed }) => {
        const policy = { surge: unavailable === 0 ? Math.max(1, surge) : surge, unavailable };
        const [before, after] = [web('one', count, policy), web('bad', count, policy)];
        const world = await simulate({
          seed,
          bootMs,
          behaviour: behaving(exitsAfterMs === null ? [] : [[after, ends(exitsAfterMs)]]),
        });
        await deployed(world, before);
        await world.commit(after);
        const expected = exitsAfterMs === null ? after : before;
        await world.runUntil(
          'it is decided',
          (state) =>
            state?.rollout?.outcome === (exitsAfterMs === null ? 'done' : 'failed') &&
            state.replicas.length === count &&
            state.replicas.every(({ phase, shape }) => phase === 'ready' && shape === shapeOf(expected)),
        );
      },
    ),
    { numRuns: Number(process.env.TRUEUP_WORLDS ?? 15), seed: Number(process.env.TRUEUP_SEED ?? 5) },
  );
}, 120_000);

test('fewer replicas of what is good already need no watching: the rollout is done when the others are gone', async () => {
  const world = await simulate();
  await deployed(world, web('one', 3));
  await world.commit(web('one', 1));
  const done = await world.runUntil(
    'deployment 2 is done',
    (state) => state?.rollout?.outcome === 'done' && state.target === 2,
  );
  expect(done?.replicas).toHaveLength(1);
  expect(world.now() - (done?.rollout?.startedAt ?? 0)).toBeLessThan(10_000);
});
