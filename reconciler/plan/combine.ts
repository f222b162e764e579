// What a service asks for and what a fleet allows, as one: lists and ranges are intersected, the lower price limit counts
// (services.md 3.2 of the reference). null: they exclude each other.
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import { isNamed, regionOfZone } from './fits.ts';

export function combine(a: Placement, b: Placement): Placement | null {
  const requirement = requirementOf(a.requirement, b.requirement);
  const backends = shared(a.backends, b.backends);
  const regions = sharedRegions(a.regions, b.regions);
  const availabilityZones = shared(a.availabilityZones, b.availabilityZones);
  const instanceTypes = shared(a.instanceTypes, b.instanceTypes);
  const isEmpty = [backends, regions, availabilityZones, instanceTypes].some((list) => list?.length === 0);
  const spotPolicy = one(openly(a.spotPolicy), openly(b.spotPolicy));
  const reservation = one(a.reservation, b.reservation);
  if (requirement === 'none' || isEmpty || spotPolicy === undefined || reservation === undefined) return null;
  return {
    requirement,
    backends,
    regions,
    availabilityZones,
    instanceTypes,
    spotPolicy: spotPolicy ?? 'auto',
    maxPrice: least(a.maxPrice, b.maxPrice),
    reservation,
    fleets: null,
  };
}

/** Asks for nothing. */
export const ANYWHERE: Placement = {
  requirement: { cpu: null, memoryGib: null, diskGib: null, gpu: null },
  backends: null,
  regions: null,
  availabilityZones: null,
  instanceTypes: null,
  spotPolicy: 'auto',
  maxPrice: null,
  reservation: null,
  fleets: null,
};

// Private

/** Of two wishes, null for none, the one that counts; undefined: they differ. */
function one<T>(a: T | null, b: T | null): T | null | undefined {
  return a === null || b === null || a === b ? (a ?? b) : undefined;
}

function openly(policy: Placement['spotPolicy']): 'spot' | 'on-demand' | null {
  return policy === 'auto' ? null : policy;
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Case does not matter. */
function shared(a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null {
  if (a === null || b === null) return a ?? b;
  return a.filter((name) => isNamed(b, name));
}

/** Of a region and a zone in it, the zone is what they share. */
function sharedRegions(a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null {
  if (a === null || b === null) return a ?? b;
  const zones = b.filter((name) => !isNamed(a, name) && isNamed(a, regionOfZone(name)));
  return [...a.filter((name) => isNamed(b, name) || isNamed(b, regionOfZone(name))), ...zones];
}

/** A range that holds nothing (`min` above `max`) is what two that do not meet have in common. */
function overlap(a: Range | null, b: Range | null): Range | null {
  if (a === null || b === null) return a ?? b;
  return { min: Math.max(a.min, b.min), max: least(a.max, b.max) };
}

function isNothing(range: Range | null): boolean {
  return range !== null && range.max !== null && range.min > range.max;
}

function requirementOf(a: Requirement, b: Requirement): Requirement | 'none' {
  const cpu = a.cpu && b.cpu ? cpuOf(a.cpu, b.cpu) : (a.cpu ?? b.cpu);
  const gpu = a.gpu && b.gpu ? gpuOf(a.gpu, b.gpu) : (a.gpu ?? b.gpu);
  const memoryGib = overlap(a.memoryGib, b.memoryGib);
  const diskGib = overlap(a.diskGib, b.diskGib);
  if (cpu === 'none' || gpu === 'none' || isNothing(memoryGib) || isNothing(diskGib)) return 'none';
  return { cpu, memoryGib, diskGib, gpu };
}

type Cpu = NonNullable<Requirement['cpu']>;
type Gpu = NonNullable<Requirement['gpu']>;

function cpuOf(a: Cpu, b: Cpu): Cpu | 'none' {
  const arch = one(a.arch, b.arch);
  const count = overlap(a.count, b.count) ?? a.count;
  return arch === undefined || isNothing(count) ? 'none' : { arch, count };
}

function gpuOf(a: Gpu, b: Gpu): Gpu | 'none' {
  const vendor = one(a.vendor, b.vendor);
  const names = shared(anyOf(a.names), anyOf(b.names));
  const count = overlap(a.count, b.count) ?? a.count;
  const memoryGib = overlap(a.memoryGib, b.memoryGib);
  const totalMemoryGib = overlap(a.totalMemoryGib, b.totalMemoryGib);
  const ranges = [count, memoryGib, totalMemoryGib];
  if (vendor === undefined || names?.length === 0 || ranges.some(isNothing)) return 'none';
  const computeCapability = lower(a.computeCapability, b.computeCapability);
  return { vendor, names: names ?? [], count, memoryGib, totalMemoryGib, computeCapability };
}

function anyOf(names: readonly string[]): readonly string[] | null {
  return names.length > 0 ? names : null;
}

/** As the reference has it: the lower of the two is enough. */
function lower(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  const [x, y] = [a, b].map((text) => text.split('.').map(Number));
  const difference = (x?.[0] ?? 0) - (y?.[0] ?? 0) || (x?.[1] ?? 0) - (y?.[1] ?? 0);
  return difference <= 0 ? a : b;
}
