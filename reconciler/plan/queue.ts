// Who goes first when there is not enough for all: what a service of higher priority waits for, or is asking for at this
// moment, is left to it. Nothing that runs is ended for that, and nobody else waits.
import type { OffersFact } from '../../schemas/actual.ts';
import type { Placement } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { Replica, ServiceState, WaitingReason } from '../../schemas/rollout.ts';
import { targetOf } from './deployments.ts';
import { mayStay } from './fits.ts';
import { fleetsAsked } from './fleet/asked.ts';

/** A service that lacks replicas: nothing could be had for them, nobody has answered yet, or something must come first. */
export interface Queued {
  readonly service: string;
  readonly priority: number;
  /** Where they may be placed; `fleets` are all that it asks. */
  readonly placements: readonly Placement[];
  /** What is being asked for right now, for the first time: a backend that does not answer holds up nobody else. */
  readonly asking: readonly Offer[];
}

/** null: it lacks nothing that could be had. */
export function queuedOf(state: ServiceState): Queued | null {
  const target = targetOf(state);
  const { groups = [], priority = 0 } = target?.spec ?? {};
  const asking = state.replicas.filter(isFirstAsked).map(({ offer }) => offer);
  const placements = groups
    .filter(({ name }) => isShort(state, name))
    .map(({ placement }) => ({ ...placement, fleets: target && fleetsAsked(placement, target.spec) }));
  const isDependent = state.waiting.some(({ reason }) => reason === 'dependency');
  return placements.length + asking.length > 0 || isDependent
    ? { service: state.service, priority, placements, asking }
    : null;
}

/** Whether a group waits for what could not be had. */
export function isShort({ waiting }: ServiceState, group: string): boolean {
  return waiting.some(({ reason, subject }) => SHORT.has(reason) && subject === group);
}

/** Whether a service of higher priority is asking for it at this moment. */
export function isAskedForAbove(offer: Offer, queue: readonly Queued[], priority: number = 0): boolean {
  return queue.some(
    (each) => each.priority > priority && each.asking.some((other) => isSameKind(other, offer)),
  );
}

/** What is left of the offers of a service of such a priority. */
export function withoutClaims(fact: OffersFact, queue: readonly Queued[], priority: number = 0): OffersFact {
  const ahead = queue.filter((each) => each.priority > priority);
  if (fact.kind !== 'offers' || ahead.length === 0) return fact;
  const leftTo = new Set<string>();
  const offers = fact.offers.filter((offer) => {
    const first = ahead.find(({ placements }) => placements.some((placement) => isWanted(offer, placement)));
    if (first) leftTo.add(first.service);
    return !first;
  });
  return leftTo.size > 0 ? { ...fact, offers, leftTo: [...leftTo] } : fact;
}

// Private

const SHORT: ReadonlySet<WaitingReason> = new Set(['capacity', 'cannot-surge']);

/** Of those that ask a fleet, the fleet knows who goes first. */
function isFirstAsked({ phase, instance, tries, offer }: Replica): boolean {
  return phase === 'creating' && instance === null && tries === 0 && offer.fleet === undefined;
}

/** Who waits for a fleet waits for nothing else; and what is idle in one is for nobody else. */
function isWanted(offer: Offer, { fleets, ...placement }: Placement): boolean {
  const isTheirs = fleets ? fleets.some((name) => name === offer.fleet) : offer.availability !== 'idle';
  return isTheirs && mayStay(offer, undefined, { ...placement, fleets: null });
}

function isSameKind(a: Offer, b: Offer): boolean {
  return a.backend === b.backend && a.region === b.region && a.instance === b.instance && a.spot === b.spot;
}
