import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCatalog } from '../../../backends/catalog/index.ts';
import { matches, REQUIREMENTS, type Requirement } from '../../../backends/catalog/match.ts';
import type { Query } from '../../../backends/catalog/query.ts';
import type { Row } from '../../../backends/catalog/row.ts';
import { without } from '../../../backends/catalog/without.ts';
import { anyQuery, anyRow, gpuRow, query, row } from './rows.ts';

const NAMES = Object.keys(REQUIREMENTS) as Requirement[];

function explain(rows: readonly Row[], asked: Query) {
  return createCatalog(rows).explain(asked);
}

describe('one requirement alone', () => {
  test('keeps out as many rows as match without it and not with it', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 40 }), anyQuery, (rows, asked) => {
        const count = (each: Query) => rows.filter((one) => matches(one, each)).length;
        const expected = NAMES.map((name) => [name, count(without(asked, name)) - count(asked)] as const);
        const told = explain(rows, asked).filter(({ requirement }) => !requirement.includes('+'));
        expect(new Map(told.map(({ requirement, rows: more }) => [requirement, more]))).toEqual(
          new Map(expected.filter(([, more]) => more > 0)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('is told with the smallest change that would do', () => {
    const rows = [
      gpuRow('A100', 4, 40, { price: 2.0953, memoryGib: 64, cpu: 8 }),
      gpuRow('A100', 4, 40, { price: 9, memoryGib: 48 }),
    ];
    const asked = query({ maxPrice: 10 });
    const nearest = (changed: Query) =>
      explain(rows, changed).map((each) => [each.requirement, each.nearest]);
    expect(nearest({ ...asked, maxPrice: 2 })).toEqual([['max_price', '`max_price` ≥ 2.10']]);
    expect(nearest({ ...asked, memoryGib: { min: 80, max: null } })).toEqual([
      ['memory', '`memory: 64GB..`'],
    ]);
    expect(nearest({ ...asked, memoryGib: { min: 8, max: 32 } })).toEqual([['memory', '`memory: ..48GB`']]);
    expect(nearest({ ...asked, cpu: { min: 16, max: 16 } })).toEqual([['cpu', '`cpu: 8..`']]);
    expect(nearest({ ...asked, diskGib: { min: 32_768, max: null } })).toEqual([
      ['disk', '`disk: 16384GB..`'],
    ]);
    const gpu = (changed: Partial<Query['gpu']>) =>
      nearest(query({ gpu: { count: { min: 1, max: null }, ...changed } }));
    expect(gpu({ count: { min: 8, max: 8 } })).toEqual([['gpu.count', '`gpu.count: 4..`']]);
    expect(gpu({ memoryGib: { min: 80, max: null } })).toEqual([['gpu.memory', '`gpu.memory: 40GB..`']]);
    expect(gpu({ totalMemoryGib: { min: 0, max: 80 } })).toEqual([
      ['gpu.total_memory', '`gpu.total_memory: ..160GB`'],
    ]);
    expect(gpu({ computeCapability: '9.0' })).toEqual([
      ['gpu.compute_capability', '`gpu.compute_capability: 8.0`'],
    ]);
  });

  test('is told in numbers that a file can say, and still is enough of a change', () => {
    const nearest = (changed: Query) =>
      explain([gpuRow('A10G', 3, 22.35, { memoryGib: 241.6549 })], changed).map((each) => each.nearest);
    const total = (range: { readonly min: number; readonly max: number | null }) =>
      query({ gpu: { count: { min: 3, max: null }, totalMemoryGib: range } });
    expect(3 * 22.35).toBeGreaterThan(67.05);
    expect(nearest(total({ min: 80, max: null }))).toEqual(['`gpu.total_memory: 67.05GB..`']);
    expect(nearest(total({ min: 0, max: 60 }))).toEqual(['`gpu.total_memory: ..67.06GB`']);
    expect(nearest(query({ memoryGib: { min: 300, max: null } }))).toEqual(['`memory: 241.65GB..`']);
    expect(nearest(query({ memoryGib: { min: 0, max: 0.28 } }))).toEqual(['`memory: ..241.66GB`']);
  });

  test('is told with the cheapest that there is instead, where there is no more and no less', () => {
    const rows = [
      row({ backend: 'gcp', region: 'us-east1-b', instance: 'n1', price: 1, spot: true, arch: 'arm' }),
      gpuRow('MI300X', 1, 192, {
        backend: 'gcp',
        region: 'us-west1-a',
        gpuVendor: 'amd',
        price: 3,
        spot: true,
      }),
    ];
    const nearest = (changed: Parameters<typeof query>[0]) => explain(rows, query(changed))[0]?.nearest;
    expect(nearest({ regions: ['us-east-1'] })).toBe('us-east1');
    expect(nearest({ availabilityZones: ['us-east-1a'] })).toBe('us-east1-b');
    expect(nearest({ instanceTypes: ['e2'] })).toBe('n1');
    expect(nearest({ backends: ['aws'] })).toBe('gcp');
    expect(nearest({ spot: 'on-demand' })).toBe('auto');
    expect(nearest({ arch: 'x86', gpu: { count: { min: 0, max: 0 } } })).toBe('arm');
    expect(nearest({ gpu: { count: { min: 1, max: null }, names: ['H100'] } })).toBe('MI300X');
    expect(nearest({ gpu: { count: { min: 1, max: null }, vendor: 'nvidia' } })).toBe('amd');
  });

  test('comes the earlier the nearer the miss is', () => {
    const rows = [
      row({ price: 2.2 }),
      row({ price: 1, memoryGib: 60 }),
      row({ price: 1, region: 'eu-west-1' }),
    ];
    const asked = query({ maxPrice: 2, memoryGib: { min: 0, max: 32 }, regions: ['us-east-1'] });
    const near = [...rows.slice(1), row({ price: 2.2, memoryGib: 16 })];
    expect(explain(near, asked).map(({ requirement }) => requirement)).toEqual([
      'max_price',
      'memory',
      'regions',
    ]);
  });

  test('of the number of GPUs leaves it at GPUs', () => {
    const rows = [row(), gpuRow('T4', 1, 16)];
    const [exclusion] = explain(rows, query({ gpu: { count: { min: 4, max: null } } }));
    expect(exclusion).toEqual({ requirement: 'gpu.count', rows: 1, nearest: '`gpu.count: 1..`' });
  });

  test('with a price that is named is enough of a change', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0001, max: 100, noNaN: true }), (price) => {
        const asked = query({ maxPrice: 0.00001 });
        const [exclusion] = explain([row({ price })], asked);
        const maxPrice = Number(exclusion?.nearest.split('≥ ')[1]);
        expect(createCatalog([row({ price })]).query({ ...asked, maxPrice }, { limit: 1 }).total).toBe(1);
        expect(maxPrice - price).toBeLessThan(0.0101);
      }),
    );
  });
});

describe('where nothing matches and no single requirement is to blame', () => {
  const rows = [
    gpuRow('H100', 8, 80, { price: 40 }),
    gpuRow('T4', 1, 16, { price: 0.5, region: 'eu-west-1' }),
  ];

  test('the pairs that must give way together are told', () => {
    const asked = query({
      maxPrice: 1,
      regions: ['us-east-1'],
      gpu: { count: { min: 1, max: 4 }, names: ['H100'] },
    });
    expect(explain(rows, asked)).toEqual([
      { requirement: 'regions + gpu.name', rows: 1, nearest: '`regions: eu-west-1` and `gpu.name: T4`' },
      { requirement: 'max_price + gpu.count', rows: 1, nearest: '`max_price` ≥ 40.00 and `gpu.count: ..8`' },
    ]);
  });

  test('more than two are told, as few as will do', () => {
    const asked = query({
      maxPrice: 0.1,
      regions: ['us-east-1'],
      arch: 'arm',
      gpu: { names: ['H1000'], count: { min: 1, max: null } },
    });
    expect(explain(rows, asked)).toEqual([
      {
        requirement: 'max_price + cpu.arch + gpu.name',
        rows: 1,
        nearest: '`max_price` ≥ 40.00 and `cpu.arch: x86` and `gpu.name: H100`',
      },
    ]);
  });

  test('something is told wherever giving way helps at all, and every part of it is needed', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 10 }), anyQuery, (some, asked) => {
        const query = { ...asked, allowedFlags: null };
        const catalog = createCatalog(some);
        const total = (each: Query) => catalog.query(each, { limit: 0 }).total;
        fc.pre(total(query) === 0 && total(NAMES.reduce(without, query)) > 0);
        const told = catalog.explain(query);
        expect(told.length).toBeGreaterThan(0);
        for (const { requirement, rows: more } of told) {
          const names = requirement.split(' + ') as Requirement[];
          expect(total(names.reduce(without, query))).toBe(more);
          for (const kept of names)
            expect(total(names.filter((name) => name !== kept).reduce(without, query))).toBe(0);
        }
      }),
    );
  });
});
