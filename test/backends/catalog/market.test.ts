// What a price list and backends that are asked now say together.
import { describe, expect, test } from 'vitest';
import { createCatalog } from '../../../backends/catalog/index.ts';
import { askMarket, marketOf, overlay } from '../../../backends/catalog/market.ts';
import { readSnapshot } from '../../../backends/catalog/snapshot.ts';
import { Failure } from '../../../schemas/errors.ts';
import type { Market, Offer } from '../../../schemas/offer.ts';
import { placement, requirement } from '../builders.ts';

function offer(over: Partial<Offer> = {}): Offer {
  return {
    backend: 'aws',
    region: 'us-east-1',
    instance: 'm5.large',
    resources: { cpus: 2, arch: 'x86', memoryGib: 8, diskGib: 100, gpus: [] },
    spot: false,
    price: 0.1,
    availability: 'unknown',
    ...over,
  };
}

function market(...offers: readonly Offer[]): Market {
  return { offers, total: offers.length, excluded: [], failures: [] };
}

describe('a price list', () => {
  test('gives the cheapest few, the number of all, and what one requirement keeps out', () => {
    const catalog = createCatalog(readSnapshot().rows);
    const gpu = { names: ['H100'], count: { min: 8, max: 8 }, vendor: null };
    const none = { memoryGib: null, totalMemoryGib: null, computeCapability: null };
    const wanted = placement({ requirement: requirement({ gpu: { ...gpu, ...none } }), maxPrice: 20 });
    const { offers, total, excluded, failures } = marketOf(catalog, wanted, undefined, 3);
    expect([offers.length, failures]).toEqual([3, []]);
    expect(total).toBeGreaterThan(3);
    expect(offers.every(({ availability, price }) => availability === 'unknown' && price <= 20)).toBe(true);
    expect(excluded.map(({ requirement: name }) => name)).toContain('max_price');
  });
});

describe('backends that are asked', () => {
  const backend = (name: string, offers: () => Promise<readonly Offer[]>) => ({ name, offers });
  const wanted = placement();

  test('are put together: what is idle, then by price, backend, region and instance', async () => {
    const { offers, total } = await askMarket(
      [
        backend('gcp', async () => [offer({ backend: 'gcp' })]),
        backend('aws', async () => [
          offer({ instance: 'b' }),
          offer({ instance: 'a' }),
          offer({ region: 'eu-west-1' }),
          offer({ instance: 'pool', price: 5, availability: 'idle' }),
        ]),
      ],
      wanted,
    );
    expect(offers.map((each) => `${each.backend} ${each.region} ${each.instance}`)).toEqual([
      'aws us-east-1 pool',
      'aws eu-west-1 m5.large',
      'aws us-east-1 a',
      'aws us-east-1 b',
      'gcp us-east-1 m5.large',
    ]);
    expect(total).toBe(5);
  });

  test('that have nothing say what they lack, where they can', async () => {
    const excluded = [{ requirement: 'memory', rows: 1, nearest: '`memory: 24GB..`' }];
    const local = { ...backend('local', async () => []), misses: async () => excluded };
    expect(await askMarket([local, backend('aws', async () => [])], wanted)).toMatchObject({ excluded });
    const busy = { ...local, offers: async () => [offer()] };
    expect((await askMarket([busy], wanted)).excluded).toEqual([]);
  });

  test('that fail or say nothing in time are named, and hold up nobody', async () => {
    const found = await askMarket(
      [
        backend('silent', () => new Promise(() => {})),
        backend('refused', () => Promise.reject(new Failure('unauthorized', 'the key is not valid'))),
        backend('aws', async () => [offer()]),
      ],
      wanted,
      50,
    );
    expect(found.offers).toEqual([offer()]);
    expect(found.failures).toEqual([
      { backend: 'silent', message: expect.stringContaining('within 0.05 s') },
      { backend: 'refused', message: 'the key is not valid' },
    ]);
  });
});

describe('both together', () => {
  test('what is known live of an offer takes the place of the list', () => {
    const listed = market(offer(), offer({ spot: true, price: 0.05 }), offer({ region: 'eu-west-1' }));
    const { offers, total } = overlay([offer({ price: 0.2, availability: 'available' })], listed);
    expect(
      offers.map(({ region, spot, price, availability }) => [region, spot, price, availability]),
    ).toEqual([
      ['us-east-1', true, 0.05, 'unknown'],
      ['eu-west-1', false, 0.1, 'unknown'],
      ['us-east-1', false, 0.2, 'available'],
    ]);
    expect(total).toBe(3);
  });

  test('what no list has is added, and what is idle comes first', () => {
    const local = offer({ backend: 'local', instance: 'local', price: 0, availability: 'available' });
    const idle = offer({ backend: 'ssh', instance: 'box', price: 9, availability: 'idle' });
    const { offers, total } = overlay([local, idle], market(offer()));
    expect(offers).toEqual([idle, local, offer()]);
    expect(total).toBe(3);
  });

  test('one machine type with several GPUs is several things', () => {
    const gpu = (name: string) => [{ name, vendor: 'nvidia', memoryGib: 16 }];
    const withGpu = (name: string, over: Partial<Offer> = {}) =>
      offer({ ...over, resources: { ...offer().resources, gpus: gpu(name) } });
    const { offers } = overlay(
      [withGpu('T4', { availability: 'busy' })],
      market(withGpu('T4'), withGpu('P100')),
    );
    expect(offers.map(({ availability }) => availability).sort()).toEqual(['busy', 'unknown']);
  });
});
