// From what a volume's file says to the spec that is decided by.
import type { Volume } from './surroundings.ts';
import type { VolumeSpec } from './volume.ts';

export function volumeSpecOf(volume: Volume, name: string): VolumeSpec {
  const zone = 'availability_zone' in volume ? volume.availability_zone : null;
  const existing =
    'claim_name' in volume ? volume.claim_name : 'volume_id' in volume ? volume.volume_id : null;
  return {
    name,
    backend: volume.backend,
    region: volume.region,
    zone: zone ?? null,
    sizeGib: volume.size ?? 0,
    existing: existing ?? null,
    refusal: volume.size == null && !existing ? 'it needs a `size`, or the id of a volume that exists' : null,
  };
}
