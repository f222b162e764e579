// The daemon dies at every boundary of the passes of a fleet, a volume and the services on them; each time a new one takes
// over, and the world must end exactly as it would have: nothing lost, doubled or left behind, and nobody's process hurt.
import { describe, expect, test } from 'vitest';
import { BOUNDARIES, type Boundary } from '../../reconciler/boundary.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';
import { fleet, fleetIn, guest, machinesOf, serviceIn, volume, volumeIn } from './around.ts';
import { isRunning } from './services.ts';
import { START, simulate, type World } from './world.ts';

const ONE_AT_A_TIME = { surge: 0, unavailable: 1 };
const web = (version: string) => guest({ version, volumes: ['data'], policy: ONE_AT_A_TIME });
const api = guest({ name: 'api', version: 'one' });

/**
 * A fleet of three machines and a volume, and a service on both beside another; the first gets a new version, for which
 * the volume goes to another machine; then the file of the fleet is gone, and in the end the services are. `begin` is
 * called before each part.
 */
async function story(world: World, begin: () => void = () => {}): Promise<void> {
  begin();
  await world.declare('fleet:pool', fleet({ nodes: { min: 3, target: 3, max: 3 } }));
  await world.declare('volume:data', volume());
  await world.commit(api, 'api');
  await world.commit(web('one'));
  await world.runUntil('deployment 1 runs', isRunning(1));
  await until(world, 'api runs', (state) => isRunning(1)(state));
  const [kept] = (await serviceIn(world, 'api'))?.replicas ?? [];
  begin();
  await world.commit(web('two'));
  await world.runUntil('deployment 2 runs', isRunning(2));
  expect(machinesOf(world)).toHaveLength(3);
  begin();
  await world.declare('fleet:pool', null);
  await world.commit(null);
  await world.runUntil('the service is gone', (state) => state === null);
  await world.run(60_000);
  expect((await serviceIn(world, 'api'))?.replicas).toMatchObject([{ name: kept?.name, phase: 'ready' }]);
  expect(machinesOf(world)).toHaveLength(1);
  begin();
  await world.commit(null, 'api');
  await until(world, 'api is gone', (state) => state === null);
  for (const end = world.now() + 600_000; await fleetIn(world); await world.run(1_000))
    if (world.now() > end) throw new Error(`the fleet is left: ${JSON.stringify(await fleetIn(world))}`);
}

async function until(world: World, what: string, holds: (state: ServiceState | null) => boolean) {
  for (const end = world.now() + 3_600_000; ; await world.run(500)) {
    const state = await serviceIn(world, 'api');
    if (holds(state)) return;
    if (world.now() > end) throw new Error(`not in time: ${what} ${JSON.stringify(state?.waiting)}`);
  }
}

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
    expect(machinesOf(world)).toEqual([]);
    expect(await world.cloud.disks?.list('me')).toMatchObject([{ tags: { volume: 'data' } }]);
    expect(await volumeIn(world)).toMatchObject({ phase: 'ready' });
  } catch (error) {
    throw new Error(`killed at ${number} in each part (${died().join(', ')}): ${error}`);
  }
  return died();
}

const open = () =>
  simulate({
    clouds: [{ name: 'local', offers: [LOCAL], bootMs: 500, diskMs: 300 }],
    flows: ['main/web', 'main/api'].map((key) => ({
      key,
      from: START,
      to: Number.POSITIVE_INFINITY,
      rps: [2, 2],
      requestMs: 300,
    })),
  });

const ELSEWHERE = ['source-read', 'desired-unsaved', 'desired-saved'];
const OF_THE_PASSES = BOUNDARIES.filter((name) => !ELSEWHERE.includes(name));

/** How many there are today: fewer would mean that a boundary is no longer looked at. */
const CROSSINGS_AT_LEAST = 700;

describe('a crash with a fleet and a volume', () => {
  test('at any boundary loses nothing, doubles nothing, leaves nothing behind and hurts nobody', async () => {
    const whole = await open();
    await story(whole);
    expect([...new Set(whole.crossed)].toSorted()).toEqual(OF_THE_PASSES.toSorted());
    const deaths: Boundary[] = [];
    for (let number = 0; ; number++) {
      const died = await storyWithDeaths(number);
      if (died.length === 0) break;
      deaths.push(...died);
    }
    console.log(`crash campaign around: ${deaths.length} deaths at ${new Set(deaths).size} boundaries`);
    expect([...new Set(deaths)].toSorted()).toEqual(OF_THE_PASSES.toSorted());
    expect(whole.crossed.length).toBeGreaterThanOrEqual(CROSSINGS_AT_LEAST);
    expect(deaths.length).toBeGreaterThanOrEqual(CROSSINGS_AT_LEAST);
  }, 600_000);
});
