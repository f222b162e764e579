// Rows and queries for tests of price lists; everything defaulted but what matters.
import fc from 'fast-check';
import type { Query } from '../../../backends/catalog/query.ts';
import type { Row } from '../../../backends/catalog/row.ts';

/** A machine without GPUs that the query below matches. */
export function row(overrides: Partial<Row> = {}): Row {
  return {
    backend: 'aws',
    instance: 'm5.xlarge',
    region: 'us-east-1',
    price: 0.2,
    cpu: 4,
    memoryGib: 16,
    gpuCount: 0,
    gpuName: null,
    gpuMemoryGib: null,
    gpuVendor: null,
    spot: false,
    diskGib: null,
    flags: [],
    arch: 'x86',
    ...overrides,
  };
}

export function gpuRow(
  gpuName: string,
  gpuCount: number,
  gpuMemoryGib: number,
  overrides: Partial<Row> = {},
): Row {
  return row({
    instance: `${gpuCount}x${gpuName}`,
    gpuName,
    gpuCount,
    gpuMemoryGib,
    gpuVendor: 'nvidia',
    ...overrides,
  });
}

/** Asks for nothing. */
export function query({
  gpu,
  ...overrides
}: Partial<Omit<Query, 'gpu'>> & { readonly gpu?: Partial<Query['gpu']> } = {}): Query {
  return {
    cpu: { min: 0, max: null },
    arch: null,
    memoryGib: { min: 0, max: null },
    diskGib: { min: 0, max: null },
    spot: 'auto',
    maxPrice: null,
    backends: null,
    regions: null,
    availabilityZones: null,
    instanceTypes: null,
    allowedFlags: null,
    features: [],
    gpu: {
      vendor: null,
      names: [],
      count: { min: 0, max: null },
      memoryGib: null,
      totalMemoryGib: null,
      computeCapability: null,
      ...gpu,
    },
    ...overrides,
  };
}

const CPUS = [1, 2, 4, 8, 64];
const MEMORY = [2, 7.5, 16, 64, 512];
const DISKS = [20, 100, 500, 20_000];
const GPUS = [
  { gpuName: 'A100', gpuMemoryGib: 40, gpuVendor: 'nvidia' },
  { gpuName: 'A100', gpuMemoryGib: 80, gpuVendor: 'nvidia' },
  { gpuName: 'T4', gpuMemoryGib: 16, gpuVendor: 'nvidia' },
  { gpuName: 'T4G', gpuMemoryGib: 16, gpuVendor: 'nvidia' },
  { gpuName: 'MI300X', gpuMemoryGib: 192, gpuVendor: 'amd' },
  { gpuName: 'v5litepod-8', gpuMemoryGib: 0, gpuVendor: 'google' },
  { gpuName: null, gpuMemoryGib: null, gpuVendor: 'nvidia' },
];
const COUNTS = [1, 2, 8];
const PLACES = [
  { backend: 'aws', region: 'us-east-1' },
  { backend: 'aws', region: 'eu-west-1' },
  { backend: 'gcp', region: 'us-east1-b' },
  { backend: 'gcp', region: 'us-east1-c' },
  { backend: 'lambda', region: 'us-east-1' },
];
const PRICES = [0.1, 0.5, 1, 2.095, 30];
const FLAGS = ['oci-spot', 'new-kind'];
const NAMES = ['small', 'Large', 'huge'];

/** Few values for everything, so that rows are alike and queries often miss by one thing. */
export const anyRow: fc.Arbitrary<Row> = fc
  .tuple(
    fc.constantFrom(...PLACES),
    fc.oneof(
      fc.constant({ gpuCount: 0, gpuName: null, gpuMemoryGib: null, gpuVendor: null }),
      fc
        .tuple(fc.constantFrom(...COUNTS), fc.constantFrom(...GPUS))
        .map(([gpuCount, gpu]) => ({ gpuCount, ...gpu })),
    ),
    fc.record({
      instance: fc.constantFrom(...NAMES),
      price: fc.constantFrom(...PRICES),
      cpu: fc.constantFrom(...CPUS),
      memoryGib: fc.constantFrom(...MEMORY),
      spot: fc.boolean(),
      diskGib: fc.option(fc.constantFrom(...DISKS)),
      flags: fc.subarray(FLAGS),
      arch: fc.constantFrom('x86' as const, 'arm' as const),
    }),
  )
  .map(([place, gpus, rest]) => ({ ...place, ...gpus, ...rest }));

export const anyQuery: fc.Arbitrary<Query> = fc.record({
  cpu: anyRange(CPUS),
  arch: seldom(fc.constantFrom('x86' as const, 'arm' as const)),
  memoryGib: anyRange(MEMORY),
  diskGib: anyRange(DISKS),
  spot: fc.constantFrom('spot' as const, 'on-demand' as const, 'auto' as const),
  maxPrice: seldom(fc.constantFrom(...PRICES)),
  backends: someOf(['aws', 'GCP', 'lambdalabs']),
  regions: someOf(['US-east-1', 'us-east1', 'us-east1-c']),
  availabilityZones: someOf(['us-east-1a', 'us-east1-b']),
  instanceTypes: someOf(['SMALL', 'large']),
  allowedFlags: someOf(FLAGS),
  features: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.subarray(['privileged' as const, 'volumes' as const, 'reservation' as const]),
  ),
  gpu: fc.record({
    vendor: seldom(fc.constantFrom('nvidia', 'amd')),
    names: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray(['a100', 'T4', 'mi300x'])),
    count: anyRange([0, ...COUNTS]),
    memoryGib: seldom(anyRange([16, 40, 80])),
    totalMemoryGib: seldom(anyRange([16, 80, 640])),
    computeCapability: seldom(fc.constantFrom('7.5', '8.0', '12.0')),
  }),
});

// Private

/** Mostly null, so that something matches. */
function seldom<Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, arbitrary);
}

function anyRange(values: readonly number[]) {
  const bounded = fc
    .tuple(fc.constantFrom(...values), fc.option(fc.constantFrom(...values), { freq: 2 }))
    .map(([a, b]) => ({ min: Math.min(a, b ?? a), max: b === null ? null : Math.max(a, b) }));
  return fc.oneof({ weight: 2, arbitrary: fc.constant({ min: 0, max: null }) }, bounded);
}

function someOf(values: readonly string[]) {
  return seldom(fc.subarray([...values], { minLength: 1 }));
}
