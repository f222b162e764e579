// The daemon dies at every boundary between intent, effect and record, one run per crossing; each time a new one
// takes over, and the world must end exactly as it would have: what is wanted runs, once, and nothing else.
import { describe, expect, test } from 'vitest';
import { BOUNDARIES } from '../../reconciler/boundary.ts';
import { behaving, isRunning, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const [one, two, bad] = [web('one'), web('two'), web('bad')];

/** A first deployment, a rolling update, one that fails, and the end of the service. */
async function story(world: World): Promise<void> {
  await world.commit(one);
  await world.runUntil('deployment 1 runs', isRunning(1));
  await world.commit(two);
  await world.runUntil('deployment 2 runs', isRunning(2));
  await world.commit(bad);
  await world.runUntil(
    'deployment 3 failed',
    (state) => state?.rollout?.outcome === 'failed' && state.replicas.length === 2,
  );
  expect(await served(world)).toEqual([shapeOf(two), shapeOf(two)]);
  await world.commit(null);
  await world.runUntil('the service is gone', (state) => state === null);
}

const open = () =>
  simulate({ bootMs: 500, behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 300 }]]) });

/** Of the pass; those of the source are crossed where the source is real. */
const OF_THE_PASS = BOUNDARIES.filter(
  (name) => !['source-read', 'desired-unsaved', 'desired-saved'].includes(name),
);

/** How many crossings the story has today: fewer would mean that a boundary is no longer looked at. */
const CROSSINGS_AT_LEAST = 600;

describe('a crash', () => {
  test('at any boundary loses nothing, doubles nothing and leaves nothing behind', async () => {
    const whole = await open();
    await story(whole);
    const crossings = whole.crossed.length;
    console.log(`crash campaign: ${crossings} crossings of ${new Set(whole.crossed).size} boundaries`);
    expect([...new Set(whole.crossed)].toSorted()).toEqual(OF_THE_PASS.toSorted());
    expect(crossings).toBeGreaterThanOrEqual(CROSSINGS_AT_LEAST);
    for (let crossing = 0; crossing < crossings; crossing++) {
      const world = await open();
      world.killAt(crossing);
      await story(world).catch((error: unknown) => {
        throw new Error(`killed at crossing ${crossing} (${whole.crossed[crossing]}): ${error}`);
      });
      const left = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
      expect(left, `left over after a kill at crossing ${crossing} (${whole.crossed[crossing]})`).toEqual([]);
    }
  }, 300_000);

  test('does not make clients see fewer ready replicas than an update allows', async () => {
    const crossings = (await crossingsOfUpdate()).length;
    for (let crossing = 0; crossing < crossings; crossing += 3) {
      const world = await open();
      await world.commit(one);
      await world.runUntil('deployment 1 runs', isRunning(1));
      world.killAt(world.crossed.length + crossing);
      await world.commit(two);
      await world.runUntil('deployment 2 runs', (state) => {
        expect(world.table()?.routes[0]?.replicas.length, `crossing ${crossing}`).toBeGreaterThanOrEqual(2);
        return isRunning(2)(state);
      });
    }
  }, 120_000);
});

async function crossingsOfUpdate(): Promise<readonly string[]> {
  const world = await open();
  await world.commit(one);
  await world.runUntil('deployment 1 runs', isRunning(1));
  const before = world.crossed.length;
  await world.commit(two);
  await world.runUntil('deployment 2 runs', isRunning(2));
  return world.crossed.slice(before);
}
