// What a change costs: now, once it has settled, and at the most while `roll` brings it about. USD per hour.
// What runs is priced as it was bought; what is new by the cheapest offer.
import type { GroupSpec, RolloutPolicy } from '../../schemas/desired.ts';
import type { Market, Offer } from '../../schemas/offer.ts';
import type { GroupPlan, Price } from '../../schemas/plan.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { adopt, goodOf, groupOf, isCurrent, isEnding } from './deployments.ts';
import type { Wanted } from './fields.ts';
import { place } from './place.ts';
import { wantedReplicas } from './scale.ts';

/** Offers listed per group; all of them are counted. */
const OFFERS_SHOWN = 3;

export const NO_PRICE: Price = { now: 0, steady: 0, steadyMax: 0, peak: 0 };

/** What a group would run on, by what its market says. */
export function groupPlanOf(group: GroupSpec, market: Market | undefined): GroupPlan {
  const pricePerReplica = unitOf(market?.offers ?? [], group.replicas.max);
  return {
    name: group.name,
    replicas: group.replicas,
    offers: (market?.offers ?? []).filter(isSold).slice(0, OFFERS_SHOWN),
    totalOffers: market?.total ?? 0,
    pricePerReplica,
    price: rounded(wantedReplicas(group) * (pricePerReplica ?? 0)),
    excluded: market?.excluded ?? [],
  };
}

/** What remains as it is goes on at the price of its replicas, at its present count and at its highest. */
export function keptPrice(
  kept: Pick<Wanted, 'spec' | 'shapes'>,
  state: ServiceState,
  groups: readonly GroupPlan[],
): Price {
  const crews = crewsOf(kept, state, groups).map((crew) => ({ ...crew, unit: ownPrice(crew) ?? crew.unit }));
  const now = priceNow(state);
  const steady = sum(crews.map((crew) => priceAt(crew, crew.count)));
  const steadyMax = sum(crews.map((crew) => priceAt(crew, crew.group.replicas.max)));
  return wholePrice({ now, steady, steadyMax, peak: 0 });
}

/** Of a service that is new, or is made of something else, or has another count. */
export function changedPrice(
  desired: Pick<Wanted, 'spec' | 'shapes'>,
  state: ServiceState | undefined,
  groups: readonly GroupPlan[],
): Price {
  const crews = crewsOf(desired, state, groups);
  const strays = strayReplicas(desired, replicasUnder(desired, state));
  return wholePrice({
    now: state ? priceNow(state) : 0,
    steady: sum(crews.map((crew) => priceAt(crew, wantedReplicas(crew.group)))),
    steadyMax: sum(crews.map((crew) => priceAt(crew, crew.group.replicas.max))),
    // Groups roll independently of each other, and those that are gone leave last of all.
    peak: sum([...crews.map((crew) => peakOf(crew, desired.spec.policy)), ...strays.map(priceOf)]),
  });
}

/** The old service goes when the new one serves, so for a while both run whole. */
export function renamedPrice(
  desired: Pick<Wanted, 'spec' | 'shapes'>,
  old: ServiceState | undefined,
  groups: readonly GroupPlan[],
): Price {
  const fresh = changedPrice(desired, undefined, groups);
  const now = old ? priceNow(old) : 0;
  return wholePrice({ ...fresh, now, peak: now + fresh.peak });
}

export function deletedPrice(state: ServiceState | undefined): Price {
  const now = state ? priceNow(state) : 0;
  return wholePrice({ ...NO_PRICE, now, peak: now });
}

/** Rollouts may coincide, so peaks add up too. `twice`: what two of the peaks have. */
export function totalPrice(prices: readonly Price[], twice = 0): Price {
  const all = (of: (price: Price) => number) => sum(prices.map(of));
  const [now, steady] = [all((price) => price.now), all((price) => price.steady)];
  return {
    now: rounded(now),
    steady: rounded(steady),
    // What a fleet keeps is less, the more of it services use.
    steadyMax: rounded(
      Math.max(
        steady,
        all((price) => price.steadyMax),
      ),
    ),
    peak: rounded(Math.max(now, steady, all((price) => price.peak) - twice)),
  };
}

/** What a change makes of the replicas of each group: how many it has to create, and which are replaced. */
export function turnoverOf(
  desired: Pick<Wanted, 'spec' | 'shapes'>,
  state: ServiceState | undefined,
): ReadonlyMap<string, { readonly missing: number; readonly old: readonly Replica[] }> {
  const crews = crewsOf(desired, state, []);
  return new Map(crews.map((crew) => [crew.group.name, { missing: missing(crew), old: crew.old }]));
}

/** Whether a replica could be placed on it now. */
export function isSold(offer: Offer): boolean {
  return place({ kind: 'offers', offers: [offer] }).kind === 'offer';
}

/** Sums of cents in binary have tails nobody wants to read. */
export function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}

// Private

/** Idle machines of fleets come first; where there are not enough for all replicas, the dearer of one and of what is bought counts. */
function unitOf(offers: readonly Offer[], count: number): number | null {
  const choice = place({ kind: 'offers', offers });
  if (choice.kind === 'none') return null;
  const isIdle = ({ fleet, availability }: Offer) => fleet !== undefined && availability === 'idle';
  if (!isIdle(choice.offer) || offers.filter(isIdle).length >= count) return choice.offer.price;
  const bought = place({ kind: 'offers', offers: offers.filter((offer) => !isIdle(offer)) });
  return Math.max(choice.offer.price, bought.kind === 'offer' ? bought.offer.price : 0);
}

/** The replicas of one group as a rollout towards `group` finds them. */
interface Crew {
  readonly group: GroupSpec;
  /** Wanted now. */
  readonly count: number;
  /** Wanted by the last good deployment; until something new is ready, there are as many. */
  readonly countBefore: number;
  /** Made of the same, where they may stay: they do, in this order. */
  readonly kept: readonly Replica[];
  /** The others, dearest first. */
  readonly old: readonly Replica[];
  /** Of one more replica; null: nothing is for sale. */
  readonly unit: number | null;
}

function crewsOf(
  { spec, shapes }: Pick<Wanted, 'spec' | 'shapes'>,
  state: ServiceState | undefined,
  plans: readonly GroupPlan[],
): Crew[] {
  const replicas = replicasUnder({ spec, shapes }, state);
  return spec.groups.map((group) => {
    const mine = replicas.filter((replica) => replica.group === group.name);
    const kept = mine.filter((replica) => replica.isKept);
    const before = state && groupOf(goodOf(state), group.name);
    return {
      group,
      count: wantedReplicas(group, state),
      countBefore: before ? wantedReplicas(before, state) : 0,
      kept: kept.toSorted(lastToLeave),
      old: mine.filter((replica) => !kept.includes(replica)).toSorted((a, b) => priceOf(b) - priceOf(a)),
      unit: plans.find(({ name }) => name === group.name)?.pricePerReplica ?? null,
    };
  });
}

type Held = Replica & { readonly isKept: boolean };

/** As a deployment of what is wanted would find them: each in the group that it belongs to by then. */
function replicasUnder(
  { spec, shapes }: Pick<Wanted, 'spec' | 'shapes'>,
  state: ServiceState | undefined,
): Held[] {
  if (!state) return [];
  const deployment = { number: state.lastDeployment + 1, spec, shapes };
  return adopt(state, deployment).map((replica) => ({ ...replica, isKept: isCurrent(replica, deployment) }));
}

function missing({ count, kept }: Crew): number {
  return Math.max(0, count - kept.length);
}

function priceAt({ kept, unit }: Crew, count: number): number {
  return sum(kept.slice(0, count).map(priceOf)) + Math.max(0, count - kept.length) * (unit ?? 0);
}

/** The dearest mix that `createMissing` of `roll.ts` allows at any moment when nothing fails. */
function peakOf(crew: Crew, policy: RolloutPolicy): number {
  const base = sum(crew.kept.map(priceOf));
  const created = crew.unit === null ? 0 : missing(crew);
  const mixes = Array.from({ length: created }, (_, index) => {
    const fresh = index + 1;
    const beside = Math.max(0, ceilingOf(crew, policy, fresh) - crew.kept.length - fresh);
    return fresh * (crew.unit ?? 0) + sum(crew.old.slice(0, beside).map(priceOf));
  });
  return base + Math.max(sum(crew.old.map(priceOf)), ...mixes);
}

/**
 * How many may be live when the replica that is the `fresh`th new one is created. Before any replica of the new shape
 * is ready, the count of the last good deployment holds as well; old ones leave only down to the policy's floor.
 */
function ceilingOf({ kept, old, count, countBefore }: Crew, policy: RolloutPolicy, fresh: number): number {
  const isProven = kept.some(({ phase }) => phase === 'ready');
  const level = count === 0 || isProven ? count : Math.max(count, countBefore);
  const floor = Math.max(0, level - policy.unavailable);
  const held = Math.min(floor, old.filter((replica) => replica.everReady && !isEnding(replica)).length);
  const isEarly = fresh <= level + policy.surge - kept.length - held;
  return (isEarly ? level : count) + policy.surge;
}

function strayReplicas({ spec }: Pick<Wanted, 'spec'>, replicas: readonly Replica[]): Replica[] {
  const names = new Set(spec.groups.map(({ name }) => name));
  return replicas.filter(({ group }) => !names.has(group));
}

/** The other way round than replicas leave when there are too many. */
function lastToLeave(a: Replica, b: Replica): number {
  return Number(b.phase === 'ready') - Number(a.phase === 'ready') || a.number - b.number;
}

function ownPrice({ kept, old }: Crew): number | null {
  return (kept[0] ?? old[0])?.offer.price ?? null;
}

function priceNow(state: ServiceState): number {
  return sum(state.replicas.map(priceOf));
}

function priceOf({ offer }: { readonly offer: Pick<Offer, 'price'> }): number {
  return offer.price;
}

function wholePrice({ now, steady, steadyMax, peak }: Price): Price {
  return {
    now: rounded(now),
    steady: rounded(steady),
    steadyMax: rounded(Math.max(steady, steadyMax)),
    peak: rounded(Math.max(now, steady, peak)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
