// What the machines of a fleet cost that no service's price has: those that nobody uses. USD per hour.
import type { DesiredFleet, FleetState, Machine } from '../../../schemas/fleet.ts';
import type { Market } from '../../../schemas/offer.ts';
import type { Price } from '../../../schemas/plan.ts';
import { satisfies } from '../fits.ts';
import { place } from '../place.ts';
import { rounded } from '../price.ts';
import type { Demand, Occupancy } from './kept.ts';
import { isIdle, isStaying } from './lend.ts';

/**
 * What is there is priced as it was bought, further machines that are kept by the cheapest offer. `steady`, `most`: with
 * services at the counts that they begin with, and at their highest, where the fleet keeps less beyond them.
 */
export function fleetPrice(
  { is, state }: { readonly is: DesiredFleet | null; readonly state: FleetState | null },
  market: Market | undefined,
  steady: Occupancy | undefined,
  most: Occupancy | undefined,
): Price {
  const unused = state?.machines.filter(({ guest }) => guest === null) ?? [];
  const stays = unused.filter(
    (machine) => is && isStaying(machine) && satisfies(machine.offer, is.spec.placement),
  );
  const unit = unitOf(market) ?? 0;
  const priceOf = (count: number) => sum(stays.slice(0, count)) + Math.max(0, count - stays.length) * unit;
  const now = sum(unused);
  const settled = priceOf(steady?.spare ?? 0);
  const first = priceOf(atFirst(is, state, steady));
  return {
    now: rounded(now),
    steady: rounded(settled),
    steadyMax: rounded(priceOf(most?.spare ?? 0)),
    peak: rounded(Math.max(now, settled, first)),
  };
}

/** Of one more machine; null: nothing is for sale. */
export function unitOf(market: Market | undefined): number | null {
  const choice = place({ kind: 'offers', offers: market?.offers ?? [] });
  return choice.kind === 'offer' ? choice.offer.price : null;
}

/** Of idle machines that new replicas take over: they are paid for already, though those replicas cost as much. */
export function takenPrice(fleets: readonly FleetState[], fresh: readonly Demand[]): number {
  const idle = new Map(fleets.map(({ fleet, machines }) => [fleet, machines.filter(isIdle)]));
  const taken: Machine[] = [];
  for (const { fleets: names, count } of fresh) {
    let left = count;
    for (const name of names) {
      const own = idle.get(name)?.splice(0, left) ?? [];
      left -= own.length;
      taken.push(...own);
    }
  }
  return sum(taken);
}

// Private

/** `nodes.target` may be more than what is kept later. */
function atFirst(is: DesiredFleet | null, state: FleetState | null, steady: Occupancy | undefined): number {
  if (!is || !steady) return 0;
  const { min, target } = is.spec.nodes;
  return Math.max(0, (state?.isBegun ? min : Math.max(min, target)) - steady.used);
}

function sum(machines: readonly Machine[]): number {
  return machines.reduce((total, { offer }) => total + offer.price, 0);
}
