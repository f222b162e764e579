// What a commit asks for around its services.
import type { DesiredFleet, FleetState } from './fleet.ts';
import type { DesiredVolume, VolumeState } from './volume.ts';

export type DesiredAround = DesiredFleet | DesiredVolume;

/** By the names of keys: `fleet:pool`. */
export type Around = ReadonlyMap<string, DesiredAround>;

/** Records of what is there of it, by the names of keys. */
export type AroundStates = ReadonlyMap<string, FleetState | VolumeState>;
