// One word for how a service is.
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Deployment, ServiceState, ServiceStatus } from '../../schemas/rollout.ts';
import { FIRST_MS, MAX_EXITS } from './bake.ts';
import { goodOf, isCurrent, isRolling, targetOf } from './deployments.ts';
import { MAX_UNREADY } from './judge.ts';
import { isResting, wantedReplicas } from './scale.ts';

/**
 * `isGivingWay`: it hands over to its new name.
 *
 * suspended: nothing new begins, whatever runs · invalid: its file has errors (the last good deployment, if any, goes on serving) · starting, rolling: on the way ·
 * scheduled, stopped, scaled-to-zero: nothing is to run now · running: as asked · degraded: serves, but not what or not as much as was asked · failed: does not serve.
 */
export function statusWord(
  state: ServiceState,
  desired: DesiredRecord | null,
  isGivingWay: boolean = false,
): ServiceStatus {
  if (desired === null || desired.removed) return 'removing';
  if (desired.suspended) return 'suspended';
  if (desired.problems.some((problem) => problem.severity === 'error')) return 'invalid';
  const target = targetOf(state);
  if (!target) return 'starting';
  if (isResting(state)) return state.term?.kind === 'stopped' ? 'stopped' : 'scheduled';
  if (wantedTotal(state, target) === 0 && state.replicas.length === 0) return 'scaled-to-zero';
  if (isRolling(state)) return rollingWord(state, target);
  if (isGivingWay) return 'rolling';
  const serves = servesAsAsked(state, target) || isGrowing(state, target);
  if (serves && !isSetBack(state, desired)) return 'running';
  if (state.replicas.some((replica) => replica.phase === 'ready')) return 'degraded';
  return isComingUp(state) ? 'starting' : 'failed';
}

/** None is ready, but nothing has gone wrong either: they were ended with the daemon, and are made anew. */
function isComingUp(state: ServiceState): boolean {
  return Object.keys(state.backoff).length === 0 && state.replicas.every(({ everReady }) => !everReady);
}

export function wantedTotal(state: ServiceState, target: Deployment): number {
  return target.spec.groups.reduce((sum, group) => sum + wantedReplicas(group, state), 0);
}

/** A first deployment that fails is tried again for ever; this tells that it does. */
export function startsBadly({ rollout, incidents }: ServiceState): boolean {
  const { exits = 0, unready = 0 } = rollout ?? {};
  return (
    exits >= MAX_EXITS ||
    unready >= MAX_UNREADY ||
    Object.values(incidents ?? {}).some(({ isOver }) => isOver)
  );
}

/** Every group has its wanted number of ready replicas of the wanted shape. */
export function servesAsAsked(state: ServiceState, target: Deployment): boolean {
  return target.spec.groups.every((group) => {
    const mine = state.replicas.filter(
      (replica) => replica.group === group.name && isCurrent(replica, target),
    );
    return mine.filter((replica) => replica.phase === 'ready').length >= wantedReplicas(group, state);
  });
}

/** The new name of a renamed service is rolled out, serves, and has held out for a moment: the old one is needed no more. */
export function hasTakenOver(state: ServiceState, now: number): boolean {
  const target = targetOf(state);
  if (!target || state.good !== target.number || !servesAsAsked(state, target)) return false;
  const heldOut = (group: string) =>
    state.replicas.some(
      (replica) =>
        replica.group === group && isCurrent(replica, target) && now - (replica.readyAt ?? now) >= FIRST_MS,
    );
  return target.spec.groups.every((group) => wantedReplicas(group, state) === 0 || heldOut(group.name));
}

// Private

/** Every group serves with what it must have at least, and what its traffic asks for beyond that is on its way. */
function isGrowing(state: ServiceState, target: Deployment): boolean {
  return target.spec.groups.every((group) => {
    const mine = state.replicas.filter(
      (replica) => replica.group === group.name && isCurrent(replica, target),
    );
    const ready = mine.filter(({ phase }) => phase === 'ready');
    const wanted = wantedReplicas(group, state);
    const isUnharmed =
      !state.backoff[group.name] && mine.every(({ phase, everReady }) => phase === 'ready' || !everReady);
    return (
      ready.length >= Math.min(wanted, Math.max(1, group.replicas.min)) && mine.length >= wanted && isUnharmed
    );
  });
}

function rollingWord(state: ServiceState, target: Deployment): ServiceStatus {
  if (goodOf(state)) return 'rolling';
  if (state.replicas.some(({ phase }) => phase === 'ready'))
    return startsBadly(state) || isShort(state, target) ? 'degraded' : 'starting';
  return startsBadly(state) ? 'failed' : 'starting';
}

/** Some replicas are not even on their way: there is nothing to be had for them, or they ended. */
function isShort(state: ServiceState, target: Deployment): boolean {
  return target.spec.groups.some((group) => {
    const mine = state.replicas.filter(
      (replica) => replica.group === group.name && isCurrent(replica, target),
    );
    return mine.length < wantedReplicas(group, state) || state.backoff[group.name] !== undefined;
  });
}

/** What runs is not what the file asks for, because its rollout failed. */
function isSetBack(state: ServiceState, desired: DesiredRecord): boolean {
  const target = targetOf(state);
  return (
    state.rollout?.outcome === 'failed' &&
    (state.quarantine !== null || desired.service?.revision !== target?.revision)
  );
}
