// A query with one requirement less.
import type { Requirement } from './match.ts';
import type { Feature, GpuQuery, Query } from './query.ts';

export function without(query: Query, requirement: Requirement): Query {
  return { ...query, ...GONE[requirement](query) };
}

// Private

const ANY = { min: 0, max: null };

const GONE: { readonly [name in Requirement]: (query: Query) => Partial<Query> } = {
  max_price: () => ({ maxPrice: null }),
  spot_policy: () => ({ spot: 'auto' }),
  backends: () => ({ backends: null }),
  regions: () => ({ regions: null }),
  availability_zones: () => ({ availabilityZones: null }),
  instance_types: () => ({ instanceTypes: null }),
  reservation: feature('reservation'),
  privileged: feature('privileged'),
  volumes: feature('volumes'),
  cpu: () => ({ cpu: ANY }),
  'cpu.arch': () => ({ arch: null }),
  memory: () => ({ memoryGib: ANY }),
  disk: () => ({ diskGib: ANY }),
  'gpu.vendor': gpu(() => ({ vendor: null })),
  'gpu.name': gpu(() => ({ names: [] })),
  // Any number, but whoever asks for a GPU is not helped by none.
  'gpu.count': gpu(({ count }) => ({ count: { min: Math.min(count.min, 1), max: null } })),
  'gpu.memory': gpu(() => ({ memoryGib: null })),
  'gpu.total_memory': gpu(() => ({ totalMemoryGib: null })),
  'gpu.compute_capability': gpu(() => ({ computeCapability: null })),
};

function feature(asked: Feature): (query: Query) => Partial<Query> {
  return ({ features }) => ({ features: features.filter((each) => each !== asked) });
}

function gpu(change: (gpu: GpuQuery) => Partial<GpuQuery>): (query: Query) => Partial<Query> {
  return (query) => ({ gpu: { ...query.gpu, ...change(query.gpu) } });
}
