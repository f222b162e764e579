// What a commit that only changes where a service may run does to the replicas it has, and what a failed candidate
// leaves behind for people to read.
import { describe, expect, test } from 'vitest';
import { whyOf } from '../../reconciler/plan/explain.ts';
import type { DesiredService, Placement } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import { group, LOCAL, service } from '../plan/samples.ts';
import { behaving, isRunning, PROBE, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const offer = (region: string, price: number): Offer => ({ ...LOCAL, backend: 'cloud', region, price });

/** Two replicas that may run at these places. */
function placed(placement: Partial<Placement>, version = 'one', probes = [PROBE]): DesiredService {
  const base = group({ replicas: { min: 2, max: 2 } }, { commands: [version] });
  const groups = [{ ...base, placement: { ...base.placement, ...placement } }];
  return service(
    'web',
    { version, placement: JSON.stringify(placement), probes: probes.map(({ url }) => url) },
    { groups, probes },
  );
}

/** One replica in each of two regions. */
async function spread(first = placed({})): Promise<World> {
  const world = await simulate({
    clouds: [
      {
        name: 'cloud',
        offers: [offer('asia', 1), offer('europe', 2)],
        capacity: ({ region }) => (region === 'asia' ? 1 : 9),
      },
    ],
  });
  await world.commit(first);
  await world.runUntil('deployment 1 runs', isRunning(1));
  return world;
}

const placesOf = async (world: World) =>
  (await world.state())?.replicas.map(({ name, offer: { region } }) => `${name} ${region}`);

describe('a change of the placement', () => {
  test('keeps the replicas that fit it, and replaces the others', async () => {
    const world = await spread();
    expect(await placesOf(world)).toEqual(['web-1 asia', 'web-2 europe']);
    await world.commit(placed({ regions: ['europe'] }));
    let least = 2;
    await world.runUntil('deployment 2 runs', (now) => {
      least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
      return isRunning(2)(now);
    });
    expect(least).toBe(2);
    expect(await placesOf(world)).toEqual(['web-2 europe', 'web-3 europe']);
  });

  test('that all fit is a deployment that replaces nothing', async () => {
    const world = await spread();
    await world.commit(placed({ maxPrice: 2 }));
    await world.runUntil('deployment 2 runs', isRunning(2), 10_000);
    expect(await placesOf(world)).toEqual(['web-1 asia', 'web-2 europe']);
  });

  test('together with other probes keeps them too, on trial', async () => {
    const world = await spread();
    await world.commit(placed({ regions: ['europe'] }, 'one', [{ ...PROBE, url: '/other' }]));
    await world.runUntil('deployment 2 runs', isRunning(2));
    expect(await placesOf(world)).toEqual(['web-2 europe', 'web-3 europe']);
  });

  test('that nothing on offer fits waits, says so, and leaves everything as it is', async () => {
    const world = await spread();
    await world.commit(placed({ regions: ['africa'] }));
    await world.run(600_000);
    const state = await world.state();
    expect(await placesOf(world)).toEqual(['web-1 asia', 'web-2 europe']);
    expect(state?.replicas.every(({ phase }) => phase === 'ready')).toBe(true);
    expect(state?.waiting.map(({ reason, detail }) => [reason, detail])).toEqual([
      ['cannot-surge', expect.stringContaining('no backend offers what the configuration asks for: ')],
    ]);
  });

  test('to a fleet that no file declares waits for it, and names it', async () => {
    const world = await simulate({ clouds: [{ name: 'cloud', offers: [] }] });
    await world.commit(placed({ fleets: ['pool'] }));
    await world.run(1_000);
    expect((await world.state())?.waiting).toMatchObject([
      { reason: 'dependency', detail: 'no file declares the fleet `pool`' },
    ]);
  });

  test('that is taken back while it waits replaces nothing at all', async () => {
    const world = await spread();
    await world.commit(placed({ regions: ['africa'] }));
    await world.run(60_000);
    await world.commit(placed({}));
    await world.runUntil('deployment 3 runs', isRunning(3));
    expect(await placesOf(world)).toEqual(['web-1 asia', 'web-2 europe']);
  });
});

describe('a candidate that failed', () => {
  test('leaves its last lines, also those it printed while it was stopped, for `why` to show', async () => {
    const [one, bad] = [web('one'), web('bad')];
    const prints = () => ['loading', 'CUDA out of memory'];
    const world = await simulate({
      behaviour: behaving([[bad, { startMs: null, exitsAfterMs: 300, prints }]]),
    });
    await world.commit(one);
    await world.runUntil('deployment 1 runs', isRunning(1));
    await world.commit(bad);
    const state = await world.runUntil('it failed', (now) => now?.rollout?.outcome === 'failed');
    const why = whyOf({ name: 'web', record: null, state, url: '', now: world.now() }, String);
    expect(why.failure).toMatchObject({
      reason: 'exited with code 1',
      log: ['loading', 'CUDA out of memory'],
    });
    expect(state?.failures).toHaveLength(3);
  });

  test('leaves what its probes had come to', async () => {
    const [one, sick] = [web('one'), web('sick', 2, { readyMs: 20_000 })];
    const world = await simulate({ behaviour: behaving([[sick, { healthy: () => false }]]) });
    await world.commit(one);
    await world.runUntil('deployment 1 runs', isRunning(1));
    await world.commit(sick);
    const state = await world.runUntil('it failed', (now) => now?.rollout?.outcome === 'failed');
    const why = whyOf({ name: 'web', record: null, state, url: '', now: world.now() }, String);
    expect(why.failure?.probes).toEqual([{ streak: 0, failures: 3, detail: '503' }]);
    expect(why.waiting).toContainEqual(
      expect.objectContaining({ reason: 'quarantine', until: String(world.now() + 86_400_000) }),
    );
    expect(shapeOf(sick)).not.toBe(shapeOf(one));
  });
});
