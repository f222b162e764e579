// What a service asks for and what a fleet allows, as one: an offer is that exactly when it is both.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fits } from '../../backends/fake/market.ts';
import { combine } from '../../reconciler/plan/combine.ts';
import { satisfies } from '../../reconciler/plan/fits.ts';
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import type { Gpu, Offer } from '../../schemas/offer.ts';
import { group, LOCAL } from './samples.ts';

const ANY: Placement = { ...group().placement, spotPolicy: 'auto' };
const NEEDS = ANY.requirement;

const BACKENDS = ['aws', 'gcp'];
const REGIONS = ['us-east1', 'us-west1'];
const ZONED = [...REGIONS, 'us-east1-b', 'us-east1-c'];
const TYPES = ['small', 'large'];
const KINDS: readonly Gpu[] = [
  { name: 'H100', vendor: 'nvidia', memoryGib: 80 },
  { name: 'A100', vendor: 'nvidia', memoryGib: 40 },
  { name: 'MI300X', vendor: 'amd', memoryGib: 192 },
];

const anyCase = (name: string) => fc.constantFrom(name, name.toUpperCase());
const some = (names: readonly string[]) =>
  fc.option(fc.subarray([...names], { minLength: 1 }).chain((chosen) => fc.tuple(...chosen.map(anyCase))));
const range = (values: readonly number[]): fc.Arbitrary<Range> =>
  fc.oneof(
    fc.constantFrom(...values).map((min) => ({ min, max: null })),
    fc
      .tuple(fc.constantFrom(...values), fc.constantFrom(...values))
      .map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
  );

const gpu = fc.record({
  vendor: fc.option(fc.constantFrom('nvidia', 'amd')),
  names: fc.subarray(['H100', 'a100', 'mi300x']),
  count: range([1, 2]),
  memoryGib: fc.option(range([40, 80, 192])),
  totalMemoryGib: fc.option(range([40, 80, 160])),
  computeCapability: fc.option(fc.constantFrom('8.0', '9.0')),
});
const NO_GPU = {
  vendor: null,
  names: [],
  count: { min: 0, max: 0 },
  memoryGib: null,
  totalMemoryGib: null,
  computeCapability: null,
};
const requirement: fc.Arbitrary<Requirement> = fc.record({
  cpu: fc.option(
    fc.record({ arch: fc.option(fc.constantFrom('x86' as const, 'arm' as const)), count: range([2, 8, 16]) }),
  ),
  memoryGib: fc.option(range([8, 32])),
  diskGib: fc.option(range([100, 500])),
  gpu: fc.option(fc.oneof({ weight: 3, arbitrary: gpu }, fc.constant(NO_GPU))),
});
/** Most say little: else hardly two would have anything in common. */
const placementIn = (regions: readonly string[]) =>
  fc
    .record({
      requirement: fc.record({
        cpu: fc.constant(null),
        memoryGib: fc.constant(null),
        diskGib: fc.constant(null),
        gpu: fc.constant(null),
      }),
      backends: some(BACKENDS),
      regions: some(regions),
      instanceTypes: some(TYPES),
      spotPolicy: fc.constantFrom('spot' as const, 'on-demand' as const, 'auto' as const, 'auto' as const),
      maxPrice: fc.option(fc.constantFrom(1, 2, 3)),
    })
    .chain((rest) =>
      fc
        .oneof(fc.constant(NEEDS), requirement)
        .map((needs): Placement => ({ ...ANY, ...rest, requirement: needs })),
    );
const offerIn = (regions: readonly string[]): fc.Arbitrary<Offer> =>
  fc
    .record({
      backend: fc.constantFrom(...BACKENDS),
      region: fc.constantFrom(...regions),
      instance: fc.constantFrom(...TYPES),
      spot: fc.boolean(),
      price: fc.constantFrom(1, 2, 3),
      resources: fc.record({
        cpus: fc.constantFrom(2, 8, 16),
        arch: fc.constantFrom('x86' as const, 'arm' as const),
        memoryGib: fc.constantFrom(8, 32),
        diskGib: fc.constantFrom(100, 500),
        gpus: fc
          .tuple(fc.constantFrom(...KINDS), fc.nat(2))
          .map(([kind, count]) => Array.from({ length: count }, () => kind)),
      }),
    })
    .map((offer) => ({ ...LOCAL, ...offer }))
    // Only there are zones named after their regions.
    .filter(({ backend, region }) => backend === 'gcp' || REGIONS.includes(region));

describe.each([
  ['a replica may stay', satisfies, ZONED],
  ['the cloud would sell', fits, REGIONS],
] as const)('an offer on which %s', (_, is, regions) => {
  test('by what both ask for is one by each alone, and no other is', () => {
    fc.assert(
      fc.property(placementIn(regions), placementIn(regions), offerIn(regions), (a, b, offer) => {
        const both = combine(a, b);
        expect(both !== null && is(offer, both)).toBe(is(offer, a) && is(offer, b));
      }),
      { numRuns: 5_000 },
    );
  });
});

test('the order does not matter but for spelling', () => {
  const offers = fc.array(offerIn(ZONED), { minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(placementIn(ZONED), placementIn(ZONED), offers, (a, b, all) => {
      const [ab, ba] = [combine(a, b), combine(b, a)];
      const by = (both: Placement | null) => all.filter((offer) => both !== null && satisfies(offer, both));
      expect(by(ab)).toEqual(by(ba));
    }),
  );
});

test('who asks for nothing in particular changes nothing', () => {
  fc.assert(
    fc.property(placementIn(ZONED), (a) => {
      expect(combine(a, ANY)).toEqual({ ...a, fleets: null });
    }),
  );
});

const asking = (more: Partial<Placement>): Placement => ({ ...ANY, ...more });
const needing = (more: Partial<Requirement>): Placement => asking({ requirement: { ...NEEDS, ...more } });
const gpus = (more: Partial<NonNullable<Requirement['gpu']>>): Placement =>
  needing({
    gpu: {
      vendor: null,
      names: [],
      count: { min: 1, max: null },
      memoryGib: null,
      totalMemoryGib: null,
      computeCapability: null,
      ...more,
    },
  });

const EXCLUDED: readonly (readonly [what: string, a: Placement, b: Placement])[] = [
  ['backends', asking({ backends: ['aws'] }), asking({ backends: ['gcp'] })],
  ['regions', asking({ regions: ['us'] }), asking({ regions: ['eu'] })],
  ['zones of one region', asking({ regions: ['us-east1-b'] }), asking({ regions: ['us-east1-c'] })],
  ['zones', asking({ availabilityZones: ['a'] }), asking({ availabilityZones: ['b'] })],
  ['types', asking({ instanceTypes: ['small'] }), asking({ instanceTypes: ['large'] })],
  ['spot and on-demand', asking({ spotPolicy: 'spot' }), asking({ spotPolicy: 'on-demand' })],
  ['reservations', asking({ reservation: 'r-1' }), asking({ reservation: 'r-2' })],
  ['memory', needing({ memoryGib: { min: 8, max: 16 } }), needing({ memoryGib: { min: 17, max: null } })],
  [
    'processors',
    needing({ cpu: { arch: 'arm', count: { min: 1, max: null } } }),
    needing({ cpu: { arch: 'x86', count: { min: 1, max: null } } }),
  ],
  ['GPUs', gpus({ names: ['H100'] }), gpus({ names: ['A100'] })],
  ['vendors', gpus({ vendor: 'amd' }), gpus({ vendor: 'nvidia' })],
  ['numbers of GPUs', gpus({ count: { min: 1, max: 1 } }), gpus({ count: { min: 2, max: 2 } })],
];

test.each(EXCLUDED)('different %s exclude each other', (_, a, b) => {
  expect(combine(a, b)).toBeNull();
});

test('of two price limits the lower counts, of a region and its zone the zone', () => {
  expect(combine(asking({ maxPrice: 2 }), asking({ maxPrice: 1.5 }))).toMatchObject({ maxPrice: 1.5 });
  const [region, zone] = [asking({ regions: ['us-east1'] }), asking({ regions: ['us-east1-b'] })];
  expect(combine(region, zone)).toMatchObject({ regions: ['us-east1-b'] });
  expect(combine(zone, region)).toMatchObject({ regions: ['us-east1-b'] });
});

test('of two compute capabilities the lower is enough, as the reference has it', () => {
  for (const [a, b] of [
    ['8.6', '8.10'],
    ['8.10', '8.6'],
  ] as const)
    expect(combine(gpus({ computeCapability: a }), gpus({ computeCapability: b }))).toEqual(
      gpus({ computeCapability: '8.6' }),
    );
});
