// One line of a price list. A row promises nothing: it is what somebody published, on the day of publication.

/** The columns of a list as gpuhunt publishes it, provider included, less what nothing here reads. */
export interface Row {
  /** As a configuration names it. */
  readonly backend: string;
  readonly instance: string;
  /** Where, as the list names it: a region; of `gcp` a zone. */
  readonly region: string;
  /** USD per hour, of the whole instance. */
  readonly price: number;
  readonly cpu: number;
  readonly memoryGib: number;
  readonly gpuCount: number;
  readonly gpuName: string | null;
  /** Of each GPU. */
  readonly gpuMemoryGib: number | null;
  readonly gpuVendor: string | null;
  readonly spot: boolean;
  /** null: chosen when the instance is made. */
  readonly diskGib: number | null;
  /** What a reader must know how to handle to be shown the row. */
  readonly flags: readonly string[];
  readonly arch: 'x86' | 'arm';
}

/** Lists and older configurations have other names for some backends. */
export function backendName(name: string): string {
  const lower = name.toLowerCase();
  return ALIASES.get(lower) ?? lower;
}

/** `us-central1` of a row in `us-central1-a` of `gcp`. */
export function regionOf({ backend, region }: Pick<Row, 'backend' | 'region'>): string {
  return backend === 'gcp' ? region.replace(/-[a-z]$/, '') : region;
}

/** Whether an instance of this row could be in that zone. Zones that do not tell their region are not known here. */
export function mayBeIn({ backend, region }: Pick<Row, 'backend' | 'region'>, zone: string): boolean {
  if (backend === 'gcp') return zone === region;
  return backend === 'aws' && zone.slice(0, -1) === region && /[a-z]$/.test(zone);
}

// Private

const ALIASES = new Map([
  ['lambdalabs', 'lambda'],
  ['datacrunch', 'verda'],
]);
