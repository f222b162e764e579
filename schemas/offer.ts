// Offers: what a backend would sell now. A hint; the proof is the instance.

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
}
