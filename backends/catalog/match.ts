// Whether a row is what a query asks for: one function for each requirement, named as people are told of it. This is the
// rule; the index only gets there faster.
import type { Range } from '../../schemas/desired.ts';
import { diskOf } from './disk.ts';
import { hasFeature } from './features.ts';
import { capabilityOf, compareCapabilities } from './gpus.ts';
import type { Feature, GpuQuery, Query } from './query.ts';
import { backendName, mayBeIn, type Row, regionOf } from './row.ts';

/** What a query asks of some fields of a row; null: nothing. */
export type Rule<Field extends keyof Row = keyof Row> = (query: Query) => Test<Field> | null;
type Test<Field extends keyof Row> = (row: Pick<Row, Field>) => boolean;

const backends: Rule<'backend'> = (query) => {
  const names = query.backends?.map(backendName);
  return names ? ({ backend }) => names.includes(backend) : null;
};

/** `gcp` is listed by zone, and asked for by region or by zone. */
const regions: Rule<'backend' | 'region'> = (query) => {
  const names = query.regions?.map(lower);
  return names ? (row) => names.includes(lower(row.region)) || names.includes(lower(regionOf(row))) : null;
};

const zones: Rule<'backend' | 'region'> = ({ availabilityZones: names }) =>
  names && ((row) => names.some((zone) => mayBeIn(row, zone)));

const instanceTypes: Rule<'instance'> = (query) => {
  const names = query.instanceTypes?.map(lower);
  return names ? ({ instance }) => names.includes(lower(instance)) : null;
};

const spotPolicy: Rule<'spot'> = (query) =>
  query.spot === 'auto' ? null : ({ spot }) => spot === (query.spot === 'spot');

const maxPrice: Rule<'price'> = ({ maxPrice: most }) => (most === null ? null : ({ price }) => price <= most);

function feature(asked: Feature): Rule<'backend'> {
  return ({ features }) => (features.includes(asked) ? ({ backend }) => hasFeature(backend, asked) : null);
}

const cpu: Rule<'cpu'> = (query) => (row) => within(row.cpu, query.cpu);

const arch: Rule<'arch'> = (query) => query.arch && ((row) => row.arch === query.arch);

const memory: Rule<'memoryGib'> = (query) => (row) => within(row.memoryGib, query.memoryGib);

const disk: Rule<'backend' | 'diskGib'> = (query) => (row) => diskOf(row, query.diskGib) !== null;

/** A machine without GPUs meets them all where none is a right number of them. */
function ofGpus<Field extends keyof Row>(
  rule: (gpu: GpuQuery) => Test<Field> | null,
): Rule<Field | 'gpuCount'> {
  return ({ gpu }) => {
    const test = rule(gpu);
    return test && ((row) => (gpu.count.min === 0 && row.gpuCount === 0) || test(row));
  };
}

const gpuVendor = ofGpus<'gpuVendor'>(({ vendor }) =>
  vendor === null ? null : (row) => row.gpuVendor === vendor,
);

const gpuName = ofGpus<'gpuName'>((gpu) => {
  const names = gpu.names.map(lower);
  return names.length > 0 ? (row) => row.gpuName !== null && names.includes(lower(row.gpuName)) : null;
});

const gpuCount = ofGpus<'gpuCount'>(
  ({ count }) =>
    (row) =>
      within(row.gpuCount, count),
);

const gpuMemory = ofGpus<'gpuCount' | 'gpuMemoryGib'>(
  ({ memoryGib }) =>
    memoryGib && ((row) => within(row.gpuCount > 0 ? (row.gpuMemoryGib ?? 0) : 0, memoryGib)),
);

const gpuTotalMemory = ofGpus<'gpuCount' | 'gpuMemoryGib'>(
  ({ totalMemoryGib }) =>
    totalMemoryGib && ((row) => within(row.gpuCount * (row.gpuMemoryGib ?? 0), totalMemoryGib)),
);

const gpuCapability = ofGpus<'gpuName' | 'gpuVendor'>(({ computeCapability: least }) =>
  least === null
    ? null
    : (row) => {
        const capability = row.gpuVendor === 'nvidia' ? capabilityOf(row.gpuName ?? '') : null;
        return capability !== null && compareCapabilities(capability, least) >= 0;
      },
);

/** What a configuration can ask for, by its names in `exclusionSchema`. */
export const REQUIREMENTS = {
  max_price: maxPrice,
  spot_policy: spotPolicy,
  backends,
  regions,
  availability_zones: zones,
  instance_types: instanceTypes,
  reservation: feature('reservation'),
  privileged: feature('privileged'),
  volumes: feature('volumes'),
  cpu,
  'cpu.arch': arch,
  memory,
  disk,
  'gpu.vendor': gpuVendor,
  'gpu.name': gpuName,
  'gpu.count': gpuCount,
  'gpu.memory': gpuMemory,
  'gpu.total_memory': gpuTotalMemory,
  'gpu.compute_capability': gpuCapability,
} as const;

export type Requirement = keyof typeof REQUIREMENTS;

/** Whether everything that sets the row apart is something that the reader knows of. */
export const isShown: Rule<'flags'> = ({ allowedFlags: known }) =>
  known && (({ flags }) => flags.every((flag) => known.includes(flag)));

export function matches(row: Row, query: Query): boolean {
  return matcherOf(query)(row);
}

/** The same, for many rows. */
export function matcherOf(query: Query): (row: Row) => boolean {
  const tests = RULES.map((rule) => rule(query)).filter((test) => test !== null);
  return (row) => tests.every((test) => test(row));
}

// Private

const RULES: readonly Rule[] = [isShown, ...Object.values(REQUIREMENTS)];

function within(value: number, { min, max }: Range): boolean {
  return value >= min && (max === null || value <= max);
}

function lower(text: string): string {
  return text.toLowerCase();
}
