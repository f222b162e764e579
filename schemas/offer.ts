// Offers: what a backend would sell now. A hint; the proof is the instance.
import type { Exclusion } from './plan.ts';
import type { Mounted } from './volume.ts';

export interface Gpu {
  readonly name: string;
  readonly vendor: string;
  readonly memoryGib: number;
}

export interface Resources {
  readonly cpus: number;
  readonly arch: 'x86' | 'arm';
  readonly memoryGib: number;
  readonly diskGib: number;
  readonly gpus: readonly Gpu[];
}

export type Availability = 'unknown' | 'available' | 'idle' | 'busy' | 'no-quota' | 'not-available';

export interface Offer {
  readonly backend: string;
  readonly region: string;
  /** The instance type's name; `local` for this machine. */
  readonly instance: string;
  readonly resources: Resources;
  readonly spot: boolean;
  /** USD per hour. */
  readonly price: number;
  readonly availability: Availability;
  /** The fleet whose machine it is, or would be. Absent: it is bought for one replica alone. */
  readonly fleet?: string;
  /** Only one that is idle already, never a new one (`creation_policy: reuse`). Absent: a new one will do. */
  readonly isIdleOnly?: true;
  /** Volumes that are attached for the replica that is placed on it. Absent: none. */
  readonly mounted?: readonly Mounted[];
}

/** What all backends of a project say to one placement. */
export interface Market {
  /** Cheapest first (idle ones before all), in a total order; perhaps only the first of them. */
  readonly offers: readonly Offer[];
  /** All that match. */
  readonly total: number;
  /** Which requirement alone keeps out how many more, nearest miss first. */
  readonly excluded: readonly Exclusion[];
  /** Backends that could not be asked, or did not answer in time. */
  readonly failures: readonly { readonly backend: string; readonly message: string }[];
  /** So many replicas find room at once, however many are for sale. Absent: all. */
  readonly room?: number;
}

/** What is idle costs nothing more; then the cheapest. Total, for offers of different things. */
export function compareOffers(a: Offer, b: Offer): number {
  return (
    Number(b.availability === 'idle') - Number(a.availability === 'idle') ||
    a.price - b.price ||
    compare(a.backend, b.backend) ||
    compare(a.region, b.region) ||
    compare(a.instance, b.instance) ||
    Number(a.spot) - Number(b.spot) ||
    compare(a.fleet ?? '', b.fleet ?? '')
  );
}

// Private

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
