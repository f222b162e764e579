// What is looked for in a price list: a placement with every default filled in.
import type { Placement, ProcessSpec, Range } from '../../schemas/desired.ts';
import { vendorOf } from './gpus.ts';

export interface Query {
  readonly cpu: Range;
  /** null: any. */
  readonly arch: 'x86' | 'arm' | null;
  readonly memoryGib: Range;
  readonly diskGib: Range;
  readonly gpu: GpuQuery;
  readonly spot: 'spot' | 'on-demand' | 'auto';
  /** USD per hour, itself included. */
  readonly maxPrice: number | null;
  readonly backends: readonly string[] | null;
  readonly regions: readonly string[] | null;
  readonly availabilityZones: readonly string[] | null;
  readonly instanceTypes: readonly string[] | null;
  /** A row with any other flag is not shown; null: every row is. */
  readonly allowedFlags: readonly string[] | null;
  /** What a backend must be able to do. */
  readonly features: readonly Feature[];
}

/** By the fields that ask for them: containers with all rights, folders of the machine, reserved capacity. */
export type Feature = 'privileged' | 'volumes' | 'reservation';

/** What of a process tells which machine it needs. */
export type Machine = Pick<ProcessSpec, 'image' | 'docker'> &
  Partial<Pick<ProcessSpec, 'privileged' | 'volumes'>>;

export interface GpuQuery {
  /** null: any. */
  readonly vendor: string | null;
  /** Any one of these; empty: any at all. */
  readonly names: readonly string[];
  /** From 0: a machine without GPUs will do, whatever else is asked of them. */
  readonly count: Range;
  /** Of each. */
  readonly memoryGib: Range | null;
  readonly totalMemoryGib: Range | null;
  /** At least, as `8.0`. */
  readonly computeCapability: string | null;
}

/**
 * Fills in the defaults of the language. Without `image` and `docker` the process runs in the default image, which is for
 * x86 and NVIDIA only; when the process is not known, nothing is inferred from it.
 */
export function queryOf(placement: Placement, process?: Machine): Query {
  const { cpu, memoryGib, diskGib, gpu } = placement.requirement;
  const plain = process !== undefined && process.image === null;
  return {
    cpu: cpu?.count ?? { min: 2, max: null },
    arch: cpu?.arch ?? (plain || process?.docker ? 'x86' : null),
    memoryGib: memoryGib ?? { min: 8, max: null },
    diskGib: diskGib ?? { min: 100, max: null },
    gpu: withVendor(gpu ?? ANY_GPU, plain && !process.docker),
    spot: placement.spotPolicy,
    maxPrice: placement.maxPrice,
    backends: placement.backends,
    regions: placement.regions,
    availabilityZones: placement.availabilityZones,
    instanceTypes: placement.instanceTypes,
    allowedFlags: KNOWN_FLAGS,
    features: featuresOf(placement, process),
  };
}

// Private

/** What the backends here know how to handle; lists hide newer kinds of offers behind flags of their own. */
const KNOWN_FLAGS = [
  'oci-spot',
  'lambda-arm',
  'gcp-a4',
  'gcp-g4',
  'gcp-dws-calendar-mode',
  'runpod-cpu',
  'runpod-cluster',
];

const ANY_GPU: GpuQuery = {
  vendor: null,
  names: [],
  count: { min: 0, max: null },
  memoryGib: null,
  totalMemoryGib: null,
  computeCapability: null,
};

function featuresOf({ reservation }: Placement, process: Machine | undefined): Feature[] {
  const { docker = false, privileged = false, volumes = [] } = process ?? {};
  const needsFolders = volumes.some((volume) => 'instance_path' in volume && volume.optional !== true);
  return [
    ...(docker || privileged ? ['privileged' as const] : []),
    ...(needsFolders ? ['volumes' as const] : []),
    ...(reservation === null ? [] : ['reservation' as const]),
  ];
}

/** Names that are all known, and of one vendor, tell it; without names the default image does. */
function withVendor(gpu: GpuQuery, inDefaultImage: boolean): GpuQuery {
  if (gpu.vendor !== null || gpu.count.max === 0) return gpu;
  if (gpu.names.length === 0) return inDefaultImage ? { ...gpu, vendor: 'nvidia' } : gpu;
  const vendors = gpu.names.map(vendorOf);
  const [first = null] = vendors;
  return vendors.every((vendor) => vendor === first) ? { ...gpu, vendor: first } : gpu;
}
