// Where replicas are placed when clouds refuse: the next offer at once, what failed not again for a while, and never two
// machines for one replica.
import { describe, expect, test } from 'vitest';
import type { FakeOptions } from '../../backends/fake.ts';
import { whyOf } from '../../reconciler/plan/explain.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';
import { isRunning, web } from './services.ts';
import { simulate, type World } from './world.ts';

const HOUR = 3_600_000;
const offer = (backend: string, instance: string, price: number, more: Partial<Offer> = {}): Offer => ({
  ...LOCAL,
  backend,
  region: 'eu',
  instance,
  price,
  ...more,
});

const cloud = (name: string, more: Partial<FakeOptions> = {}) => ({
  name,
  offers: [offer(name, 'small', 1), offer(name, 'big', 2)],
  ...more,
});

async function failuresOf(world: World): Promise<string[]> {
  const events = await world.store.events({ project: 'main', service: 'web', limit: 1000 });
  return events.filter(({ event }) => event === 'failure').map(({ reason }) => reason);
}

const placesOf = (state: ServiceState | null) =>
  state?.replicas.map(({ offer: { backend, instance } }) => `${backend} ${instance}`);

describe('an offer that is refused for lack of capacity', () => {
  test('is followed by the next at once, also by that of another cloud', async () => {
    const clouds = [cloud('first', { capacity: () => 0 }), cloud('second', { capacity: () => 1 })];
    const world = await simulate({ clouds });
    await world.commit(web('one'));
    const before = world.now();
    const state = await world.runUntil('it runs', isRunning(1), 60_000);
    expect(placesOf(state)).toEqual(['second small', 'second big']);
    expect(state?.replicas.map(({ createdAt }) => createdAt - before)).toEqual([0, 0]);
    expect(state?.replicas.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
    expect(new Set(state?.replicas.map(({ attempt }) => attempt - (state.firstAttempt ?? 0)))).toEqual(
      new Set([1, 3]),
    );
    const made = [...world.clouds.values()].flatMap((each) => each.machines());
    expect(made).toHaveLength(2);
  });

  test('is not asked for again for a while, ever longer, and then it is', async () => {
    const world = await simulate({ clouds: [cloud('only', { capacity: () => 0 })] });
    await world.commit(web('one', 1));
    await world.run(HOUR);
    const asked = (await failuresOf(world)).filter((text) => text.includes('small')).length;
    expect(asked).toBeGreaterThan(8);
    expect(asked).toBeLessThan(24);
  });

  test('is sooner looked at again by a service of higher priority', async () => {
    const asked = async (priority: number) => {
      const one = web('one', 1);
      const world = await simulate({ clouds: [cloud('only', { capacity: () => 0 })] });
      await world.commit({ ...one, spec: { ...one.spec, priority } });
      await world.run(HOUR);
      return (await failuresOf(world)).length;
    };
    expect(await asked(100)).toBeGreaterThan(2 * (await asked(0)));
  });

  test('is told of by `why`: which were tried, what they said, and when they are tried again', async () => {
    const clouds = [cloud('first', { capacity: () => 0 }), cloud('second', { capacity: () => 0 })];
    const world = await simulate({ clouds });
    await world.commit(web('one', 1));
    await world.run(60_000);
    const state = await world.state();
    const subject = { name: 'web', record: null, state, url: '', now: world.now() };
    const { waiting } = whyOf(subject, String);
    expect(waiting).toEqual([
      expect.objectContaining({ reason: 'capacity', subject: '0', until: expect.any(String) }),
    ]);
    for (const text of ['first: no small in eu', 'second: no small in eu', 'and 1 more'])
      expect(waiting[0]?.detail).toContain(text);
  });

  test('is tried again together with the others, by one replica', async () => {
    const world = await simulate({ clouds: [cloud('only', { capacity: () => 0 })] });
    await world.commit(web('one', 1));
    await world.run(600_000);
    const asked = (await failuresOf(world)).filter((text) => text.includes('small')).length;
    expect((await world.state())?.lastReplica).toBe(asked);
  });

  test('is tried at once when a commit asks for something else', async () => {
    let capacity = 0;
    const world = await simulate({ clouds: [cloud('only', { capacity: () => capacity })] });
    await world.commit(web('one', 1));
    await world.run(HOUR);
    capacity = 9;
    await world.commit(web('two', 1));
    await world.runUntil('it runs', isRunning(2), 30_000);
  });

  test('costs an update nothing: the old replicas serve until the clouds have some', async () => {
    let capacity = 2;
    const world = await simulate({
      clouds: [{ ...cloud('only', { capacity: () => capacity }), offers: [offer('only', 'small', 1)] }],
    });
    await world.commit(web('one'));
    await world.runUntil('it runs', isRunning(1));
    await world.commit(web('two'));
    await world.run(HOUR);
    const stuck = await world.state();
    expect(stuck?.replicas.filter(({ phase }) => phase === 'ready')).toHaveLength(2);
    expect(stuck?.quarantine).toBeNull();
    expect(stuck?.waiting.map(({ reason }) => reason)).toEqual(['cannot-surge']);
    expect(whyOf({ name: 'web', record: null, state: stuck, url: '', now: 0 }, String).next).toMatch(
      /unavailable: 1/,
    );
    capacity = 3;
    await world.runUntil('deployment 2 runs', isRunning(2), 700_000);
  });
});

describe('a cloud', () => {
  test('that refuses its credential is left aside, and the failure names it', async () => {
    const world = await simulate({ clouds: [cloud('first'), cloud('second')] });
    world.cloud.inject({ operation: 'create', kind: 'unauthorized', effect: 'before', times: 1000 });
    await world.commit(web('one'));
    const state = await world.runUntil('it runs', isRunning(1), 60_000);
    expect(placesOf(state)).toEqual(['second small', 'second small']);
    expect((await failuresOf(world))[0]).toMatch(/unauthorized/);
  });

  test('that never gives the machine loses the replica to another, after the deadline, and pays for one only', async () => {
    const world = await simulate({ clouds: [cloud('a-stuck', { bootMs: 99 * HOUR }), cloud('fine')] });
    const one = web('one', 1, { provisionMs: 300_000 });
    await world.commit(one);
    const state = await world.runUntil('it runs', isRunning(1));
    expect(state?.replicas.map((each) => each.offer.backend)).not.toContain('a-stuck');
    expect(state?.quarantine).toBeNull();
    const left = world.cloud.machines().filter(({ endedAt }) => endedAt === null);
    expect(left).toEqual([]);
    expect(state?.failures[0]?.reason).toMatch(/did not get a machine that answers within 5 min/);
  });

  test('has the deadline of its kind: twenty minutes on kubernetes, ten on others', async () => {
    for (const [name, minutes] of [
      ['kubernetes', 20],
      ['other', 10],
    ] as const) {
      const world = await simulate({ clouds: [cloud(name, { bootMs: 99 * HOUR })] });
      await world.commit(web('one', 1));
      await world.run(minutes * 60_000 - 5_000);
      expect((await world.state())?.failures).toEqual([]);
      await world.run(15_000);
      expect((await world.state())?.failures.at(-1)?.reason).toMatch(`within ${minutes} min`);
    }
  });

  test('whose answer is lost is asked the identical request until it is definite', async () => {
    const world = await simulate({ clouds: [cloud('only', { listLagMs: 20_000 })] });
    world.cloud.inject({ operation: 'create', kind: 'transient', effect: 'after', times: 3 });
    await world.commit(web('one', 1));
    const state = await world.runUntil('it runs', isRunning(1), 120_000);
    expect(state?.replicas.map(({ name, attempt }) => [name, attempt])).toEqual([
      ['web-1', state?.firstAttempt],
    ]);
    expect(world.cloud.machines()).toHaveLength(1);
  });

  test('that hides what it made from us has it ended all the same', async () => {
    const world = await simulate({ clouds: [cloud('only', { listLagMs: 40_000, bootMs: 5_000 })] });
    world.cloud.inject({ operation: 'create', kind: 'transient', effect: 'after', times: 1 });
    await world.commit(web('one', 1));
    await world.run(500);
    await world.commit(web('two', 1));
    const state = await world.runUntil('deployment 2 runs', isRunning(2), 300_000);
    expect(state?.replicas).toHaveLength(1);
    const events = await world.store.events({ project: 'main', service: 'web', limit: 1000 });
    expect(events.filter(({ event }) => event === 'orphan-removed')).toEqual([]);
    expect(world.cloud.machines().filter(({ endedAt }) => endedAt === null)).toHaveLength(1);
  });

  test('in which pulling an image takes for ever is not the revision’s fault', async () => {
    const [one, two] = [web('one', 2), web('two', 2, { pullMs: 120_000 })];
    const isSecond = (shape: string) => shape === two.shapes['0'];
    const behaviour = (tags: { readonly shape: string; readonly replica: string }) =>
      isSecond(tags.shape) && ['web-3', 'web-4', 'web-5'].includes(tags.replica) ? { pullMs: 9 * HOUR } : {};
    const world = await simulate({ clouds: [cloud('only', { behaviour })] });
    await world.commit(one);
    await world.runUntil('it runs', isRunning(1));
    await world.commit(two);
    const state = await world.runUntil('deployment 2 runs', isRunning(2));
    expect(state?.failures.map(({ reason }) => reason)).toContain('did not get its image within 2 min');
    expect(state?.rollout).toMatchObject({ exits: 0, unready: 0 });
  });
});
