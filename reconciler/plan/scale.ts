// How many replicas a group wants: the count that its traffic asks for, always within the bounds of its file.
// Formula, windows and delays are dstack's; each group goes by its own traffic, and requests count as they arrive.
import type { Actual, TrafficFact } from '../../schemas/actual.ts';
import type { GroupSpec, ScalingSpec } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { GroupScale, ServiceState } from '../../schemas/rollout.ts';
import { durationText } from '../../schemas/units.ts';
import { isStaying, targetOf } from './deployments.ts';
import { isSameValue } from './same.ts';

/** Traffic, and what GPUs do, is looked at this often. */
const LOOK_MS = 10_000;

/** The count of a group now; without a state, the one that a new service begins with. */
export function wantedReplicas(group: GroupSpec, state: ServiceState | null = null): number {
  if (state === null) return group.replicas.min;
  return isResting(state) ? 0 : within(group, state.scale?.[group.name]?.count ?? stayingIn(state, group));
}

/** Its schedule has not started it yet, or its time is over. */
export function isResting({ term }: ServiceState): boolean {
  return term?.kind === 'scheduled' || term?.kind === 'stopped';
}

export interface Scaled {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

/** Brings the counts of all groups that may vary up to date. */
export function scale(state: ServiceState, actual: Actual, now: number): Scaled {
  const moves = varying(state).map((group) => scaleGroup(state, group, actual, now));
  const next = Object.fromEntries(moves.map(({ group, after }) => [group.name, after]));
  return {
    state: isSameValue(next, state.scale ?? {})
      ? state
      : { ...state, scale: next, backoff: backoffAfter(state, moves) },
    events: moves.flatMap(({ group, before, after, why }) =>
      before && before.count !== after.count ? [scaledEvent(state, group, before, after, why)] : [],
    ),
  };
}

/** Counts that would change, were it not for a delay. */
export function delayedScalings(state: ServiceState, actual: Actual, now: number) {
  return varying(state).flatMap((group) => {
    const before = state.scale?.[group.name];
    const wish = before && wishOf(group, before, loadOf(state, group, actual), now);
    if (!wish || wish.dueAt <= now) return [];
    return [{ group: group.name, until: wish.dueAt, detail: `${before.count} → ${wish.count}: ${wish.why}` }];
  });
}

/** When traffic, or what GPUs do, must be looked at again. What has no replica is woken by its first request. */
export function nextLook(state: ServiceState, now: number): number {
  const isAwake = Object.values(state.scale ?? {}).some(({ count }) => count > 0);
  const isMeasured = state.replicas.some(({ idleMs }) => idleMs !== undefined);
  return isAwake || isMeasured ? now + LOOK_MS : Number.POSITIVE_INFINITY;
}

/** What the traffic alone asks for: `ceil(rps / target)` within the bounds; a request that is held needs a replica. */
export function countByTraffic(group: GroupSpec, traffic: TrafficFact | undefined): number {
  if (!group.scaling || !traffic) return group.replicas.min;
  const byRate = Math.ceil(rpsOf(traffic) / group.scaling.target);
  return within(group, Math.max(byRate, traffic.held > 0 ? 1 : 0));
}

/** The first group that has no replica when nobody asks: a request that finds none starts one of it. */
export function wokenGroup(state: ServiceState): string | null {
  return varying(state).find(({ replicas }) => replicas.min === 0)?.name ?? null;
}

// Private

interface Load {
  readonly traffic: TrafficFact | undefined;
  /** Requests that are being answered or held. */
  readonly inflight: number;
}

/** A count that is not the present one, and from when on it may be taken. */
interface Wish {
  readonly count: number;
  readonly dueAt: number;
  readonly why: string;
}

interface Move {
  readonly group: GroupSpec;
  readonly before: GroupScale | undefined;
  readonly after: GroupScale;
  readonly why: string;
}

function varying(state: ServiceState): readonly GroupSpec[] {
  const groups = isResting(state) ? [] : (targetOf(state)?.spec.groups ?? []);
  return groups.filter(({ replicas }) => replicas.min !== replicas.max);
}

function within({ replicas }: GroupSpec, count: number): number {
  return Math.min(replicas.max, Math.max(replicas.min, count));
}

function scaleGroup(state: ServiceState, group: GroupSpec, actual: Actual, now: number): Move {
  const before = state.scale?.[group.name];
  const moved = (count: number, why: string): Move => ({ group, before, after: { count, since: now }, why });
  if (!before) return moved(wantedReplicas(group, state), '');
  const bounded = within(group, before.count);
  if (bounded !== before.count) return moved(bounded, boundText(group));
  const wish = wishOf(group, before, loadOf(state, group, actual), now);
  return wish && wish.dueAt <= now ? moved(wish.count, wish.why) : { group, before, after: before, why: '' };
}

/** What runs when its count first becomes a matter of traffic is the best guess at what it needs. */
function stayingIn(state: ServiceState, group: GroupSpec): number {
  return state.replicas.filter((replica) => replica.group === group.name && isStaying(replica)).length;
}

function loadOf(state: ServiceState, group: GroupSpec, { traffic, inflight }: Actual): Load {
  const fact = traffic?.[group.name];
  const answering = state.replicas
    .filter((replica) => replica.group === group.name)
    .reduce((sum, { name }) => sum + (inflight[name] ?? 0), 0);
  return { traffic: fact, inflight: answering + (fact?.held ?? 0) };
}

/** null: the count stays, or nothing is known of the traffic. */
function wishOf(group: GroupSpec, { count, since }: GroupScale, load: Load, now: number): Wish | null {
  const { scaling } = group;
  const { traffic } = load;
  if (!scaling || !traffic) return null;
  const wanted = Math.max(countByTraffic(group, traffic), Math.min(count, lingering(traffic, load.inflight)));
  if (wanted === count) return null;
  const why = trafficText(scaling, traffic);
  if (wanted > count) return { count: wanted, dueAt: count === 0 ? now : since + scaling.upDelayMs, why };
  const quietAt = wanted === 0 && traffic.quietMs !== null ? now - traffic.quietMs : since;
  return { count: wanted, dueAt: Math.max(since, quietAt) + scaling.downDelayMs, why };
}

/**
 * Requests in flight that the window no longer shows. Each may be the one that keeps a replica busy, so they are a
 * floor; those that it shows are part of the rate, and a replica that leaves finishes what it is answering.
 */
function lingering({ requests }: TrafficFact, inflight: number): number {
  return Math.max(inflight - requests, Math.min(inflight, 1));
}

function rpsOf({ requests, windowMs }: TrafficFact): number {
  return requests / (windowMs / 1000);
}

function trafficText({ target }: ScalingSpec, traffic: TrafficFact): string {
  const rps = Math.round(rpsOf(traffic) * 100) / 100;
  const held = traffic.held > 0 ? `, ${traffic.held} held` : '';
  return `${rps} rps over ${durationText(traffic.windowMs / 1000)}${held}, target ${target} per replica`;
}

/** What went wrong before a group slept is over: it is begun anew. */
function backoffAfter({ backoff }: ServiceState, moves: readonly Move[]): ServiceState['backoff'] {
  const woken = moves.filter(({ before, after }) => before?.count === 0 && after.count > 0);
  const names = new Set(woken.map(({ group }) => group.name));
  return Object.fromEntries(Object.entries(backoff).filter(([group]) => !names.has(group)));
}

function boundText({ replicas }: GroupSpec): string {
  return `the file allows ${replicas.min} to ${replicas.max}`;
}

function scaledEvent(
  state: ServiceState,
  { name }: GroupSpec,
  before: GroupScale,
  after: GroupScale,
  why: string,
): NewEvent {
  const groups = targetOf(state)?.spec.groups.length ?? 1;
  const whose = groups > 1 ? `group ${name}: ` : '';
  const reason = `${whose}${before.count} → ${after.count} replica${after.count === 1 ? '' : 's'}: ${why}`;
  return { service: state.service, event: 'scaled', reason, group: name };
}
