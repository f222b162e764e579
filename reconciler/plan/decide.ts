// The decision: desired state, stored state and what was observed, at one instant, give the next state, the steps to
// take and the reasons to wait. Pure; the same function serves reconcile, `why` and simulation.
//
//   advance  what was observed -> each replica's phase      judge  ends and deadlines -> backoff, failed rollout
//   aim      desired -> which deployment                    roll   which replicas come and go now
//   settle   route, finished rollout, steps, waiting, status, next wake
import type { Actual } from '../../schemas/actual.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, ServiceState, Step } from '../../schemas/rollout.ts';
import { advance } from './advance.ts';
import { aim } from './aim.ts';
import { isCurrent, isEnding, isRolling, newState, targetOf } from './deployments.ts';
import { judge } from './judge.ts';
import { isPublished, roll } from './roll.ts';
import { routeOf } from './routes.ts';
import { servesAsAsked, statusWord } from './status.ts';
import { stepsOf } from './steps.ts';
import { waitingOf } from './wait.ts';

/** While something is under way, look again this often even if no event comes. */
const POLL_MS = 1_000;
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
  const before = state ?? newState(project, service, now);
  const advanced = advance(before, actual, now);
  const judged = judge(before, advanced, now);
  const aimed = aim(judged.state, desired, now);
  const rolled = roll(aimed.state, actual, now);
  const settled = settle(rolled.state, desired, actual, now);
  const events = [...advanced.events, ...judged.events, ...aimed.events, ...rolled.events, ...settled.events];
  if (isOver(settled.state, desired)) return { state: null, steps: [], events, wakeAt: now + RESYNC_MS };
  const steps = stepsOf(settled.state, actual, now);
  return { state: settled.state, steps, events, wakeAt: wakeAt(settled.state, steps, now) };
}

// Private

function settle(state: ServiceState, desired: DesiredRecord | null, actual: Actual, now: number) {
  const target = targetOf(state);
  const spec = target?.spec ?? state.deployments.at(-1)?.spec;
  const route = spec ? routeOf(state.project, spec, state.replicas, state.route) : state.route;
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
  next = { ...next, deployments: stillReferred(next), waiting: waitingOf(next, desired, actual, now) };
  const status = statusWord(next, desired);
  if (status !== state.status)
    events.push({ service: state.service, event: 'status', reason: `${state.status} → ${status}` });
  return { state: { ...next, status }, events };
}

/** Every replica is current, ready, known to every proxy, and nothing of an older deployment is left. */
function isDone(state: ServiceState, target: Deployment, actual: Actual): boolean {
  const isSettled = state.replicas.every(
    (replica) =>
      !isEnding(replica) &&
      isCurrent(replica, target) &&
      replica.trial === null &&
      replica.deployment === target.number,
  );
  return isSettled && servesAsAsked(state, target) && isPublished(state, actual);
}

function doneText(state: ServiceState, target: Deployment): string {
  const count = state.replicas.length;
  return `deployment ${target.number} is done: ${count} replica${count === 1 ? '' : 's'} ready`;
}

function stillReferred(state: ServiceState): readonly Deployment[] {
  const used = new Set([state.target, state.good, ...state.replicas.map((replica) => replica.deployment)]);
  for (const { trial } of state.replicas) if (trial) used.add(trial.deployment);
  return state.deployments.filter(({ number }) => used.has(number));
}

function isOver(state: ServiceState, desired: DesiredRecord | null): boolean {
  return (desired === null || desired.removed) && state.replicas.length === 0;
}

function wakeAt(state: ServiceState, steps: readonly Step[], now: number): number {
  const timers = state.waiting.flatMap(({ until }) => (until !== null && until > now ? [until] : []));
  const isMoving = steps.length > 0 || state.waiting.some(({ reason }) => !RESTS.has(reason));
  return Math.min(now + (isMoving ? POLL_MS : RESYNC_MS), ...timers);
}

/** Waits that only a timer, a commit or a person ends: no need to look in between. */
const RESTS = new Set(['quarantine', 'hold', 'problem', 'backoff']);
