// A service that is called otherwise from a commit on hands over to its new name, as one deployment does to the next. Where
// there is room for both, the old name stays whole until the new one is; where there is none, it lets go of replicas, never
// more than may be missing of both together, and takes them back if those of the new name do not start.
import type { Actual, SuccessorFact } from '../../schemas/actual.ts';
import type { GroupSpec } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import { watchIn } from './bake.ts';
import { isCurrent, isEnding, isStaying, targetOf } from './deployments.ts';
import { isShort } from './queue.ts';
import { groupsOf, renamedGroups } from './renames.ts';
import { wantedReplicas } from './scale.ts';
import { startsBadly } from './status.ts';

/** The new name, as far as one group of the old one is concerned. */
export interface Heir {
  readonly name: string;
  readonly unavailable: number;
  readonly wanted: number;
  /** Ready replicas of the new name that stand for those of this group; and those of other names that it had. */
  readonly ready: number;
  readonly beside: number;
  /** Replicas of this group for which there is no room, and of all groups. */
  readonly short: number;
  readonly shortInAll: number;
}

/**
 * `former`: all services that `next` takes the place of, `own` among them, in the order in which they let go: a service
 * may have been given a third name before it had the second. `isRouted`: every proxy knows the replicas of `next`.
 */
export function successorOf(
  own: ServiceState,
  next: ServiceState,
  former: readonly ServiceState[],
  isRouted: boolean,
): SuccessorFact | null {
  const [mine, target] = [targetOf(own), targetOf(next)];
  if (!mine || !target || !isUnderWay(next, target)) return null;
  const others = former.filter(({ service }) => service !== own.service);
  const names = namesIn(mine, target);
  const groups = target.spec.groups.map((group) => {
    const there = next.replicas.filter((replica) => replica.group === group.name);
    const made = there.filter((replica) => isMade(replica, target));
    // Those of an earlier deployment serve as well.
    const ready = isRouted ? there.filter(isReady).map(watchIn(next)) : [];
    const beside = others.flatMap((other) => stayingFor(other, target, group.name).filter(isReady)).length;
    const first = former.find((each) => stayingFor(each, target, group.name).length > 0);
    const wanted = wantedReplicas(group, next);
    const short = isShort(next, group.name) ? Math.max(0, wanted - made.length) : 0;
    const isTurn = first?.service === own.service;
    const known = { wanted, short: isTurn ? short : 0, standInAt: ready, beside };
    return { name: group.name, known, short };
  });
  const byName = new Map(groups.map(({ name, known }) => [name, known]));
  return {
    service: next.service,
    unavailable: target.spec.policy.unavailable,
    failingUntil: failingUntil(next, target),
    short: groups.reduce((sum, { short }) => sum + short, 0),
    groups: Object.fromEntries(
      [...names].flatMap(([name, now]) => {
        const known = byName.get(now);
        return known ? [[name, known] as const] : [];
      }),
    ),
  };
}

/** null: the group is what it was until the new name serves. */
export function heirOf({ successor }: Actual, group: string, now: number): Heir | null {
  const there = successor?.groups[group];
  if (!there || there.wanted === 0 || now < successor.failingUntil) return null;
  const { service: name, unavailable, short: shortInAll } = successor;
  const { wanted, short, beside } = there;
  const ready = there.standInAt.filter((at) => at <= now).length;
  return { name, unavailable, wanted, short, shortInAll, ready, beside };
}

/** How many replicas of the group must stay ready here. Until one of the new name serves, the count here holds as well. */
export function floorBeside(level: number, { wanted, unavailable, ready, beside }: Heir): number {
  return Math.max(0, (ready > 0 ? wanted : Math.max(level, wanted)) - unavailable - ready - beside);
}

/**
 * How many replicas the group is to have: what it has, less those that lack room elsewhere, as far as the floor allows; and
 * no new ones above that.
 */
export function wantedBeside(state: ServiceState, group: GroupSpec, heir: Heir | null): number {
  const wanted = wantedReplicas(group, state);
  if (!heir) return wanted;
  const mine = state.replicas.filter((replica) => replica.group === group.name);
  const staying = mine.filter(isStaying).length;
  const due = heir.short > 0 ? heir.short - countEnding(mine) : dueToOthers(state, heir);
  return Math.min(wanted, Math.max(staying - Math.max(0, due), floorBeside(wanted, heir)));
}

/** How many replicas have to be made. What there is under another name needs no newer version under this one. */
export function missingIn(state: ServiceState, target: Deployment, group: GroupSpec, heir: Heir | null) {
  const mine = state.replicas.filter((replica) => replica.group === group.name);
  const there = mine.filter((replica) => (heir ? isStaying(replica) : isCurrent(replica, target)));
  return wantedBeside(state, group, heir) - there.length;
}

/** It has let go of replicas for its new name. */
export function isGivingWay(state: ServiceState, actual: Actual, now: number): boolean {
  const groups = targetOf(state)?.spec.groups ?? [];
  return groups.some((group) => {
    const mine = state.replicas.filter((replica) => replica.group === group.name && isStaying(replica));
    return heirOf(actual, group.name, now) !== null && mine.length < wantedReplicas(group, state);
  });
}

/** When the next replica of the new name stands for one of the old; null: none is about to. */
export function nextStandIn({ successor }: Actual, now: number): number | null {
  const instants = Object.values(successor?.groups ?? {}).flatMap(({ standInAt }) => standInAt);
  const next = Math.min(...instants.filter((at) => at > now));
  return Number.isFinite(next) ? next : null;
}

/** What of a service others go by who hand over to it, or to whom it hands over: when it changes, they have to look. */
export function handOverText(state: ServiceState | null): string {
  if (!state) return '';
  const replicas = state.replicas.map(({ name, phase, instance }) => `${name} ${phase} ${instance !== null}`);
  const short = targetOf(state)?.spec.groups.filter(({ name }) => isShort(state, name)) ?? [];
  const isRouted = !state.waiting.some(({ reason }) => reason === 'publish');
  const all = [...replicas, ...short.map(({ name }) => name), isRouted, state.rollout?.outcome];
  return [...all, startsBadly(state)].join(',');
}

// Private

/** It has replicas, has just had some, or would have if there were room. */
function isUnderWay(state: ServiceState, { spec }: Deployment): boolean {
  const hasBegun = state.replicas.length > 0 || Object.keys(state.backoff).length > 0;
  return hasBegun || spec.groups.some(({ name }) => isShort(state, name));
}

function countEnding(replicas: readonly Replica[]): number {
  return replicas.filter(isEnding).length;
}

/** Groups may share what room there is: one that nobody misses here any more makes room for others. */
function dueToOthers({ replicas }: ServiceState, { ready, wanted, shortInAll }: Heir): number {
  return ready >= wanted ? shortInAll - countEnding(replicas) : 0;
}

/** Group of `before` → group of `after`. */
function namesIn(before: Deployment, after: Deployment): ReadonlyMap<string, string> {
  const [old, now] = [groupsOf(before), groupsOf(after)];
  const same = old.filter(({ name }) => now.some((each) => each.name === name));
  return new Map([...same.map(({ name }) => [name, name] as const), ...renamedGroups(old, now)]);
}

/** There is an instance for it, or whoever was asked has not refused it. */
function isMade(replica: Replica, target: Deployment): boolean {
  const isAsked = replica.phase === 'creating' && replica.instance === null;
  return isCurrent(replica, target) && !isAsked;
}

function isReady({ phase }: Replica): boolean {
  return phase === 'ready';
}

/** Replicas of a service that are to be of this group, by whatever name theirs has. */
function stayingFor(state: ServiceState, target: Deployment, group: string): Replica[] {
  const own = targetOf(state);
  const names = own ? namesIn(own, target) : new Map<string, string>();
  return state.replicas.filter((replica) => isStaying(replica) && names.get(replica.group) === group);
}

/** What it fails with is tried again when a rollout that failed would be. */
function failingUntil(state: ServiceState, { number, spec }: Deployment): number {
  if (state.rollout?.to !== number || !startsBadly(state)) return 0;
  return (state.failures.at(-1)?.at ?? state.observedAt) + spec.policy.quarantineMs;
}
