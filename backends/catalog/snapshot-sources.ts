// Where the prices of the snapshot come from. Only figures were taken: prices, sizes, names of machines and regions.

export interface Source {
  readonly backend: string;
  /** What of it is as published, and what is not. */
  readonly grade: keyof typeof GRADES;
  /** From when its prices are: a day, a month or a year, as exactly as is known, or the first and the last of them. */
  readonly dates: readonly string[];
  readonly from: string;
}

export const GRADES = {
  A: 'published prices, as they are',
  B: 'partly computed from published figures',
  C: 'partly assumed: where a machine is to be had, its size, or its name',
} as const;

const SKYPILOT = 'the price lists of SkyPilot (skypilot-org/skypilot-catalog)';

/** `2026-07-30`, `2025-04-04 to 2026-07-20`, or that nobody knows. */
export function datesText({ dates }: Source): string {
  return dates.join(' to ') || 'unknown';
}

export const SOURCES: readonly Source[] = [
  {
    backend: 'amddevcloud',
    grade: 'C',
    dates: [],
    from: 'prices and sizes named in posts of the dstack blog; the name of the larger machine is assumed',
  },
  {
    backend: 'aws',
    grade: 'B',
    dates: ['2025-04-04', '2026-07-20'],
    from: 'us-east-1 from Karpenter (aws/karpenter-provider-aws, 2026-07-20), GPU machines elsewhere from tsaol/aws-gpu (2026-01-21), others from yeo/ec2.shop (2025-04-04); spot is on-demand less the saving of the Spot Advisor (alexei-led/spotinfo, 2025-06-28)',
  },
  {
    backend: 'azure',
    grade: 'A',
    dates: ['2026-06-18'],
    from: 'Karpenter (Azure/karpenter-provider-azure), sizes from kubernetes/autoscaler; no spot prices',
  },
  {
    backend: 'digitalocean',
    grade: 'C',
    dates: ['2025-12'],
    from: 'sizes and prices as the doctl command lists them; regions of GPU machines are assumed',
  },
  {
    backend: 'gcp',
    grade: 'B',
    dates: ['2026', '2026-07-30'],
    from: `Cyclenerd/google-cloud-pricing-cost-calculator; TPUs, T4, P100, V100 and A4 from ${SKYPILOT}; an N1 with GPUs is the sum of both`,
  },
  {
    backend: 'hotaisle',
    grade: 'C',
    dates: [],
    from: 'prices and sizes named in posts of the dstack blog',
  },
  { backend: 'jarvislabs', grade: 'C', dates: [], from: `${SKYPILOT}; names of regions are assumed` },
  { backend: 'lambda', grade: 'A', dates: ['2026'], from: `${SKYPILOT}; each machine in each region` },
  { backend: 'nebius', grade: 'A', dates: ['2026'], from: SKYPILOT },
  { backend: 'oci', grade: 'B', dates: ['2026'], from: `${SKYPILOT}; one price in all commercial regions` },
  {
    backend: 'runpod',
    grade: 'C',
    dates: ['2025-07-13'],
    from: 'prices per GPU from carsonpo/gpus, multiplied by the number of GPUs; assumed to be had in every data centre',
  },
  { backend: 'seeweb', grade: 'C', dates: ['2026'], from: `${SKYPILOT}; the region is assumed` },
  {
    backend: 'vastai',
    grade: 'C',
    dates: ['2026'],
    from: `${SKYPILOT}; a market place, of which these are samples with assumed CPUs and memory`,
  },
  { backend: 'verda', grade: 'A', dates: [], from: SKYPILOT },
  {
    backend: 'vultr',
    grade: 'C',
    dates: [],
    from: 'six plans from tests of gpuhunt (dstackai/gpuhunt); far from all',
  },
];
