// The cloud of a scenario keeps the contract of every backend, also on a bad day; and its faults are what they say.
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../../reconciler/simulate/clock.ts';
import { cloudsOf } from '../../reconciler/simulate/clouds.ts';
import { placement, processSpec, tags } from '../backends/builders.ts';
import { backendContract } from '../backends/contract.ts';
import { scenario } from './scenarios.ts';

function open(backend: string) {
  const told = scenario(`commits: [{files: {a: b}}]\nduration: 1h\nbackends: {fake: ${backend}}`);
  const clock = virtualClock(told.start);
  const prints = ({ env }: { readonly env: { readonly [name: string]: string } }) => [
    'started',
    ...(env.TOLD === undefined ? [] : [env.TOLD]),
  ];
  const cloud = cloudsOf(told, clock, (_, pullMs) => ({ pullMs, prints })).get('fake');
  if (!cloud) throw new Error('there is no cloud');
  return { clock, cloud };
}

backendContract('of a scenario', async () => {
  const { clock, cloud } = open(
    '{boot: 20s..40s, pull: 5s, lag: 2s, capacity: 3, faults: [{kind: interruption, every: 1m}]}',
  );
  const end = clock.now() + 600_000;
  return {
    backend: cloud,
    server: () => ({ spec: processSpec(), mounts: [] }),
    async until(look) {
      for (;;) {
        const found = await look();
        if (found !== null) return found;
        if (clock.now() > end) throw new Error(`waited in vain for: ${look}`);
        await clock.moveTo(clock.now() + 100);
        cloud.tick();
      }
    },
    close: () => cloud.close(),
  };
});

describe('a cloud', () => {
  const order = (cloud: ReturnType<typeof open>['cloud'], replica: string) =>
    cloud.offers(placement()).then(([offer]) => {
      if (!offer) throw new Error('nothing is offered');
      return cloud.create({ tags: tags({ replica }), offer });
    });

  test('says what is sold out, by offer and in all', async () => {
    const { cloud } = open('{capacity: 2, offers: [{instance: a, capacity: 1}, {instance: b, price: 2}]}');
    const shown = async () =>
      (await cloud.offers(placement())).map(({ instance, availability }) => [instance, availability]);
    await order(cloud, 'web-1');
    expect(await shown()).toEqual([
      ['a', 'not-available'],
      ['b', 'available'],
    ]);
    await expect(order(cloud, 'web-2')).rejects.toMatchObject({ kind: 'no-capacity' });
  });

  test('that is not frank lets everybody find out', async () => {
    const { cloud } = open('{capacity: 1, frank: false}');
    await order(cloud, 'web-1');
    expect((await cloud.offers(placement()))[0]?.availability).toBe('available');
  });

  test('has trouble in its time only', async () => {
    const { clock, cloud } = open(
      '{faults: [{kind: rate-limited, from: 1m, to: 2m, retry_after: 7s}, {kind: partition, from: 3m, for: 1m}]}',
    );
    const asked = async (ms: number) => {
      await clock.moveTo(clock.now() + ms);
      return cloud.list('owner-1').then(
        () => 'fine',
        ({ kind, message }) => `${kind} ${message}`,
      );
    };
    expect([
      await asked(0),
      await asked(60_000),
      await asked(60_000),
      await asked(60_000),
      await asked(60_000),
    ]).toEqual([
      'fine',
      'rate-limited fake: too many requests: list',
      'fine',
      'transient fake: no answer: the network is cut',
      'fine',
    ]);
  });

  test('that is slow takes its time, and what is ordered then boots slowly', async () => {
    const { clock, cloud } = open('{boot: 10s, faults: [{kind: slow, by: 4s, times: 3, to: 1m}]}');
    const begun = clock.now();
    const ordering = order(cloud, 'web-1');
    await clock.moveTo(begun + 8_000);
    const { id } = await ordering;
    expect(cloud.nextChangeAt()).toBe(begun + 8_000 + 30_000);
    await clock.moveTo(begun + 60_000);
    expect((await cloud.get(id))?.status).toBe('running');
  });

  test('holds a machine of somebody else, which takes no room and fits no order', async () => {
    const { cloud } = open('{capacity: 1}');
    expect(cloud.machines().map(({ tags: { owner } }) => owner)).toEqual(['somebody else']);
    expect((await order(cloud, 'web-1')).tags.owner).toBe('owner-1');
    expect(await cloud.list('owner-1')).toHaveLength(1);
  });
});
