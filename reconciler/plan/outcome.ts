// What the outcome of an effect changes in the state at once; all else is left to the next observation.
import type { Instance } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Replica, ServiceState, Step } from '../../schemas/rollout.ts';
import { backoffMs } from './backoff.ts';
import { goodOf, isRolling } from './deployments.ts';
import { failRollout, noteFailures } from './judge.ts';

export interface Outcome {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

/** Notes the instance that `create` gave, so that it can be asked for by its id. */
export function foldCreated(state: ServiceState, name: string, instance: Instance): ServiceState {
  const replica = state.replicas.find((candidate) => candidate.name === name);
  return replica
    ? update(state, { ...replica, instance: instance.id, tries: 0, retryAt: 0, detail: '' })
    : state;
}

/** The failure's kind alone decides; see `FailureKind`. */
export function foldFailure(state: ServiceState, step: Step, failure: Failure, now: number): Outcome {
  const replica =
    step.kind === 'publish' ? undefined : state.replicas.find(({ name }) => name === step.replica);
  if (!replica) return { state, events: [] };
  const event: NewEvent = {
    service: state.service,
    event: 'failure',
    reason: `${step.kind} of ${replica.name}: ${failure.message}${failure.fix ? `; ${failure.fix}` : ''}`,
    replica: replica.name,
    deployment: replica.deployment,
  };
  const isNews = replica.detail !== failure.message;
  const noted = {
    state: update(state, { ...replica, detail: failure.message }),
    events: isNews ? [event] : [],
  };
  switch (failure.kind) {
    case 'not-found':
      // What is to end is gone. What is to run may be too: the next look tells; until then it is tried again.
      return step.kind === 'run' ? retried(noted, replica, failure, now) : { state, events: [] };
    case 'invalid':
      return refused(noted, replica, failure, now);
    case 'no-capacity':
    case 'quota':
      // A definite refusal: there is no instance, so the replica can be given up and placed anew.
      return step.kind === 'create'
        ? delayed(giveUp(noted, replica), replica, failure, now)
        : retried(noted, replica, failure, now);
    case 'rate-limited':
    case 'transient':
    case 'unauthorized':
    case 'bug':
      return retried(noted, replica, failure, now);
  }
}

// Private

function refused(noted: Outcome, replica: Replica, failure: Failure, now: number): Outcome {
  const stopping = update(noted.state, { ...replica, phase: 'stopping', leaving: failure.message });
  const { state, events } = delayed({ ...noted, state: stopping }, replica, failure, now);
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
  const retryAt = failure.retryAt ?? now + backoffMs(tries, isGuarded);
  return { ...noted, state: update(noted.state, { ...replica, detail: failure.message, tries, retryAt }) };
}

function giveUp(noted: Outcome, replica: Replica): Outcome {
  const replicas = noted.state.replicas.filter(({ name }) => name !== replica.name);
  return { ...noted, state: { ...noted.state, replicas } };
}

/** Notes why, and lets some time pass before the group gets another replica. */
function delayed(outcome: Outcome, replica: Replica, failure: Failure, now: number): Outcome {
  const { state } = outcome;
  const { name, group, deployment } = replica;
  const failures = (state.backoff[group]?.failures ?? 0) + 1;
  const until = now + backoffMs(failures, false);
  const noted = noteFailures(state.failures, [
    { replica: name, deployment, at: now, reason: failure.message, log: [] },
  ]);
  const backoff = { ...state.backoff, [group]: { failures, until } };
  return { ...outcome, state: { ...state, failures: noted, backoff } };
}

function update(state: ServiceState, replica: Replica): ServiceState {
  return {
    ...state,
    replicas: state.replicas.map((other) => (other.name === replica.name ? replica : other)),
  };
}
