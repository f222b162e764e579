// Disks that are chosen when the instance is made: how small and how large they may be.
import type { Range } from '../../schemas/desired.ts';
import type { Row } from './row.ts';

/** GiB that the instance would have: of a fixed disk its size, else the smallest that does; null: none does. */
export function diskOf({ backend, diskGib }: Pick<Row, 'backend' | 'diskGib'>, wanted: Range): number | null {
  const size = nearestDisk({ backend, diskGib }, wanted);
  return size >= wanted.min && (wanted.max === null || size <= wanted.max) ? size : null;
}

/** The size closest to what is wanted that the instance can have. Where any will do, it is the usual one. */
export function nearestDisk({ backend, diskGib }: Pick<Row, 'backend' | 'diskGib'>, wanted: Range): number {
  const { min, max } = sizesAt(backend);
  const least = wanted.min === 0 && wanted.max === null ? USUAL_GIB : wanted.min;
  return diskGib ?? Math.min(Math.max(min, least), max ?? Number.POSITIVE_INFINITY);
}

// Private

const USUAL_GIB = 100;

function sizesAt(backend: string): Range {
  return SIZES.get(backend) ?? { min: 1, max: null };
}

/**
 * GiB. The least is what a system image with container tools and drivers takes there, the most is what one volume can
 * have, as dstack 0.22 (2026) asks of each.
 */
const SIZES: ReadonlyMap<string, Range> = new Map([
  ['aws', { min: 100, max: 16_384 }],
  ['azure', { min: 30, max: 4095 }],
  ['crusoe', { min: 50, max: 5000 }],
  ['gcp', { min: 20, max: 32_768 }],
  ['jarvislabs', { min: 100, max: null }],
  ['nebius', { min: 40, max: 8192 }],
  ['oci', { min: 50, max: 32_768 }],
  ['verda', { min: 50, max: null }],
]);
