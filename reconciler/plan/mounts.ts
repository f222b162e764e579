// Network volumes among the volumes of a process, and those that the machine of a replica holds.
import type { ProcessSpec } from '../../schemas/desired.ts';
import type { Replica } from '../../schemas/rollout.ts';

type Mount = ProcessSpec['volumes'][number];

/** Others are folders of the machine. */
export function isNetworkVolume(mount: Mount): boolean {
  return mount.name !== undefined;
}

/** Any of these will do. */
export function namesOf({ name }: Mount): string[] {
  return [name].flat().filter((each) => typeof each === 'string');
}

/** Held from the moment it is placed until nothing of it is left. */
export function volumesOf({ offer }: Pick<Replica, 'offer'>): readonly string[] {
  return offer.mounted?.map(({ volume }) => volume) ?? [];
}
