// What the fake cloud sells: offers, and which of them fit a placement.
import type { Placement, Range } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';

export function sameOffer(a: Offer, b: Offer): boolean {
  return a.region === b.region && a.instance === b.instance && a.spot === b.spot;
}

/** Cheapest first; a total order. */
export function byPrice(a: Offer, b: Offer): number {
  return a.price - b.price || compare(a.region, b.region) || compare(a.instance, b.instance);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function fits(
  { backend, region, instance, resources, spot, price }: Offer,
  placement: Placement,
): boolean {
  const { cpu, memoryGib, diskGib, gpu } = placement.requirement;
  const named = resources.gpus.filter((each) => !gpu?.names.length || gpu.names.includes(each.name));
  return (
    (placement.backends?.includes(backend) ?? true) &&
    (placement.regions?.includes(region) ?? true) &&
    (placement.instanceTypes?.includes(instance) ?? true) &&
    (placement.spotPolicy === 'auto' || (placement.spotPolicy === 'spot') === spot) &&
    price <= (placement.maxPrice ?? Number.POSITIVE_INFINITY) &&
    inRange(resources.cpus, cpu?.count ?? null) &&
    inRange(resources.memoryGib, memoryGib) &&
    inRange(resources.diskGib, diskGib) &&
    inRange(named.length, gpu?.count ?? null)
  );
}

function inRange(value: number, range: Range | null): boolean {
  return range === null || (value >= range.min && value <= (range.max ?? Number.POSITIVE_INFINITY));
}
