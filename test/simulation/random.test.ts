// Random worlds: commits of good, crashing, slow and sick versions, lost machines, an unreliable cloud, killed daemons,
// sleeping laptops. At every moment the rules hold (`world.ts` and `plan/check` look); when the trouble ends, what was
// asked last runs.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Behaviour } from '../../backends/fake/machine.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { behaving, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const KINDS: readonly (readonly [string, Partial<Behaviour>])[] = [
  ['good', {}],
  ['slow', { startMs: 45_000 }],
  ['crashing', { startMs: null, exitsAfterMs: 400 }],
  ['sick', { healthy: () => false }],
  ['flapping', { healthy: (ms) => Math.floor(ms / 7_000) % 3 !== 2 }],
  ['stubborn', { stopsAfterMs: null }],
];

const versions = Array.from({ length: 18 }, (_, i) => {
  const [kind, behaviour] = KINDS[i % KINDS.length] ?? ['good', {}];
  return { desired: web(`${kind}-${i}`, 1 + (i % 3), { readyMs: 40_000, startMs: 90_000 }), behaviour };
});

const happening = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), version: fc.nat(versions.length - 1) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 100, max: 120_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), after: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), which: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('sleep' as const),
      ms: fc.integer({ min: 20_000, max: 7_200_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unreliable' as const), percent: fc.nat(40) }) },
);

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

test('whatever happens, the rules hold; and when it ends, what was asked last runs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { minLength: 3, maxLength: 14 }),
      fc.nat(),
      async (happenings, seed) => {
        const world = await simulate({
          seed,
          bootMs: 300,
          behaviour: behaving(versions.map((v) => [v.desired, v.behaviour])),
        });
        for (const each of happenings) await happen(world, each);
        world.cloud.unreliable(0);
        const last = web('last', 2);
        await world.commit(last);
        await world.runUntil('the last commit runs', runs(last), 7_200_000);
        expect(await served(world)).toEqual([shapeOf(last), shapeOf(last)]);
        const alive = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
        expect(alive.length).toBe(2);
        const broken = await world.store.events({ project: 'main', service: 'web', limit: 100_000 });
        expect(
          broken.filter(({ event, reason }) => event === 'failure' && reason.includes('broke a rule')),
        ).toEqual([]);
      },
    ),
    {
      numRuns: Number(process.env.TRUEUP_WORLDS ?? 60),
      seed: Number(process.env.TRUEUP_SEED ?? 20_261_121),
      endOnFailure: true,
    },
  );
}, 240_000);

const runs = (desired: DesiredService) => (state: ServiceState | null) =>
  state?.status === 'running' &&
  state.target === state.good &&
  state.deployments.find(({ number }) => number === state.good)?.revision === desired.revision;

async function happen(world: World, each: Happening): Promise<void> {
  switch (each.kind) {
    case 'commit':
      return world.commit(versions[each.version]?.desired ?? null);
    case 'wait':
      return world.run(each.ms);
    case 'kill':
      return world.killAt(world.crossed.length + each.after);
    case 'sleep':
      return world.sleep(each.ms);
    case 'unreliable':
      return world.cloud.unreliable(each.percent / 100);
    case 'crash':
    case 'lose':
      return harm(world, each.kind, each.which);
  }
}

function harm(world: World, kind: 'crash' | 'lose', which: number): void {
  const alive = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
  const machine = alive[which % Math.max(1, alive.length)];
  if (!machine) return;
  if (kind === 'crash') world.cloud.crash(machine.id, 1);
  else world.cloud.lose(machine.id);
}
