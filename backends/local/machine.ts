// This machine as an offer, and whether it satisfies a placement. What a file writes is a least: a machine with more
// will do, and nothing is subtracted, as the replicas on it share it.
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import type { Gpu, Offer, Resources } from '../../schemas/offer.ts';
import type { Exclusion } from '../../schemas/plan.ts';

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

/** What of a placement this machine does not meet, in the words of price lists, with what it would meet. */
export interface Miss {
  readonly requirement: string;
  /** '' where nothing simple would do. */
  readonly nearest: string;
}

/** None: it satisfies the placement. `price`: what a replica on it is reckoned at. */
export function missesOf(machine: Machine, placement: Placement, price: number): readonly Miss[] {
  const { maxPrice, backends, regions, instanceTypes, spotPolicy } = placement;
  return [
    ...miss('max_price', maxPrice === null || price <= maxPrice, `\`max_price\` ≥ ${dollars(price)}`),
    ...miss('spot_policy', spotPolicy !== 'spot', 'auto'),
    ...miss('backends', names(backends), LOCAL),
    ...miss('regions', names(regions), LOCAL),
    ...miss('instance_types', names(instanceTypes), LOCAL),
    ...miss('availability_zones', placement.availabilityZones === null),
    ...miss('reservation', placement.reservation === null),
    ...miss('fleets', placement.fleets === null),
    ...missedResources(machine, placement.requirement),
  ];
}

/** There is one machine, so all that it misses must give way together. */
export function excludedBy(misses: readonly Miss[]): readonly Exclusion[] {
  if (misses.length === 0) return [];
  const isAlone = misses.length === 1;
  const texts = misses.map(({ requirement, nearest }) =>
    isAlone || nearest === '' || nearest.startsWith('`') ? nearest : `\`${requirement}: ${nearest}\``,
  );
  return [
    {
      requirement: misses.map(({ requirement }) => requirement).join(' + '),
      rows: 1,
      nearest: texts.filter((text) => text !== '').join(' and '),
    },
  ];
}

/** The model in the catalogs' spelling: `NVIDIA A100-SXM4-80GB` is an `A100`, `NVIDIA GeForce RTX 4090` an `RTX4090`. */
export function gpuModel(name: string): string {
  const noise = /^(NVIDIA|Tesla|GeForce|Quadro|SXM\d*|PCIe|HBM\d*e?|\d+GB)$/i;
  const model = name.split(/[\s-]+/).filter((word) => !noise.test(word));
  return model.join('').replace(/^RTX(?=A\d)/, '');
}

// Private

const GIB = 2 ** 30;

type GpuRequirement = NonNullable<Requirement['gpu']>;

function miss(requirement: string, isMet: boolean, nearest = ''): Miss[] {
  return isMet ? [] : [{ requirement, nearest }];
}

function missedResources(machine: Machine, { cpu, memoryGib, diskGib, gpu }: Requirement): Miss[] {
  const { cpus, arch: own, memoryGib: memory, diskGib: disk } = machine.resources;
  return [
    ...miss('cpu', reaches(cpus, cpu?.count ?? null), `\`cpu: ${cpus}..\``),
    ...miss('cpu.arch', (cpu?.arch ?? own) === own, own),
    ...miss('memory', reaches(memory, memoryGib), `\`memory: ${memory}GB..\``),
    ...miss('disk', reaches(disk, diskGib), `\`disk: ${disk}GB..\``),
    ...(gpu === null || gpu.count.min === 0 ? [] : missedGpus(machine, gpu)),
  ];
}

/** The first that is missed: what is asked next is asked of the GPUs that are left. */
function missedGpus(
  { resources: { gpus }, computeCapability: own }: Machine,
  { vendor, names: wanted, count, memoryGib, totalMemoryGib, computeCapability }: GpuRequirement,
): Miss[] {
  const [one] = gpus;
  if (!one) return miss('gpu.count', false, '`gpu.count: 0..`');
  const lower = wanted.map((name) => name.toLowerCase());
  const ofVendor = gpus.filter((gpu) => (vendor ?? gpu.vendor) === gpu.vendor);
  const named = ofVendor.filter(({ name }) => lower.length === 0 || lower.includes(name.toLowerCase()));
  const fitting = named.filter((gpu) => reaches(gpu.memoryGib, memoryGib));
  const total = fitting.reduce((sum, gpu) => sum + gpu.memoryGib, 0);
  const isCapable = computeCapability === null || Number(own) >= Number(computeCapability);
  const misses = [
    miss('gpu.vendor', ofVendor.length > 0, one.vendor),
    miss('gpu.name', named.length > 0, one.name),
    miss('gpu.memory', fitting.length > 0, `\`gpu.memory: ${one.memoryGib}GB..\``),
    miss('gpu.count', reaches(fitting.length, count), `\`gpu.count: ${fitting.length}..\``),
    miss('gpu.total_memory', reaches(total, totalMemoryGib), `\`gpu.total_memory: ${total}GB..\``),
    miss('gpu.compute_capability', isCapable, own === null ? '' : `\`gpu.compute_capability: ${own}\``),
  ];
  return misses.find((each) => each.length > 0) ?? [];
}

function names(wanted: readonly string[] | null): boolean {
  return wanted === null || wanted.some((name) => name.toLowerCase() === LOCAL);
}

/** Whole cents, rounded up so that the price is within. */
function dollars(price: number): string {
  return (Math.ceil(Number((price * 100).toFixed(6))) / 100).toFixed(2);
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
