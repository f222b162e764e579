// Network volumes among the volumes of a process, and those that the machine of a replica holds.
import type { OffersFact } from '../../schemas/actual.ts';
import type { ProcessSpec } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
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

/** Offers whose volumes none of these has taken since they were read. */
export function withoutHeld(
  fact: OffersFact | undefined,
  replicas: readonly Pick<Replica, 'offer'>[],
): OffersFact | undefined {
  if (fact?.kind !== 'offers' || !fact.offers.some(({ mounted }) => mounted)) return fact;
  const held = new Set(replicas.flatMap(volumesOf));
  const isFree = (offer: Offer) => !volumesOf({ offer }).some((volume) => held.has(volume));
  return { ...fact, offers: fact.offers.filter(isFree) };
}

/** Held from the moment it is placed until nothing of it is left. */
export function volumesOf({ offer }: Pick<Replica, 'offer'>): readonly string[] {
  return offer.mounted?.map(({ volume }) => volume) ?? [];
}
