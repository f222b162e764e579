// The decision: desired state, stored state and what was observed, at one instant, give the next state, the steps to
// take and the reasons to wait. Pure; the same function serves reconcile, `why` and simulation.
//
//   advance   what was observed -> each replica's phase      judge  ends and deadlines -> backoff, failed rollout
//   aim       desired -> which deployment                    roll   which replicas come and go now
//   keepTerm  schedule and limits -> whether it runs at all  scale  traffic -> how many replicas
//   settle    route, finished rollout, steps, waiting, status, next wake
import type { Actual } from '../../schemas/actual.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, ServiceState, Step, Waiting, WaitingReason } from '../../schemas/rollout.ts';
import { advance } from './advance.ts';
import { aim } from './aim.ts';
import { formerOf } from './bake.ts';
import { goodOf, isCurrent, isEnding, isRolling, newState, targetOf } from './deployments.ts';
import { judge } from './judge.ts';
import { rebuild } from './rebuild.ts';
import { isPublished, roll } from './roll.ts';
import { routeOf } from './routes.ts';
import { nextLook, scale } from './scale.ts';
import { keepTerm, termEndsAt } from './schedule.ts';
import { servesAsAsked, statusWord, wantedTotal } from './status.ts';
import { stepsOf } from './steps.ts';
import { isGivingWay } from './successor.ts';
import { waitingOf } from './wait.ts';

/** While something is under way, look again this often even if no event comes. */
const POLL_MS = 1_000;
/** A process has just been started: most listen within a moment, and nothing tells when. */
const SOON_MS = 50;
/** A converged service is looked at again after this time even if no event comes. */
export const RESYNC_MS = 300_000;

export interface DecisionInput {
  readonly project: string;
  readonly service: string;
  readonly desired: DesiredRecord | null;
  readonly state: ServiceState | null;
  readonly actual: Actual;
  /** Epoch ms, by the store's clock. */
  readonly now: number;
}

export interface Decision {
  /** null: nothing is left of the service. */
  readonly state: ServiceState | null;
  readonly steps: readonly Step[];
  readonly events: readonly NewEvent[];
  readonly wakeAt: number;
}

export function decide({ project, service, desired, state, actual, now }: DecisionInput): Decision {
  // Not even the names that may be given are known.
  if (actual.found === null) return { state, steps: [], events: [], wakeAt: now + POLL_MS };
  const before = state ?? firstState(project, service, desired, actual, now);
  const advanced = advance(before, actual, now);
  const judged = judge(before, advanced, now);
  const aimed = aim(judged.state, desired, now);
  const begun = keepTerm(aimed.state, desired?.suspended === true, now);
  const scaled = scale(begun.state, actual, now);
  const rolled = roll(scaled.state, actual, now);
  const settled = settle(rolled.state, desired, actual, now);
  const events = [advanced, judged, aimed, begun, scaled, rolled, settled].flatMap((part) => part.events);
  if (isOver(settled.state, desired)) return { state: null, steps: [], events, wakeAt: now + RESYNC_MS };
  const steps = stepsOf(settled.state, actual, now);
  return { state: settled.state, steps, events, wakeAt: wakeAt(settled.state, steps, now) };
}

// Private

function firstState(
  project: string,
  service: string,
  desired: DesiredRecord | null,
  { found }: Actual,
  now: number,
): ServiceState {
  return desired?.service && found?.length
    ? rebuild(project, desired.service, found, now)
    : newState(project, service, now);
}

function settle(state: ServiceState, desired: DesiredRecord | null, actual: Actual, now: number) {
  const target = targetOf(state);
  const spec = (target ?? goodOf(state) ?? state.deployments.at(-1))?.spec;
  const route = spec ? routeOf(state, spec, now) : state.route;
  const events: NewEvent[] = [];
  let next: ServiceState = { ...state, route, observedAt: now };
  if (target && isRolling(next) && isDone(next, target, actual)) {
    events.push({
      service: state.service,
      event: 'rollout-done',
      reason: doneText(next, target),
      deployment: target.number,
    });
    next = {
      ...next,
      good: target.number,
      rollout: next.rollout && { ...next.rollout, outcome: 'done', endedAt: now },
    };
  }
  next = { ...next, deployments: stillReferred(next, now), waiting: waitingOf(next, desired, actual, now) };
  const status = statusWord(next, desired, isGivingWay(next, actual, now));
  if (status !== state.status)
    events.push({ service: state.service, event: 'status', reason: `${state.status} → ${status}` });
  return { state: { ...next, status }, events };
}

/** There are just as many as wanted, each current, ready and known to every proxy; nothing of an older deployment is left. */
function isDone(state: ServiceState, target: Deployment, actual: Actual): boolean {
  const isSettled = state.replicas.every(
    (replica) =>
      !isEnding(replica) &&
      isCurrent(replica, target) &&
      replica.trial === null &&
      replica.deployment === target.number,
  );
  const isComplete = state.replicas.length === wantedTotal(state, target) && servesAsAsked(state, target);
  return isSettled && isComplete && isPublished(state, actual);
}

function doneText(state: ServiceState, target: Deployment): string {
  const count = state.replicas.length;
  if (count === 0) return `deployment ${target.number} is done: nothing is to run now`;
  return `deployment ${target.number} is done: ${count} replica${count === 1 ? '' : 's'} ready`;
}

function stillReferred(state: ServiceState, now: number): readonly Deployment[] {
  const used = new Set([state.target, state.good, ...state.replicas.map((replica) => replica.deployment)]);
  for (const { trial } of state.replicas) if (trial) used.add(trial.deployment);
  used.add(formerOf(state, now)?.number ?? null);
  // One that failed is still told of.
  used.add(state.rollout?.to ?? null);
  return state.deployments.filter(({ number }) => used.has(number));
}

function isOver(state: ServiceState, desired: DesiredRecord | null): boolean {
  return (desired === null || desired.removed) && state.replicas.length === 0;
}

function wakeAt(state: ServiceState, steps: readonly Step[], now: number): number {
  const timers = state.waiting.flatMap(({ until }) => (until !== null && until > now ? [until] : []));
  const polls = [...(steps.length > 0 ? [POLL_MS] : []), ...state.waiting.map((each) => pollMs(each, now))];
  const looks = [nextLook(state, now), termEndsAt(state)].filter((at) => at > now);
  return Math.min(now + Math.min(RESYNC_MS, ...polls), ...timers, ...looks);
}

function pollMs({ reason, since }: Waiting, now: number): number {
  if (RESTS.has(reason)) return RESYNC_MS;
  if (reason === 'start') return Math.min(Math.max(SOON_MS, (now - since) / 4), POLL_MS);
  return PATIENT.has(reason) ? Math.min(Math.max(POLL_MS, (now - since) / 4), PATIENCE_MS) : POLL_MS;
}

/** Waits that only a timer, a commit or a person ends: no need to look in between. */
const RESTS: ReadonlySet<WaitingReason> = new Set([
  'quarantine',
  'hold',
  'problem',
  'backoff',
  'approval',
  'window',
  'budget',
  'deletion-budget',
  'suspended',
  'scaling',
  'schedule',
  'stopped',
]);

/** Waits for others, who may take long: the longer they last, the less often is looked. */
const PATIENT: ReadonlySet<WaitingReason> = new Set([
  'capacity',
  'backend',
  'cannot-surge',
  'dependency',
  'rename',
]);
const PATIENCE_MS = 60_000;
