// The daemon dies at every boundary between intent, effect and record; each time a new one takes over, and the world must end exactly as it would have: what is wanted runs, once, and nothing else.
import { describe, expect, test } from 'vitest';
import { BOUNDARIES, type Boundary } from '../../reconciler/boundary.ts';
import { behaving, isRunning, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const [one, two, bad] = [web('one'), web('two'), web('bad')];

/** A first deployment, a rolling update, one that fails, and the end of the service; `begin` is called before each. */
async function story(world: World, begin: () => void = () => {}): Promise<void> {
  begin();
  await world.commit(one);
  await world.runUntil('deployment 1 runs', isRunning(1));
  begin();
  await world.commit(two);
  await world.runUntil('deployment 2 runs', isRunning(2));
  begin();
  await world.commit(bad);
  await world.runUntil(
    'deployment 3 failed',
    (state) => state?.rollout?.outcome === 'failed' && state.replicas.length === 2,
  );
  expect(await served(world)).toEqual([shapeOf(two), shapeOf(two)]);
  begin();
  await world.commit(null);
  await world.runUntil('the service is gone', (state) => state === null);
}

/** The same, but in each part the daemon dies at the crossing with this number. Returns where it did. */
async function storyWithDeaths(number: number): Promise<Boundary[]> {
  const world = await open();
  const deaths: number[] = [];
  const died = () =>
    deaths.filter((at) => at < world.crossed.length).map((at) => world.crossed[at] as Boundary);
  try {
    await story(world, () => {
      // A part that is over before it has come so far leaves its death to the next.
      if ((deaths.at(-1) ?? -1) >= world.crossed.length) deaths.pop();
      deaths.push(world.crossed.length + number);
      world.killAt(world.crossed.length + number);
    });
  } catch (error) {
    throw new Error(`killed at ${number} in each part (${died().join(', ')}): ${error}`);
  }
  const left = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
  expect(left, `left over after kills at ${number} in each part (${died().join(', ')})`).toEqual([]);
  return died();
}

const open = () =>
  simulate({ bootMs: 500, behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 300 }]]) });

/** Of a service's pass; those of the source are crossed where the source is real, and only fleets clear machines. */
const ELSEWHERE = ['source-read', 'desired-unsaved', 'desired-saved', 'clear:before', 'clear:after'];
const OF_THE_PASS = BOUNDARIES.filter((name) => !ELSEWHERE.includes(name));

/** How many there are today: fewer would mean that a boundary is no longer looked at. */
const CROSSINGS_AT_LEAST = 600;

describe('a crash', () => {
  test('at any boundary loses nothing, doubles nothing and leaves nothing behind', async () => {
    const whole = await open();
    await story(whole);
    expect([...new Set(whole.crossed)].toSorted()).toEqual(OF_THE_PASS.toSorted());
    const deaths: Boundary[] = [];
    for (let number = 0; ; number++) {
      const died = await storyWithDeaths(number);
      if (died.length === 0) break;
      deaths.push(...died);
    }
    console.log(`crash campaign: ${deaths.length} deaths at ${new Set(deaths).size} boundaries`);
    expect([...new Set(deaths)].toSorted()).toEqual(OF_THE_PASS.toSorted());
    expect(whole.crossed.length).toBeGreaterThanOrEqual(CROSSINGS_AT_LEAST);
    expect(deaths.length).toBeGreaterThanOrEqual(CROSSINGS_AT_LEAST);
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
