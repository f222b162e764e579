// GPUs by their names in price lists: who makes them, what memory they come with, and what CUDA they can. Public facts
// from NVIDIA's "CUDA GPU Compute Capability" page and the makers' data sheets, read August 2026. A name that is not
// here is unknown: nothing is inferred from it, and it meets no bound on compute capability.
import type { VENDORS } from '../../schemas/resources.ts';

export type Vendor = (typeof VENDORS)[number];

/** One model in one size. */
export interface KnownGpu {
  readonly name: string;
  readonly vendor: Vendor;
  /** Of a TPU: of each chip. */
  readonly memoryGib: number;
  /** `8.0`; null: not of NVIDIA. */
  readonly computeCapability: string | null;
}

/** Names in any case. A slice of TPUs is named by generation and size: `v5litepod-8`. */
export function vendorOf(name: string): Vendor | null {
  return (BY_NAME.get(name.toLowerCase()) ?? tpu(name))?.vendor ?? null;
}

/** `8.9` before `10.0`. */
export function compareCapabilities(a: string, b: string): number {
  const [major = 0, minor = 0] = a.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = b.split('.').map(Number);
  return major - otherMajor || minor - otherMinor;
}

/** `8.0`; null: not of NVIDIA, or unknown. */
export function capabilityOf(name: string): string | null {
  return BY_NAME.get(name.toLowerCase())?.computeCapability ?? null;
}

// Private

type Models = { readonly [name: string]: readonly number[] };

/** By compute capability: name -> sizes in GiB. Blackwell Ultra is given the capability of its family, as lists do. */
const NVIDIA: { readonly [capability: string]: Models } = {
  '6.0': { P100: [16] },
  '7.0': { V100: [16, 32] },
  '7.5': {
    T4: [16],
    RTX2060: [6, 12],
    RTX2060SUPER: [8],
    RTX2070: [8],
    RTX2070SUPER: [8],
    RTX2080: [8],
    RTX2080SUPER: [8],
    RTX2080Ti: [11],
    RTX6000: [24],
  },
  '8.0': { A100: [40, 80] },
  '8.6': {
    A10: [24],
    A10G: [24],
    A16: [16],
    A40: [48],
    A4000: [16],
    A4500: [20],
    A5000: [24],
    A6000: [48],
    RTX3050: [6, 8],
    RTX3060: [8, 12],
    RTX3060Ti: [8],
    RTX3070: [8],
    RTX3070Ti: [8],
    RTX3080: [10],
    RTX3080Ti: [12],
    RTX3090: [24],
    RTX3090Ti: [24],
  },
  '8.9': {
    L4: [24],
    L40: [48],
    L40S: [48],
    RTX2000Ada: [16],
    RTX4000Ada: [20],
    RTX6000Ada: [48],
    RTX4060: [8],
    RTX4060Ti: [8, 16],
    RTX4070: [12],
    RTX4070SUPER: [12],
    RTX4070Ti: [12],
    RTX4070TiSUPER: [16],
    RTX4080: [16],
    RTX4080SUPER: [16],
    RTX4090: [24],
  },
  '9.0': { H100: [80], H100NVL: [94], H200: [141], H200NVL: [141], GH200: [96] },
  '10.0': { B200: [180], GB200: [186], B300: [270], GB300: [270] },
  '12.0': {
    RTX5060: [8],
    RTX5060Ti: [8, 16],
    RTX5070: [12],
    RTX5070Ti: [16],
    RTX5080: [16],
    RTX5090: [32],
    RTXPRO4500: [32],
    RTXPRO6000: [96],
  },
};

const AMD: Models = {
  MI100: [32],
  MI210: [64],
  MI250: [128],
  MI250X: [128],
  MI300A: [128],
  MI300X: [192],
  MI308X: [192],
  MI325X: [256],
  MI350X: [288],
  MI355X: [288],
};

const INTEL: Models = { Gaudi: [32], Gaudi2: [96], Gaudi3: [128] };

const TENSTORRENT: Models = {
  n150: [12],
  n300: [24],
  p100a: [28],
  p150: [32],
  p300: [32, 64],
  'tt-galaxy-wh': [12],
  'tt-galaxy-bh': [32],
};

/** Generations. */
const TPU: Models = { v2: [16], v3: [32], v4: [32], v5p: [95], v5litepod: [16], v6e: [32] };

export const KNOWN_GPUS: readonly KnownGpu[] = [
  ...Object.entries(NVIDIA).flatMap(([capability, models]) => known('nvidia', models, capability)),
  ...known('amd', AMD),
  ...known('google', TPU),
  ...known('intel', INTEL),
  ...known('tenstorrent', TENSTORRENT),
];

/** The sizes of one name differ in memory only. Alone, a generation of TPUs is not a name. */
const BY_NAME = new Map(
  KNOWN_GPUS.filter(({ vendor }) => vendor !== 'google').map((gpu) => [gpu.name.toLowerCase(), gpu]),
);

function known(vendor: Vendor, models: Models, computeCapability: string | null = null): KnownGpu[] {
  return Object.entries(models).flatMap(([name, sizes]) =>
    sizes.map((memoryGib) => ({ name, vendor, memoryGib, computeCapability })),
  );
}

function tpu(name: string): KnownGpu | undefined {
  const generation = /^(.+)-\d+$/.exec(name.toLowerCase())?.[1];
  return KNOWN_GPUS.find((gpu) => gpu.vendor === 'google' && gpu.name === generation);
}
