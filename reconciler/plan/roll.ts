// One pass of a rolling update, per replica group: what may be created and what may leave now.
// Old replicas leave only when enough others are ready *and* published; see `mayLeave`.
import type { Actual } from '../../schemas/actual.ts';
import type { GroupSpec } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import { trustIn } from './bake.ts';
import {
  goodOf,
  groupOf,
  isAsked,
  isCurrent,
  isEnding,
  isHeld,
  isRolling,
  isSpare,
  SURPLUS,
  targetOf,
} from './deployments.ts';
import { withoutHeld } from './mounts.ts';
import { eventOf } from './move.ts';
import { place } from './place.ts';
import { freshProbes, isDoubtful } from './probes.ts';
import { groupsOf, renamedGroups } from './renames.ts';
import { endIncidents, gaveUp, noteIncident } from './retry.ts';
import { countByTraffic, wantedReplicas } from './scale.ts';
import { floorBeside, type Heir, heirOf, missingIn, wantedBeside } from './successor.ts';

export interface Roll {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

export function roll(state: ServiceState, actual: Actual, now: number): Roll {
  const target = targetOf(state);
  if (!target) return endAll(state);
  const groups = target.spec.groups.reduce(
    (before: Roll, group) => rollGroup(before, target, group, actual, now),
    endIncidents(state, target, now),
  );
  return endRemovedGroups(groups, target, actual, now);
}

/** True when `mayLeave` counts on routes that some proxy does not have yet. */
export function isPublished(state: ServiceState, actual: Actual): boolean {
  return actual.published >= (state.route?.version ?? 0);
}

// Private

function rollGroup(before: Roll, target: Deployment, group: GroupSpec, actual: Actual, now: number): Roll {
  const heir = heirOf(actual, group.name, now);
  const ended = endNeverReady(before, target, group, heir);
  const drained = drainSurplus(ended, target, group, heir, actual, now);
  const called = heir ? drained : callBack(drained, target, group);
  return createMissing(called, target, group, heir, actual, now);
}

/** What still answers its last requests is there sooner than a new one. */
function callBack(before: Roll, target: Deployment, group: GroupSpec): Roll {
  const { state } = before;
  const mine = membersOf(state, group.name);
  const current = mine.filter((replica) => isCurrent(replica, target)).length;
  const missing = Math.max(0, wantedReplicas(group, state) - current);
  const spare = mine.filter((replica) => isSpare(replica, state)).slice(0, missing);
  if (spare.length === 0) return before;
  const names = new Set(spare.map(({ name }) => name));
  const replicas = state.replicas.map(
    (replica): Replica =>
      names.has(replica.name) ? { ...replica, phase: 'ready', leaving: '', stageMs: 0, detail: '' } : replica,
  );
  const events = spare.map(({ name, deployment }): NewEvent => {
    const reason = `${name} takes requests again: it is wanted after all`;
    return { service: state.service, event: 'replica-ready', reason, replica: name, deployment };
  });
  return { state: { ...state, replicas }, events: [...before.events, ...events] };
}

/** Replicas that nobody has ever been served by need no drain: those of another shape, and those beyond the wanted count. */
function endNeverReady(before: Roll, target: Deployment, group: GroupSpec, heir: Heir | null): Roll {
  const mine = membersOf(before.state, group.name).filter(
    (replica) => !replica.everReady && !isEnding(replica),
  );
  const current = mine.filter((replica) => isCurrent(replica, target));
  const served = membersOf(before.state, group.name).filter(
    (replica) => replica.everReady && isCurrent(replica, target),
  );
  const room = Math.max(0, wantedBeside(before.state, group, heir) - served.length);
  const surplus = current.toSorted(byNumber).slice(room);
  const outdated = mine.filter((replica) => !isCurrent(replica, target));
  const ending = new Set([...surplus, ...outdated].map((replica) => replica.name));
  return leave(
    before,
    ending,
    (replica) =>
      isCurrent(replica, target)
        ? whyLeaving(before.state, replica, target, heir)
        : 'not of the wanted shape',
    'stopping',
  );
}

/** Drains outdated, condemned and surplus replicas as far as the ready count allows. */
function drainSurplus(
  before: Roll,
  target: Deployment,
  group: GroupSpec,
  heir: Heir | null,
  actual: Actual,
  now: number,
): Roll {
  if (!isPublished(before.state, actual)) return before;
  const mine = membersOf(before.state, group.name).filter(
    (replica) => replica.everReady && !isEnding(replica),
  );
  const current = mine.filter((replica) => isCurrent(replica, target));
  const outdated = isHeld(before.state, target) ? [] : mine.filter((replica) => !isCurrent(replica, target));
  const surplus = current
    .toSorted(leastLoaded(actual))
    .slice(0, Math.max(0, current.length - wantedBeside(before.state, group, heir)));
  // While one that took the place of another does not do well, no other that does leaves for more of its kind.
  const isPaused = isRolling(before.state) && current.some(isDoubtful);
  const replaced = outdated.filter(({ phase }) => phase !== 'ready' || !isPaused);
  const leaving = [...replaced.toSorted(firstToLeave), ...surplus].filter(
    (replica) => !hasJustFailed(replica),
  );
  const trustedAt = trustIn(before.state);
  const trusted = mine.filter((replica) => now >= trustedAt(replica));
  const chosen = mayLeave(leaving, trusted, floorOf(before.state, target, group, now, heir));
  const why = (replica: Replica) => whyLeaving(before.state, replica, target, heir);
  return leave(before, new Set(chosen), why, 'draining');
}

/**
 * Which of `leaving` may go, in order: a ready one while `floor` others are ready; an unready one while `floor` others
 * are at least known to have served. It costs no ready replica, but it may come back, and under the panic rule it may
 * be all there is.
 */
function mayLeave(leaving: readonly Replica[], all: readonly Replica[], floor: number): string[] {
  let serving = all.length;
  let ready = all.filter((replica) => replica.phase === 'ready').length;
  const chosen: string[] = [];
  for (const replica of leaving) {
    const isReady = replica.phase === 'ready';
    if ((isReady ? ready : serving) - 1 < floor) continue;
    serving -= 1;
    if (isReady) ready -= 1;
    chosen.push(replica.name);
  }
  return chosen;
}

/** How many replicas of the group must stay ready; those of its new name that serve already count as well. */
export function floorOf(
  state: ServiceState,
  target: Deployment,
  group: GroupSpec,
  now: number,
  heir: Heir | null = null,
): number {
  const level = levelOf(state, target, group, now);
  return heir ? floorBeside(level, heir) : Math.max(0, level - target.spec.policy.unavailable);
}

/** How many replicas of the group may be live. */
export function ceilingOf(state: ServiceState, target: Deployment, group: GroupSpec, now: number): number {
  return levelOf(state, target, group, now) + target.spec.policy.surge;
}

/**
 * The count that surge and floor are reckoned from. Until the new shape has proven itself by one ready replica that may
 * take the place of another, the count of the last good deployment holds as well: a revision that cannot start, or ends
 * at once, must not shrink the service either.
 */
function levelOf(state: ServiceState, target: Deployment, group: GroupSpec, now: number): number {
  const wanted = wantedReplicas(group, state);
  const isProven = trustedIn(state, target, now).some((replica) => replica.group === group.name);
  const before = goodGroup(state, target, group.name);
  return wanted === 0 || isProven || !before ? wanted : Math.max(wanted, wantedReplicas(before, state));
}

/** The group in the last good deployment, by whatever name it had there. */
function goodGroup(state: ServiceState, target: Deployment, name: string): GroupSpec | null {
  const good = goodOf(state);
  const same = groupOf(good, name);
  if (same || !good) return same;
  const renames = renamedGroups(groupsOf(good), groupsOf(target));
  return groupOf(good, [...renames].find(([, now]) => now === name)?.[0] ?? '');
}

function createMissing(
  before: Roll,
  target: Deployment,
  group: GroupSpec,
  heir: Heir | null,
  actual: Actual,
  now: number,
): Roll {
  const { state } = before;
  if (isHeld(state, target) || gaveUp(state, target, group.name, now) !== null) return before;
  if (now < (state.backoff[group.name]?.until ?? 0)) return before;
  const mine = membersOf(state, group.name);
  const missing = missingIn(state, target, group, heir);
  const room = ceilingOf(state, target, group, now) - mine.length;
  const number = Math.max(0, Math.min(missing, room));
  if (number === 0) return before;
  const fact = actual.offers[group.name];
  const choice = place(withoutHeld(fact, state.replicas), state.setAside, now);
  if (choice.kind === 'none') {
    const isSoldOut = fact?.kind === 'offers';
    return isSoldOut ? { ...before, state: noteIncident(state, group.name, 'no-capacity', now) } : before;
  }
  // Of machines there may be many like it; of a volume there is one.
  const count = choice.offer.mounted ? 1 : number;
  const created = Array.from({ length: count }, (_, i): Replica => {
    const n = state.lastReplica + 1 + i;
    return newReplica(state, n, group.name, target, choice.offer, now);
  });
  const after: Roll = {
    state: { ...state, lastReplica: state.lastReplica + count, replicas: [...state.replicas, ...created] },
    events: [...before.events, ...created.map((replica) => createdEvent(state, replica))],
  };
  return count < number ? createMissing(after, target, group, heir, actual, now) : after;
}

function newReplica(
  { service, firstAttempt = 1 }: ServiceState,
  number: number,
  group: string,
  target: Deployment,
  offer: Replica['offer'],
  now: number,
): Replica {
  return {
    name: `${service}-${number}`,
    number,
    group,
    deployment: target.number,
    shape: target.shapes[group] ?? '',
    attempt: firstAttempt,
    phase: 'creating',
    everReady: false,
    leaving: '',
    offer,
    instance: null,
    endpoint: null,
    probes: freshProbes(target.spec),
    trial: null,
    stageMs: 0,
    listening: false,
    createdAt: now,
    readyAt: null,
    tries: 0,
    retryAt: 0,
    detail: '',
  };
}

/** Replicas of groups the target does not have leave last, when every group it has serves: a renamed group is no outage. */
function endRemovedGroups(before: Roll, target: Deployment, actual: Actual, now: number): Roll {
  const names = new Set(target.spec.groups.map((group) => group.name));
  const strays = before.state.replicas.filter((replica) => !names.has(replica.group) && !isEnding(replica));
  const candidates = new Set(strays.filter((replica) => !replica.everReady).map((replica) => replica.name));
  const ended = leave(before, candidates, () => 'its group is gone', 'stopping');
  const trusted = trustedIn(before.state, target, now);
  const serves = target.spec.groups.every(
    (group) =>
      trusted.filter((replica) => replica.group === group.name).length >= wantedReplicas(group, before.state),
  );
  if (!serves || isHeld(before.state, target) || !isPublished(before.state, actual)) return ended;
  return leave(
    ended,
    new Set(strays.filter((replica) => replica.everReady).map((replica) => replica.name)),
    () => 'its group is gone',
    'draining',
  );
}

/** Ready ones of the wanted shape that may take the place of others. */
function trustedIn(state: ServiceState, target: Deployment, now: number): Replica[] {
  const trustedAt = trustIn(state);
  const ready = state.replicas.filter((replica) => isCurrent(replica, target) && replica.phase === 'ready');
  return ready.filter((replica) => now >= trustedAt(replica));
}

function endAll(state: ServiceState): Roll {
  const staying = state.replicas.filter((replica) => !isEnding(replica));
  const served = new Set(staying.filter((replica) => replica.everReady).map((replica) => replica.name));
  const others = new Set(staying.filter((replica) => !replica.everReady).map((replica) => replica.name));
  const why = () => 'the service is removed';
  return leave(leave({ state, events: [] }, served, why, 'draining'), others, why, 'stopping');
}

function leave(
  before: Roll,
  names: ReadonlySet<string>,
  why: (replica: Replica) => string,
  phase: 'draining' | 'stopping',
): Roll {
  if (names.size === 0) return before;
  const events: NewEvent[] = [];
  const replicas = before.state.replicas.map((replica): Replica => {
    if (!names.has(replica.name)) return replica;
    const leaving = replica.leaving || why(replica);
    events.push(leavingEvent(before.state, replica, leaving, phase));
    return { ...replica, phase, leaving, stageMs: 0, trial: null, detail: '', tries: 0, retryAt: 0 };
  });
  return { state: { ...before.state, replicas }, events: [...before.events, ...events] };
}

function whyLeaving(state: ServiceState, replica: Replica, target: Deployment, heir: Heir | null): string {
  if (replica.leaving) return replica.leaving;
  if (state.term?.kind === 'stopped') return state.term.reason;
  if (heir) return `it makes room for ${heir.name}`;
  return isCurrent(replica, target) ? SURPLUS : `replaced by deployment ${target.number}`;
}

function leavingEvent(state: ServiceState, replica: Replica, leaving: string, phase: string): NewEvent {
  const reason = `${replica.name} ${phase === 'draining' ? 'takes no new requests' : 'is stopped'}: ${leaving}`;
  return eventOf(state, 'replica-draining', reason, replica);
}

function createdEvent(state: ServiceState, replica: Replica): NewEvent {
  const { name, deployment, offer } = replica;
  const reason = `${name} on ${offer.backend} (${offer.region}) for deployment ${deployment}`;
  return eventOf(state, 'replica-created', reason, replica);
}

function membersOf(state: ServiceState, group: string): Replica[] {
  return state.replicas.filter((replica) => replica.group === group);
}

/** It was ready when it was last looked at, and may be again at the next look. */
function hasJustFailed({ phase, stageMs }: Replica): boolean {
  return phase === 'unready' && stageMs === 0;
}

/** Unready before ready, then the highest number. */
function firstToLeave(a: Replica, b: Replica): number {
  return Number(a.phase === 'ready') - Number(b.phase === 'ready') || b.number - a.number;
}

/** Of those that are more than wanted: unready before ready, then whoever answers least now. */
function leastLoaded({ inflight }: Actual) {
  const load = ({ name }: Replica) => inflight[name] ?? 0;
  return (a: Replica, b: Replica): number =>
    Number(a.phase === 'ready') - Number(b.phase === 'ready') || load(a) - load(b) || b.number - a.number;
}

function byNumber(a: Replica, b: Replica): number {
  return a.number - b.number;
}

/** Groups that lack a replica of what is wished, or will by their traffic, or whose next may have to be placed anew: they need offers. */
export function groupsToPlace(
  state: ServiceState | null,
  wish: Pick<Deployment, 'spec' | 'shapes'>,
  traffic: Actual['traffic'] = {},
): string[] {
  const lacks = (group: GroupSpec) => {
    const made = state?.replicas.filter(
      (replica) =>
        replica.group === group.name && replica.phase !== 'creating' && isAsked(state, replica, wish),
    );
    const wanted = Math.max(wantedReplicas(group, state), countByTraffic(group, traffic[group.name]));
    return (made?.length ?? 0) < wanted;
  };
  return wish.spec.groups.filter(lacks).map((group) => group.name);
}
