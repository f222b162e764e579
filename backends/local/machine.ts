// This machine as an offer, and whether it satisfies a placement. What a file writes is a least: a machine with more
// will do, and nothing is subtracted, as the replicas on it share it.
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import type { Gpu, Offer, Resources } from '../../schemas/offer.ts';

export const LOCAL = 'local';

export interface Machine {
  readonly resources: Resources;
  /** CUDA compute capability of the GPUs, as `major.minor`; null without one. */
  readonly computeCapability: string | null;
}

/** `folder` is where replicas keep their files: the disk that counts is the one under it. */
export async function readMachine(folder: string): Promise<Machine> {
  const gpus = await nvidiaGpus();
  const resources: Resources = {
    cpus: availableParallelism(),
    arch: arch().startsWith('arm') ? 'arm' : 'x86',
    memoryGib: memoryGib(),
    diskGib: await freeDiskGib(folder),
    gpus: gpus.map(({ gpu }) => gpu),
  };
  return { resources, computeCapability: gpus[0]?.capability ?? null };
}

export async function freeDiskGib(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.floor((bavail * bsize) / GIB);
}

export function offerOf({ resources }: Machine, slotsLeft: number, price: number): Offer {
  return {
    backend: LOCAL,
    region: LOCAL,
    instance: LOCAL,
    resources,
    spot: false,
    price,
    availability: slotsLeft > 0 ? 'available' : 'not-available',
  };
}

export function satisfies(machine: Machine, placement: Placement): boolean {
  return (
    names(placement.backends) &&
    names(placement.regions) &&
    names(placement.instanceTypes) &&
    placement.spotPolicy !== 'spot' &&
    placement.availabilityZones === null &&
    placement.reservation === null &&
    placement.fleets === null &&
    hasResources(machine, placement.requirement)
  );
}

/** The model in the catalogs' spelling: `NVIDIA A100-SXM4-80GB` is an `A100`, `NVIDIA GeForce RTX 4090` an `RTX4090`. */
export function gpuModel(name: string): string {
  const noise = /^(NVIDIA|Tesla|GeForce|Quadro|SXM\d*|PCIe|HBM\d*e?|\d+GB)$/i;
  const model = name.split(/[\s-]+/).filter((word) => !noise.test(word));
  return model.join('').replace(/^RTX(?=A\d)/, '');
}

// Private

const GIB = 2 ** 30;

function hasResources({ resources, computeCapability }: Machine, required: Requirement): boolean {
  const { cpu, memoryGib, diskGib, gpu } = required;
  if (
    cpu !== null &&
    !(reaches(resources.cpus, cpu.count) && (cpu.arch ?? resources.arch) === resources.arch)
  )
    return false;
  if (!reaches(resources.memoryGib, memoryGib) || !reaches(resources.diskGib, diskGib)) return false;
  return gpu === null || gpu.count.min === 0 || hasGpus(resources.gpus, computeCapability, gpu);
}

function hasGpus(
  all: readonly Gpu[],
  capability: string | null,
  gpu: NonNullable<Requirement['gpu']>,
): boolean {
  const wanted = gpu.names.map((name) => name.toLowerCase());
  const fitting = all.filter(
    ({ vendor, name, memoryGib }) =>
      (gpu.vendor ?? vendor) === vendor &&
      (wanted.length === 0 || wanted.includes(name.toLowerCase())) &&
      reaches(memoryGib, gpu.memoryGib),
  );
  const total = fitting.reduce((sum, { memoryGib }) => sum + memoryGib, 0);
  const capable = gpu.computeCapability === null || Number(capability) >= Number(gpu.computeCapability);
  return reaches(fitting.length, gpu.count) && reaches(total, gpu.totalMemoryGib) && capable;
}

function names(wanted: readonly string[] | null): boolean {
  return wanted === null || wanted.some((name) => name.toLowerCase() === LOCAL);
}

function reaches(present: number, wanted: Range | null): boolean {
  return wanted === null || present >= wanted.min;
}

/** Rounded, as a machine sold with 16 GB reports a little less; a container's limit counts. */
function memoryGib(): number {
  const limit = process.constrainedMemory();
  return Math.round((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / GIB);
}

async function nvidiaGpus(): Promise<readonly { readonly gpu: Gpu; readonly capability: string }[]> {
  const query = ['--query-gpu=name,memory.total,compute_cap', '--format=csv,noheader,nounits'];
  const answer = await promisify(execFile)('nvidia-smi', query, { timeout: 10_000 }).catch(() => null);
  const rows = answer?.stdout.split('\n').filter((row) => row.includes(',')) ?? [];
  return rows.map((row) => {
    const [name = '', mib = '', capability = ''] = row.split(',').map((cell) => cell.trim());
    const gpu = { name: gpuModel(name), vendor: 'nvidia', memoryGib: Math.round(Number(mib) / 1024) };
    return { gpu, capability };
  });
}
