// Whether what runs may stay where it is when a file asks for another placement. Goes by the offer that the replica was
// placed on; what an offer does not tell counts as met only where the file asks for nothing new there.
import type { Placement, Range, Requirement } from '../../schemas/desired.ts';
import type { Gpu, Offer } from '../../schemas/offer.ts';
import { isSameValue } from './same.ts';

/** `before` is the placement by which it was placed, or last allowed to stay. */
export function mayStay(offer: Offer, before: Placement | undefined, after: Placement): boolean {
  if (before && isSameValue(before, after)) return true;
  return satisfies(offer, after) && isUnsaid(before, after);
}

/** Whether what an offer tells is what is asked for. Of zones, reservations and compute capability it tells nothing. */
export function satisfies(offer: Offer, placement: Placement): boolean {
  return isPlaced(offer, placement) && hasResources(offer, placement.requirement);
}

/** Of a zone of GCP, which its offers have in place of a region: it is named after its region. Else the name itself. */
export function regionOfZone(name: string): string {
  return name.replace(/-[a-z]$/i, '');
}

/** null: any will do. Case does not matter. */
export function isNamed(names: readonly string[] | null, name: string): boolean {
  return names?.some((each) => each.toLowerCase() === name.toLowerCase()) ?? true;
}

// Private

/** What is the same machine for every replica is shared by them: there, the file says how much is needed at least. */
const SHARED = 'local';

function isPlaced({ backend, region, instance, spot, price }: Offer, placement: Placement): boolean {
  const { backends, regions, instanceTypes, spotPolicy, maxPrice } = placement;
  return (
    isNamed(backends, backend) &&
    (isNamed(regions, region) || (backend === 'gcp' && isNamed(regions, regionOfZone(region)))) &&
    isNamed(instanceTypes, instance) &&
    (spotPolicy === 'auto' || (spotPolicy === 'spot') === spot) &&
    price <= (maxPrice ?? Number.POSITIVE_INFINITY)
  );
}

function hasResources({ backend, resources }: Offer, { cpu, memoryGib, diskGib, gpu }: Requirement): boolean {
  const reaches = (value: number, range: Range | null) =>
    range === null ||
    (value >= range.min && (backend === SHARED || value <= (range.max ?? Number.POSITIVE_INFINITY)));
  const { cpus, arch, gpus } = resources;
  return (
    (cpu?.arch ?? arch) === arch &&
    reaches(cpus, cpu?.count ?? null) &&
    reaches(resources.memoryGib, memoryGib) &&
    reaches(resources.diskGib, diskGib) &&
    (gpu === null || hasGpus(gpus, gpu, reaches))
  );
}

function hasGpus(
  gpus: readonly Gpu[],
  wanted: NonNullable<Requirement['gpu']>,
  reaches: (value: number, range: Range | null) => boolean,
): boolean {
  const fitting = gpus.filter(
    ({ name, vendor, memoryGib }) =>
      (wanted.names.length === 0 || isNamed(wanted.names, name)) &&
      (wanted.vendor ?? vendor) === vendor &&
      reaches(memoryGib, wanted.memoryGib),
  );
  const total = fitting.reduce((sum, { memoryGib }) => sum + memoryGib, 0);
  if (gpus.length === 0) return wanted.count.min === 0;
  return reaches(fitting.length, wanted.count) && reaches(total, wanted.totalMemoryGib);
}

/** Asked for by nobody, or as before. */
function isUnsaid(before: Placement | undefined, after: Placement): boolean {
  const capability = (placement: Placement | undefined) =>
    placement?.requirement.gpu?.computeCapability ?? null;
  const isSame = (a: unknown, b: unknown) => a === null || isSameValue(a, b);
  return (
    isSame(after.availabilityZones, before?.availabilityZones) &&
    isSame(after.reservation, before?.reservation) &&
    isSame(after.fleets, before?.fleets) &&
    isSame(capability(after), capability(before))
  );
}
