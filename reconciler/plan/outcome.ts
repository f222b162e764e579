// What the outcome of an effect changes in the state at once; all else is left to the next observation.
import type { Actual, Instance, OffersFact } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Replica, ServiceState, Step } from '../../schemas/rollout.ts';
import { backoffMs } from './backoff.ts';
import { goodOf, isEnding, isRolling, targetOf } from './deployments.ts';
import { failRollout, noteFailures } from './judge.ts';
import { withoutHeld } from './mounts.ts';
import { eventOf } from './move.ts';
import { place, withSetAside } from './place.ts';
import { noteIncident } from './retry.ts';

export interface Outcome {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

/** Notes the instance that `create` gave, so that it can be asked for by its id. */
export function foldCreated(state: ServiceState, name: string, instance: Instance, now: number): Outcome {
  const replica = state.replicas.find((candidate) => candidate.name === name);
  if (!replica) return { state, events: [] };
  if (instance.tags.shape === replica.shape) {
    const known = { ...replica, instance: instance.id, tries: 0, retryAt: 0, detail: '' };
    return { state: update(state, known), events: [] };
  }
  // A restored database has forgotten it: its name is given up, and the sweeper ends it.
  const reason = 'is there already, made of something else';
  const events = [eventOf(state, 'failure', `${name} ${reason}; another name is taken`, replica)];
  return delayed(giveUp({ state, events }, replica), replica, reason, now);
}

/**
 * The failure's kind alone decides; see `FailureKind`. `offers` are those of this pass: what refuses an instance is set
 * aside, and the next is asked for at once.
 */
export function foldFailure(
  state: ServiceState,
  step: Step,
  failure: Failure,
  now: number,
  offers: Actual['offers'] = {},
): Outcome {
  const replica =
    step.kind === 'publish' ? undefined : state.replicas.find(({ name }) => name === step.replica);
  if (!replica) return { state, events: [] };
  const text = `${step.kind} of ${replica.name}: ${failure.message}${failure.fix ? `; ${failure.fix}` : ''}`;
  const isNews = replica.detail !== failure.message;
  const noted = {
    state: update(state, { ...replica, detail: failure.message }),
    events: isNews ? [eventOf(state, 'failure', text, replica)] : [],
  };
  switch (failure.kind) {
    case 'not-found':
      // What is to end is gone. What is to run may be too: the next look tells; until then it is tried again.
      return step.kind === 'run' ? retried(noted, replica, failure, now) : { state, events: [] };
    case 'invalid':
      return refused(noted, step, replica, failure, now);
    case 'no-capacity':
    case 'quota':
    case 'unauthorized':
      // A definite refusal: there is no instance, so the replica can be placed anew.
      return step.kind === 'create'
        ? placedAnew(noted, replica, failure, now, offers)
        : retried(noted, replica, failure, now);
    case 'rate-limited':
    case 'transient':
    case 'bug':
      return retried(noted, replica, failure, now);
  }
}

// Private

/** What is to end is paid for until it has: the longest pause before that is tried again. */
const MOST_PAID_MS = 60_000;

/** The next offer, as another attempt: its request is recorded before it is sent, in the pass that follows at once. */
function placedAnew(
  noted: Outcome,
  replica: Replica,
  failure: Failure,
  now: number,
  offers: Actual['offers'],
): Outcome {
  const state = withoutOffer(noted.state, replica, failure, now);
  const others = state.replicas.filter(({ name }) => name !== replica.name);
  const choice = place(withoutHeld(withoutIdle(offers[replica.group]), others), state.setAside, now);
  if (choice.kind === 'offer') {
    const { attempt } = replica;
    const next = { ...replica, attempt: attempt + 1, offer: choice.offer, instance: null };
    return { ...noted, state: update(state, { ...next, stageMs: 0, tries: 0, retryAt: 0, detail: '' }) };
  }
  const gone = giveUp({ ...noted, state: noteIncident(state, replica.group, 'no-capacity', now) }, replica);
  return { ...gone, state: withFailure(gone.state, replica, failure.message, now) };
}

/** What somebody else has taken meanwhile says nothing of others of its kind. */
function withoutOffer(state: ServiceState, { offer }: Replica, failure: Failure, now: number): ServiceState {
  if (offer.availability === 'idle') return state;
  const priority = targetOf(state)?.spec.priority;
  return { ...state, setAside: withSetAside(state.setAside, offer, failure, priority, now) };
}

/** Which machines are idle still, the next look tells. */
function withoutIdle(fact: OffersFact | undefined): OffersFact | undefined {
  if (fact?.kind !== 'offers') return fact;
  return { ...fact, offers: fact.offers.filter(({ availability }) => availability !== 'idle') };
}

function refused(noted: Outcome, step: Step, replica: Replica, failure: Failure, now: number): Outcome {
  const stopping: Replica = { ...replica, phase: 'stopping', leaving: failure.message, stageMs: 0 };
  const left =
    step.kind === 'create' ? giveUp(noted, replica) : { ...noted, state: update(noted.state, stopping) };
  const { state, events } = delayed(left, replica, failure.message, now);
  if (!isRolling(state) || state.rollout?.to !== replica.deployment) return { state, events };
  // Nothing to return to: it is tried again, for ever; but it counts as what it is.
  if (goodOf(state) === null)
    return { state: { ...state, rollout: { ...state.rollout, exits: state.rollout.exits + 1 } }, events };
  const failed = failRollout(state, failure.message, now);
  return { state: failed.state, events: [...events, ...failed.events] };
}

/** The same step again, later: nothing is known to be wrong with the replica itself. */
function retried(noted: Outcome, replica: Replica, failure: Failure, now: number): Outcome {
  const tries = replica.tries + 1;
  const isGuarded = isRolling(noted.state) && noted.state.good !== null;
  const pauseMs = Math.min(backoffMs(tries, isGuarded), isEnding(replica) ? MOST_PAID_MS : Number.MAX_VALUE);
  const retryAt = failure.retryAt ?? now + pauseMs;
  return { ...noted, state: update(noted.state, { ...replica, detail: failure.message, tries, retryAt }) };
}

function giveUp(noted: Outcome, replica: Replica): Outcome {
  const replicas = noted.state.replicas.filter(({ name }) => name !== replica.name);
  return { ...noted, state: { ...noted.state, replicas } };
}

/** Notes why, and lets some time pass before the group gets another replica. */
function delayed({ state, events }: Outcome, replica: Replica, reason: string, now: number): Outcome {
  const failures = (state.backoff[replica.group]?.failures ?? 0) + 1;
  const until = now + backoffMs(failures, false);
  const backoff = { ...state.backoff, [replica.group]: { failures, until } };
  return { events, state: { ...withFailure(state, replica, reason, now), backoff } };
}

function withFailure(
  state: ServiceState,
  { name, deployment }: Replica,
  reason: string,
  now: number,
): ServiceState {
  const failure = { replica: name, deployment, at: now, reason, log: [] };
  return { ...state, failures: noteFailures(state.failures, [failure]) };
}

function update(state: ServiceState, replica: Replica): ServiceState {
  return {
    ...state,
    replicas: state.replicas.map((other) => (other.name === replica.name ? replica : other)),
  };
}
