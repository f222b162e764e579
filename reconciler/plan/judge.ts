// Judges what has ended and what has taken too long: backoff, liveness, and whether the rollout has failed.
// The revision is blamed only for what its own processes did; what the world did only delays.
import type { RolloutPolicy } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type {
  Deployment,
  Replica,
  ReplicaFailure,
  RetryEvent,
  Rollout,
  ServiceState,
} from '../../schemas/rollout.ts';
import type { Advance, End } from './advance.ts';
import { backoffMs, HEALTHY_MS } from './backoff.ts';
import { endedEarly, formerOf, MAX_EXITS, reopened } from './bake.ts';
import { deadlineOf, readyMsOf } from './deadlines.ts';
import {
  adopt,
  deploymentOf,
  goodOf,
  isCurrent,
  isHeld,
  isRolling,
  isStaying,
  targetOf,
} from './deployments.ts';
import { eventOf } from './move.ts';
import { withoutSetAside, withSetAside } from './place.ts';
import { meetsProbes } from './probes.ts';
import { noteIncident } from './retry.ts';
import { wantedReplicas } from './scale.ts';

/** Candidates that may run without becoming ready before the rollout fails. */
export const MAX_UNREADY = 2;
/** Failed candidates kept for people to look at. */
export const KEPT_FAILURES = 20;

export interface Judgement {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

export function judge(before: ServiceState, advance: Advance, now: number): Judgement {
  const advanced: ServiceState = {
    ...before,
    replicas: advance.replicas.map((replica) => tookOver(replica, before)),
  };
  const late = overdue(advanced, now);
  const ends = [...advance.ends, ...late];
  const lateByName = new Map(late.map((end) => [end.replica, end]));
  const stopped = advanced.replicas.map((replica) => stopLate(replica, lateByName));
  const condemned = condemn(stopped, advanced);
  const sick = condemned.flatMap((replica, i) => sickCandidate(replica, stopped[i], before.rollout, now));
  const noted: ServiceState = {
    ...advanced,
    ...setAsideAfter(before, advance.replicas, ends, now),
    replicas: condemned,
    failures: note(before.failures, [...ends, ...sick], advance.logs),
    backoff: backoffAfter(before, ends, now),
    rollout: before.rollout && count(before, before.rollout, [...ends, ...sick]),
  };
  const counted = ends.reduce((state, end) => noteIncident(state, end.group, retryEventOf(end), now), noted);
  const events = late.map((end): NewEvent => failedEvent(before, end));
  const tried = reopened(counted, formerOf(before, now));
  const reason = whyFailed(tried);
  if (reason === null) {
    const healed = endHold(counted);
    return { state: healed.state, events: [...events, ...healed.events] };
  }
  const failed = failRollout(tried, reason, now);
  return { state: failed.state, events: [...events, ...failed.events] };
}

/** Ends a rollout: its candidates are left to `roll`, what it asked for is set aside, the last good deployment is the target again. */
export function failRollout(state: ServiceState, reason: string, now: number): Judgement {
  const [target, good] = [targetOf(state), goodOf(state)];
  if (!target || !state.rollout) return { state, events: [] };
  const policy = target.spec.policy;
  const rollback = good !== null && policy.onFailure === 'rollback';
  const failed: ServiceState = {
    ...state,
    rollout: { ...state.rollout, outcome: 'failed', endedAt: now, reason },
    quarantine: {
      digest: target.digest,
      shapes: target.shapes,
      until: now + policy.quarantineMs,
      reason,
    },
    backoff: {},
  };
  const kept = state.rollout.endedAt === null ? 'stays' : 'is restored';
  const next = rollback ? `; deployment ${good.number} ${kept}` : '; held where it is';
  return {
    state: rollback ? { ...failed, target: good.number, replicas: adopt(failed, good) } : failed,
    events: [
      {
        service: state.service,
        event: 'rollout-failed',
        reason: `${reason}${next}`,
        deployment: target.number,
      },
      {
        service: state.service,
        event: 'quarantined',
        reason: quarantineText(policy),
        deployment: target.number,
      },
    ],
  };
}

export function noteFailures(
  kept: readonly ReplicaFailure[],
  added: readonly ReplicaFailure[],
): ReplicaFailure[] {
  return [...kept, ...added].slice(-KEPT_FAILURES);
}

// Private

/**
 * A failed rollout is held only while enough of what served is left, and all of it once no candidate is: what dies must be
 * replaced by what is known to run.
 */
function endHold(state: ServiceState): Judgement {
  const [target, good] = [targetOf(state), goodOf(state)];
  if (!target || !isHeld(state, target) || !good || good === target) return { state, events: [] };
  const wanted = Math.min(wantedBy(state, good), wantedBy(state, target));
  const left = state.replicas.filter((replica) => replica.everReady && isStaying(replica)).length;
  const isSeen = state.replicas.some((replica) => isCurrent(replica, target));
  if (left >= wanted - (isSeen ? target.spec.policy.unavailable : 0)) return { state, events: [] };
  const event: NewEvent = {
    service: state.service,
    event: 'rollout-failed',
    reason: `deployment ${target.number} was held, but only ${left} of ${wanted} replicas are left; deployment ${good.number} is restored`,
    deployment: target.number,
  };
  return {
    state: { ...state, target: good.number, replicas: adopt(state, good) },
    events: [event],
  };
}

function wantedBy(state: ServiceState, { spec }: Deployment): number {
  return spec.groups.reduce((sum, group) => sum + wantedReplicas(group, state), 0);
}

function quarantineText(policy: RolloutPolicy): string {
  const hours = Math.round(policy.quarantineMs / 360_000) / 10;
  return `not tried again until its file, policy or a secret changes, or ${hours} h have passed`;
}

function whyFailed(state: ServiceState): string | null {
  const { rollout } = state;
  // Without a good deployment there is nothing to return to: a first one is tried again for ever, with backoff.
  if (rollout?.outcome !== 'rolling' || goodOf(state) === null || state.good === state.target) return null;
  const last = state.failures.at(-1)?.reason ?? '';
  if (rollout.exits >= MAX_EXITS) {
    const when = rollout.endedAt === null ? 'before the rollout was done' : 'soon after they were ready';
    const ended = rollout.isAgain ? `it has failed before, and ${rollout.exits - 1}` : rollout.exits;
    return `${ended} candidates ended ${when}; the last one ${last}`;
  }
  if (rollout.unready >= MAX_UNREADY)
    return `${rollout.unready} candidates did not ${state.replicas.some(isSick) ? 'become or stay' : 'become'} ready; the last one ${last}`;
  const trial = state.replicas.find((replica) => trialOverdue(replica, state));
  return trial ? `the new probes did not succeed on ${trial.name}, which serves well by the old ones` : null;
}

function trialOverdue(replica: Replica, state: ServiceState): boolean {
  const spec = replica.trial && deploymentOf(state, replica.trial.deployment)?.spec;
  return !!replica.trial && !!spec && replica.trial.stageMs > readyMsOf(spec);
}

/** New probes that have all met their `ready_after` are the ones that count from now on. */
function tookOver(replica: Replica, state: ServiceState): Replica {
  const { trial } = replica;
  const spec = trial && deploymentOf(state, trial.deployment)?.spec;
  if (!trial || !spec || !meetsProbes(trial.probes, spec, replica.listening)) return replica;
  return { ...replica, deployment: trial.deployment, probes: trial.probes, trial: null };
}

function overdue(state: ServiceState, now: number): End[] {
  return state.replicas.flatMap((replica) => {
    const spec = deploymentOf(state, replica.deployment)?.spec;
    const deadline = spec && isStaying(replica) ? deadlineOf(replica, spec) : null;
    if (!deadline || replica.stageMs < deadline.ms) return [];
    const why = replica.detail ? `: ${replica.detail}` : '';
    const reason = `did not ${deadline.words} within ${seconds(deadline.ms)}${why}`;
    return [{ ...endOf(replica, now), kind: deadline.isWorlds ? 'slow' : 'unready', reason }];
  });
}

function endOf(replica: Replica, now: number) {
  const { name, group, shape, offer, deployment, probes, readyAt } = replica;
  return {
    replica: name,
    group,
    shape,
    offer,
    deployment,
    at: now,
    log: [],
    ...(probes.length > 0 && { probes }),
    readyMs: readyAt === null ? 0 : now - readyAt,
  };
}

function stopLate(replica: Replica, late: ReadonlyMap<string, End>): Replica {
  const end = late.get(replica.name);
  if (!end) return replica;
  // What may have an instance is ended until it is not found; only then is another one made.
  const phase = replica.phase === 'creating' ? 'terminating' : 'stopping';
  return { ...replica, phase, stageMs: 0, leaving: end.reason, trial: null, tries: 0, retryAt: 0 };
}

/** An offer that gave no machine in time is not tried again for a while; one that did may be. */
function setAsideAfter(
  before: ServiceState,
  replicas: readonly Replica[],
  ends: readonly End[],
  now: number,
): Pick<ServiceState, 'setAside'> {
  const creating = new Set(
    before.replicas.flatMap(({ name, phase }) => (phase === 'creating' ? [name] : [])),
  );
  const given = replicas.filter(({ name, phase }) => phase === 'starting' && creating.has(name));
  const kept = given.reduce((list, { offer }) => withoutSetAside(list, offer, now), before.setAside);
  const slow = ends.filter(({ kind }) => kind === 'slow');
  const setAside = slow.reduce((list, { offer, replica, reason }) => {
    const message = `${offer.backend}: ${replica} ${reason}`;
    const priority = targetOf(before)?.spec.priority;
    return withSetAside(list, offer, { kind: 'no-capacity', message }, priority, now);
  }, kept);
  return setAside ? { setAside } : {};
}

function retryEventOf({ kind, offer }: End): RetryEvent {
  return kind === 'lost' && offer.spot ? 'interruption' : 'error';
}

/** Marks replicas that have been unready for too long, few at a time: they leave once others serve in their place. */
function condemn(replicas: readonly Replica[], state: ServiceState): Replica[] {
  const allowed = (policy: RolloutPolicy) => Math.max(1, policy.unavailable);
  let condemned = replicas.filter(isSick).length;
  return replicas.map((replica) => {
    const policy = deploymentOf(state, replica.deployment)?.spec.policy;
    const isDue =
      policy && replica.phase === 'unready' && replica.leaving === '' && replica.stageMs >= policy.livenessMs;
    if (!isDue || condemned >= allowed(policy)) return replica;
    condemned += 1;
    return { ...replica, leaving: `not ready for ${seconds(policy.livenessMs)}` };
  });
}

function isSick({ phase, leaving }: Replica): boolean {
  return phase === 'unready' && leaving !== '';
}

/** One that is condemned now, and was first ready in this rollout: it speaks against its revision as one that never was. */
function sickCandidate(
  replica: Replica,
  before: Replica | undefined,
  rollout: Rollout | null,
  now: number,
): End[] {
  const isNew = isSick(replica) && before?.leaving === '';
  if (!isNew || !rollout || (replica.readyAt ?? 0) < rollout.startedAt) return [];
  const why = replica.detail ? `: ${replica.detail}` : '';
  return [{ ...endOf(replica, now), kind: 'unready', reason: `was ${replica.leaving}${why}` }];
}

function note(
  kept: readonly ReplicaFailure[],
  ends: readonly End[],
  logs: Advance['logs'],
): ReplicaFailure[] {
  const added = ends.map(({ replica, deployment, at, reason, log, probes }) => ({
    replica,
    deployment,
    at,
    reason,
    log,
    ...(probes && { probes }),
  }));
  return noteFailures(kept, added).map((failure) =>
    failure.log.length > 0 ? failure : { ...failure, log: logs[failure.replica] ?? [] },
  );
}

/** Ends of one pass count as one: replicas that go down together went down for one reason. */
function backoffAfter(state: ServiceState, ends: readonly End[], now: number): ServiceState['backoff'] {
  const isGuarded = isRolling(state) && state.good !== null;
  const groups = Map.groupBy(ends, ({ group }) => group);
  const next = [...groups].map(([group, mine]) => {
    const wasHealthy = mine.every(
      (end) => end.readyMs >= HEALTHY_MS || (end.kind === 'lost' && end.readyMs > 0),
    );
    const failures = wasHealthy ? 1 : (state.backoff[group]?.failures ?? 0) + 1;
    return [group, { failures, until: now + (wasHealthy ? 0 : backoffMs(failures, isGuarded)) }] as const;
  });
  return { ...state.backoff, ...Object.fromEntries(next) };
}

function count(state: ServiceState, rollout: Rollout, ends: readonly End[]): Rollout {
  const target: Deployment | null = targetOf(state);
  const mine = ends.filter((end) => end.deployment === rollout.to && target?.shapes[end.group] === end.shape);
  const exits = mine.filter(
    (end) => end.kind === 'exit' && target && endedEarly(end, rollout, target.spec.policy),
  );
  return {
    ...rollout,
    exits: rollout.exits + exits.length,
    unready: rollout.unready + mine.filter((end) => end.kind === 'unready').length,
  };
}

function failedEvent(state: ServiceState, end: End): NewEvent {
  return eventOf(state, 'replica-failed', `${end.replica}: ${end.reason}`, { ...end, name: end.replica });
}

function seconds(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${Math.round(ms / 1000)} s`;
}
