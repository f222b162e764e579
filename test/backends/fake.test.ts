import { expect, test } from 'vitest';
import { type Fake, type FakeOptions, openFake } from '../../backends/fake.ts';
import type { Offer } from '../../schemas/offer.ts';
import { placement, processRequest, tags } from './builders.ts';

const small: Offer = {
  backend: 'fake',
  region: 'eu-1',
  instance: 'small',
  resources: { cpus: 2, arch: 'x86', memoryGib: 8, diskGib: 100, gpus: [] },
  spot: false,
  price: 0.5,
  availability: 'available',
};

function open(options: Partial<FakeOptions> = {}): { cloud: Fake; pass: (ms: number) => void } {
  let now = 1_000;
  const pass = (ms: number) => {
    now += ms;
  };
  return { cloud: openFake({ seed: 1, now: () => now, offers: [small], ...options }), pass };
}

const request = { tags: tags(), offer: small };

test('a machine boots, serves and ends when its time has come', async () => {
  const { cloud, pass } = open({ bootMs: 100, endMs: 50, behaviour: () => ({ pullMs: 10, startMs: 20 }) });
  const instance = await cloud.create(request);
  expect(instance.status).toBe('provisioning');
  pass(100);
  const transport = cloud.transport(instance);
  await transport.run(processRequest());
  expect((await transport.status()).kind).toBe('pulling');
  pass(10);
  expect(await transport.status()).toMatchObject({ kind: 'running', listening: false });
  pass(20);
  expect(await transport.status()).toMatchObject({ kind: 'running', listening: true });
  await cloud.terminate(instance.id);
  pass(50);
  expect(await cloud.get(instance.id)).toBeNull();
  expect(cloud.machines()).toMatchObject([{ id: instance.id, createdAt: 1_000, endedAt: 1_180 }]);
});

test('the next change is known in advance, so that a simulation can jump there', async () => {
  const { cloud, pass } = open({ bootMs: 100 });
  expect(cloud.nextChangeAt()).toBeNull();
  await cloud.create(request);
  expect(cloud.nextChangeAt()).toBe(1_100);
  pass(100);
  expect(cloud.nextChangeAt()).toBeNull();
});

test('what is sold out is refused until a machine is given back', async () => {
  const { cloud } = open({ capacity: () => 1 });
  const { id } = await cloud.create(request);
  const second = { tags: tags({ replica: 'web-2' }), offer: small };
  await expect(cloud.create(second)).rejects.toMatchObject({ kind: 'no-capacity' });
  await cloud.terminate(id);
  expect((await cloud.create(second)).tags.replica).toBe('web-2');
});

test('a fault before the effect prevents it, one after the effect only hides it', async () => {
  const { cloud } = open();
  cloud.inject({ operation: 'create', kind: 'transient', effect: 'before', times: 1 });
  await expect(cloud.create(request)).rejects.toMatchObject({ kind: 'transient' });
  expect(cloud.machines()).toHaveLength(0);
  cloud.inject({ operation: 'create', kind: 'transient', effect: 'after', times: 1 });
  await expect(cloud.create(request)).rejects.toMatchObject({ kind: 'transient' });
  expect(cloud.machines()).toHaveLength(1);
  await cloud.create(request);
  expect(cloud.machines()).toHaveLength(1);
});

test('a limit says when to come back', async () => {
  const { cloud } = open();
  cloud.inject({ operation: 'list', kind: 'rate-limited', effect: 'before', times: 2, retryAfterMs: 7_000 });
  await expect(cloud.list('owner-1')).rejects.toMatchObject({ kind: 'rate-limited', retryAt: 8_000 });
  await expect(cloud.list('owner-1')).rejects.toMatchObject({ kind: 'rate-limited' });
  expect(await cloud.list('owner-1')).toEqual([]);
});

test('a new machine may be missing in the list for a while', async () => {
  const { cloud, pass } = open({ listLagMs: 500 });
  const { id } = await cloud.create(request);
  expect(await cloud.list('owner-1')).toEqual([]);
  expect(await cloud.get(id)).not.toBeNull();
  pass(500);
  expect(await cloud.list('owner-1')).toHaveLength(1);
});

test('a lost machine is gone with its process', async () => {
  const { cloud } = open();
  const instance = await cloud.create(request);
  await cloud.transport(instance).run(processRequest());
  cloud.lose(instance.id);
  expect(await cloud.get(instance.id)).toBeNull();
  expect(await cloud.transport(instance).status()).toEqual({ kind: 'absent' });
});

test.each([
  [
    'crashes before it has ended',
    { stopsAfterMs: 500, exitsAfterMs: 100, exitCode: 9 },
    { code: 9, signal: null, at: 1_100 },
  ],
  ['ignores SIGTERM', { stopsAfterMs: null }, { code: null, signal: 'SIGKILL', at: 6_000 }],
  ['ends on SIGTERM', { stopsAfterMs: 70 }, { code: null, signal: 'SIGTERM', at: 1_070 }],
])('a process that %s', async (_, behaviour, expected) => {
  const { cloud, pass } = open({ behaviour: () => behaviour });
  const transport = cloud.transport(await cloud.create(request));
  await transport.run(processRequest({ stopMs: 5_000 }));
  await transport.stop();
  pass(10_000);
  expect(await transport.status()).toMatchObject({ kind: 'exited', ...expected });
});

test('an unhealthy process listens, but its probes fail', async () => {
  const { cloud, pass } = open({ behaviour: () => ({ startMs: 100, healthy: (ms) => ms < 1_000 }) });
  const transport = cloud.transport(await cloud.create(request));
  await transport.run(processRequest());
  const endpoint = transport.endpoint() ?? { kind: 'unix', path: '' };
  expect(cloud.healthy(endpoint)).toBe(false);
  pass(100);
  expect(cloud.healthy(endpoint)).toBe(true);
  pass(1_000);
  expect(cloud.healthy(endpoint)).toBe(false);
});

test('the same seed brings the same trouble', async () => {
  const trouble = async (seed: number) => {
    const { cloud } = open({ seed });
    cloud.unreliable(0.5);
    const calls = Array.from({ length: 20 }, () =>
      cloud.list('owner-1').then(
        () => 'ok',
        () => 'failed',
      ),
    );
    return (await Promise.all(calls)).join();
  };
  expect(await trouble(7)).toBe(await trouble(7));
  expect(await trouble(7)).not.toBe(await trouble(8));
});

test('watchers are told at the next tick what has changed, and nothing else', async () => {
  const { cloud, pass } = open({ bootMs: 100 });
  await cloud.create(request);
  cloud.tick();
  const heard: string[] = [];
  cloud.watch(({ replica }) => heard.push(replica));
  pass(50);
  cloud.tick();
  expect(heard).toEqual([]);
  pass(50);
  cloud.tick();
  expect(heard).toEqual(['web-1']);
});

test('offers are those that fit, cheapest first', async () => {
  const spot = { ...small, spot: true, price: 0.1 };
  const large = { ...small, instance: 'large', price: 0.4 };
  const { cloud } = open({ offers: [small, large, spot] });
  expect(await cloud.offers(placement())).toEqual([large, small]);
  expect(await cloud.offers(placement({ spotPolicy: 'auto', maxPrice: 0.4 }))).toEqual([spot, large]);
});
