// The order in which rows are offered: cheapest first, and always the same among equals.
import type { Row } from './row.ts';

/** Total up to rows that are the same in everything. */
export function compareRows(a: Row, b: Row): number {
  return (
    a.price - b.price ||
    compare(a.backend, b.backend) ||
    compare(a.region, b.region) ||
    compare(a.instance, b.instance) ||
    Number(a.spot) - Number(b.spot) ||
    compareResources(a, b)
  );
}

// Private

/** The smaller machine first: a list may price several under one name. */
function compareResources(a: Row, b: Row): number {
  return (
    a.cpu - b.cpu ||
    a.memoryGib - b.memoryGib ||
    a.gpuCount - b.gpuCount ||
    compare(a.gpuName ?? '', b.gpuName ?? '') ||
    (a.gpuMemoryGib ?? 0) - (b.gpuMemoryGib ?? 0) ||
    compare(a.gpuVendor ?? '', b.gpuVendor ?? '') ||
    (a.diskGib ?? 0) - (b.diskGib ?? 0) ||
    compare(a.arch, b.arch) ||
    compare(a.flags.join(' '), b.flags.join(' '))
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
