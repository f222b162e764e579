// What a fleet has at once: its idle machines, as offers to whoever they fit.
import type { Placement } from '../../../schemas/desired.ts';
import type { FleetState } from '../../../schemas/fleet.ts';
import type { Offer } from '../../../schemas/offer.ts';
import { satisfies } from '../fits.ts';
import { isIdle } from './lend.ts';

/** `isIdleOnly`: marks them for one that takes no new machine. */
export function idleOffers(
  fleet: string,
  { machines }: Pick<FleetState, 'machines'>,
  wish: Placement,
  isIdleOnly: boolean,
): Offer[] {
  return machines
    .filter((machine) => isIdle(machine) && satisfies(machine.offer, wish))
    .map(({ offer }) => ({ ...offer, availability: 'idle', fleet, ...(isIdleOnly && { isIdleOnly }) }));
}
