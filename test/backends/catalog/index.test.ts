import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCatalog } from '../../../backends/catalog/index.ts';
import { matcherOf, matches } from '../../../backends/catalog/match.ts';
import { compareRows } from '../../../backends/catalog/order.ts';
import type { Row } from '../../../backends/catalog/row.ts';
import { anyQuery, anyRow, gpuRow, query, row } from './rows.ts';

const ALL = { limit: Number.POSITIVE_INFINITY };

describe('a catalog', () => {
  test('finds what a look at every row finds, in the order of rows', () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { maxLength: 60 }),
        anyQuery,
        fc.nat({ max: 10 }),
        (rows, asked, limit) => {
          const expected = rows.filter((each) => matches(each, asked)).toSorted(compareRows);
          const { offers, total } = createCatalog(rows).query(asked, { limit });
          expect(total).toBe(expected.length);
          expect(offers.map(keyOf)).toEqual(expected.slice(0, limit).map(keyOfRow));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('says the same however its rows were ordered', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), anyQuery, (rows, asked) => {
        const [one, other] = [createCatalog(rows), createCatalog(rows.toReversed())];
        expect(other.query(asked, ALL)).toEqual(one.query(asked, ALL));
        expect(other.explain(asked)).toEqual(one.explain(asked));
      }),
    );
  });

  test('offers the cheapest first, and among equals by backend, region, instance', () => {
    const rows = [
      row({ backend: 'gcp', region: 'b' }),
      row({ backend: 'aws', region: 'b', instance: 'z' }),
      row({ backend: 'aws', region: 'b', instance: 'a', spot: true }),
      row({ backend: 'aws', region: 'b', instance: 'a' }),
      row({ backend: 'aws', region: 'a', instance: 'z' }),
      row({ backend: 'oci', price: 0.1 }),
    ];
    const { offers } = createCatalog(rows).query(query(), ALL);
    expect(offers.map((offer) => [offer.backend, offer.region, offer.instance, offer.spot])).toEqual([
      ['oci', 'us-east-1', 'm5.xlarge', false],
      ['aws', 'a', 'z', false],
      ['aws', 'b', 'a', false],
      ['aws', 'b', 'a', true],
      ['aws', 'b', 'z', false],
      ['gcp', 'b', 'm5.xlarge', false],
    ]);
  });

  test('offers a machine with all that it has', () => {
    const machine = gpuRow('A100', 2, 80, { diskGib: 512, spot: true, arch: 'arm' });
    expect(createCatalog([machine]).query(query(), ALL)).toEqual({
      total: 1,
      offers: [
        {
          backend: 'aws',
          region: 'us-east-1',
          instance: '2xA100',
          resources: {
            cpus: 4,
            arch: 'arm',
            memoryGib: 16,
            diskGib: 512,
            gpus: [
              { name: 'A100', vendor: 'nvidia', memoryGib: 80 },
              { name: 'A100', vendor: 'nvidia', memoryGib: 80 },
            ],
          },
          spot: true,
          price: 0.2,
          availability: 'unknown',
        },
      ],
    });
  });

  test('offers the smallest disk that does where the disk is chosen later', () => {
    const diskFor = (backend: string, min: number) =>
      createCatalog([row({ backend })]).query(query({ diskGib: { min, max: null } }), ALL).offers[0]
        ?.resources.diskGib;
    expect([diskFor('aws', 20), diskFor('aws', 200), diskFor('gcp', 10), diskFor('runpod', 10)]).toEqual([
      100, 200, 20, 10,
    ]);
  });

  test('knows its size and its backends, and has nothing when it is empty', () => {
    const catalog = createCatalog([row({ backend: 'oci' }), row(), row()]);
    expect([catalog.size, catalog.backends]).toEqual([3, ['aws', 'oci']]);
    const empty = createCatalog([]);
    expect([empty.size, empty.backends]).toEqual([0, []]);
    expect(empty.query(query(), ALL)).toEqual({ offers: [], total: 0 });
    expect(empty.explain(query({ maxPrice: 1 }))).toEqual([]);
  });

  test('of more kinds of machines than 16 bits can tell apart is still right', () => {
    const rows = Array.from({ length: 70_000 }, (_, i) =>
      row({ instance: `m${i}`, memoryGib: i / 8, price: i % 7 }),
    );
    const asked = query({ memoryGib: { min: 8500, max: 8600 }, instanceTypes: ['M68001', 'm1', 'm68800'] });
    const { offers, total } = createCatalog(rows).query(asked, ALL);
    expect(total).toBe(2);
    expect(offers.map(keyOf)).toEqual(rows.filter(matcherOf(asked)).toSorted(compareRows).map(keyOfRow));
  });
});

// Private

function keyOf(offer: ReturnType<ReturnType<typeof createCatalog>['query']>['offers'][number]) {
  const { cpus, arch, memoryGib, gpus } = offer.resources;
  return [offer.price, offer.backend, offer.region, offer.instance, offer.spot, cpus, arch, memoryGib, gpus];
}

function keyOfRow(each: Row) {
  const gpu = { name: each.gpuName ?? '', vendor: each.gpuVendor ?? '', memoryGib: each.gpuMemoryGib ?? 0 };
  const gpus = Array.from({ length: each.gpuCount }, () => gpu);
  return [
    each.price,
    each.backend,
    each.region,
    each.instance,
    each.spot,
    each.cpu,
    each.arch,
    each.memoryGib,
    gpus,
  ];
}
