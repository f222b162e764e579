// By how much a row misses one requirement, and in words the change that would let it in.
import type { Range } from '../../schemas/desired.ts';
import { nearestDisk } from './disk.ts';
import { capabilityOf } from './gpus.ts';
import type { Requirement } from './match.ts';
import type { Query } from './query.ts';
import { type Row, regionOf } from './row.ts';

export interface Miss {
  /** '' when nothing simple would do. */
  readonly words: string;
  /** In proportion to what was asked for; of what has no size (a region, a name) 1. */
  readonly distance: number;
}

/** Of a row that misses it. */
export function missOf(requirement: Requirement, row: Row, query: Query): Miss {
  return MISSES[requirement](row, query);
}

// Private

const MISSES: { readonly [name in Requirement]: (row: Row, query: Query) => Miss } = {
  max_price: ({ price }, { maxPrice }) => ({
    words: `\`max_price\` ≥ ${dollars(price)}`,
    distance: above(price, maxPrice ?? price),
  }),
  spot_policy: () => other('auto'),
  backends: ({ backend }) => other(backend),
  regions: (row) => other(regionOf(row)),
  availability_zones: (row) => other(row.backend === 'gcp' ? row.region : ''),
  instance_types: ({ instance }) => other(instance),
  reservation: () => other(''),
  privileged: () => other('false'),
  volumes: () => other(''),
  cpu: (row, query) => beyond('cpu', row.cpu, query.cpu),
  'cpu.arch': ({ arch }) => other(arch),
  memory: (row, query) => beyond('memory', row.memoryGib, query.memoryGib, 'GB'),
  disk: (row, { diskGib }) => beyond('disk', nearestDisk(row, diskGib), diskGib, 'GB'),
  'gpu.vendor': ({ gpuVendor }) => other(gpuVendor ?? ''),
  'gpu.name': ({ gpuName }) => other(gpuName ?? ''),
  'gpu.count': ({ gpuCount }, { gpu }) => beyond('gpu.count', gpuCount, gpu.count),
  'gpu.memory': (row, { gpu }) => beyond('gpu.memory', row.gpuMemoryGib ?? 0, gpu.memoryGib, 'GB'),
  'gpu.total_memory': ({ gpuCount, gpuMemoryGib }, { gpu }) =>
    beyond('gpu.total_memory', gpuCount * (gpuMemoryGib ?? 0), gpu.totalMemoryGib, 'GB'),
  'gpu.compute_capability': ({ gpuName }, { gpu }) => incapable(gpuName ?? '', gpu.computeCapability ?? ''),
};

function other(words: string): Miss {
  return { words, distance: 1 };
}

/** One end of the range, as a file says it: `64GB..` must reach down to 64, `..64GB` up to it. */
function beyond(name: string, value: number, range: Range | null, unit = ''): Miss {
  const { min, max } = range ?? { min: value, max: value };
  if (value < min) return { words: `\`${name}: ${downTo(value)}${unit}..\``, distance: (min - value) / min };
  return { words: `\`${name}: ..${upTo(value)}${unit}\``, distance: above(value, max ?? value) };
}

/** The closest hundredth that is no more than the value, which is then still within. */
function downTo(value: number): number {
  const closest = hundredth(value);
  return closest <= value ? closest : hundredth(closest - 0.01);
}

function upTo(value: number): number {
  const closest = hundredth(value);
  return closest >= value ? closest : hundredth(closest + 0.01);
}

function hundredth(value: number): number {
  return Number(value.toFixed(2));
}

function above(value: number, most: number): number {
  return (value - most) / (most || 1);
}

function incapable(name: string, least: string): Miss {
  const capability = capabilityOf(name);
  if (capability === null) return other('');
  return {
    words: `\`gpu.compute_capability: ${capability}\``,
    distance: (Number(least) - Number(capability)) / Number(least),
  };
}

/** Whole cents. */
function dollars(price: number): string {
  return upTo(price).toFixed(2);
}
