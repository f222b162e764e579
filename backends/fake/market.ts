// What the fake cloud sells: offers, and which of them fit a placement, by the rules of the reference (services.md 3.3).
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import type { Gpu, Offer } from '../../schemas/offer.ts';

export function sameOffer(a: Offer, b: Offer): boolean {
  return a.region === b.region && a.instance === b.instance && a.spot === b.spot;
}

/** Cheapest first; a total order. */
export function byPrice(a: Offer, b: Offer): number {
  return a.price - b.price || compare(a.region, b.region) || compare(a.instance, b.instance);
}

export function fits(offer: Offer, placement: Placement): boolean {
  const { backend, region, instance, resources, spot, price } = offer;
  const { cpu, memoryGib, diskGib, gpu } = placement.requirement;
  return (
    isNamed(placement.backends, backend) &&
    isNamed(placement.regions, region) &&
    isNamed(placement.instanceTypes, instance) &&
    (placement.spotPolicy === 'auto' || (placement.spotPolicy === 'spot') === spot) &&
    price <= (placement.maxPrice ?? Number.POSITIVE_INFINITY) &&
    (cpu?.arch ?? resources.arch) === resources.arch &&
    inRange(resources.cpus, cpu?.count ?? null) &&
    inRange(resources.memoryGib, memoryGib) &&
    inRange(resources.diskGib, diskGib) &&
    (gpu === null || hasGpus(resources.gpus, gpu))
  );
}

// Private

function hasGpus(gpus: readonly Gpu[], wanted: NonNullable<Requirement['gpu']>): boolean {
  if (gpus.length === 0) return wanted.count.min === 0;
  const total = gpus.reduce((sum, { memoryGib }) => sum + memoryGib, 0);
  const isOne = ({ name, vendor, memoryGib }: Gpu) =>
    (wanted.names.length === 0 || isNamed(wanted.names, name)) &&
    (wanted.vendor === null || wanted.vendor === vendor) &&
    inRange(memoryGib, wanted.memoryGib);
  return gpus.every(isOne) && inRange(gpus.length, wanted.count) && inRange(total, wanted.totalMemoryGib);
}

/** null: any will do. Case does not matter. */
function isNamed(names: readonly string[] | null, name: string): boolean {
  return names?.some((each) => each.toLowerCase() === name.toLowerCase()) ?? true;
}

function inRange(value: number, range: Range | null): boolean {
  return range === null || (value >= range.min && value <= (range.max ?? Number.POSITIVE_INFINITY));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
