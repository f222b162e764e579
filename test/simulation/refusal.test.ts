// A decision that breaks a rule is not carried out: it is told, and tried again later.
import { expect, test } from 'vitest';
import { isRunning, web } from './services.ts';
import { simulate } from './world.ts';

test('a decision that breaks a rule is not carried out, and says which', async () => {
  const world = await simulate();
  await world.commit(web('one'));
  const sound = await world.runUntil('it runs', isRunning(1));
  const write = async (state: unknown) => {
    const claim = { holder: 'x', machine: 'here', limit: 1, leaseMs: 30_000, keys: ['main/web'] };
    await world.store.wake(['main/web']);
    const [claimed] = await world.store.claim(claim);
    if (!claimed) throw new Error('somebody holds it');
    await world.store.settle([
      { lease: claimed.lease, state, wakeAt: world.now() + 1, events: [], release: true },
    ]);
  };
  // As no decision of ours ever leaves it: one replica twice, and the file is gone.
  await write({ ...sound, replicas: [...(sound?.replicas ?? []), ...(sound?.replicas ?? [])] });
  await world.commit(null);
  await world.run(60_000);
  const events = await world.store.events({ project: 'main', service: 'web', limit: 100 });
  const refusals = events.filter(({ event }) => event === 'failure');
  expect(refusals.map(({ reason }) => reason)[0]).toMatch(
    /broke a rule: web-1 is there twice; web-2 is there twice/,
  );
  expect(refusals.length).toBeLessThanOrEqual(3);
  expect(world.cloud.machines().filter(({ endedAt }) => endedAt === null)).toHaveLength(2);
});
