// A deployment goes on being tried for a while after its rollout is done (`rollout.bake`): what it took the place of is
// kept, and replicas that end soon after they were ready still fail it. No rollout takes longer for that; only its first
// candidate, and once one has ended all others, are watched for a moment before others leave because of them.
import type { RolloutPolicy } from '../../schemas/desired.ts';
import type { Deployment, Replica, Rollout, ServiceState } from '../../schemas/rollout.ts';
import { HEALTHY_MS } from './backoff.ts';
import { deploymentOf, goodOf, isCurrent, isRolling, sameShapes, targetOf } from './deployments.ts';

/** Exits of candidates that make a rollout fail: one may be bad luck, two a race, three are the revision. */
export const MAX_EXITS = 3;

/** How long the first candidate is watched before an old replica leaves because of it. */
export const FIRST_MS = 10_000;

/** Whether a replica that ended, ready for `readyMs`, speaks against its revision; not so one that was well before the rollout. */
export function endedEarly(
  { at, readyMs }: Ended,
  { startedAt }: Rollout,
  { bakeMs = 0 }: RolloutPolicy,
): boolean {
  return readyMs < HEALTHY_MS || (readyMs < bakeMs && at - readyMs >= startedAt);
}

interface Ended {
  readonly at: number;
  readonly readyMs: number;
}

/** What a deployment that is still being tried took the place of; null: its time is over, or nothing was there before. */
export function formerOf(state: ServiceState, now: number): Deployment | null {
  const { rollout } = state;
  const target = targetOf(state);
  const former = deploymentOf(state, rollout?.from ?? null);
  if (rollout?.outcome !== 'done' || rollout.to !== target?.number || !former) return null;
  return sameShapes(former, target) || isBaked(state, target, rollout, now) ? null : former;
}

/** A deployment that is still being tried, judged as if its rollout were not done yet. */
export function reopened(state: ServiceState, former: Deployment | null): ServiceState {
  if (!former || !state.rollout || failedAsOften(state, former, state.rollout)) return state;
  return { ...state, good: former.number, rollout: { ...state.rollout, outcome: 'rolling' } };
}

/** What a failure of the next deployment returns to: not to one that is still being tried, if something speaks against it. */
export function trustedGood(state: ServiceState, now: number): number | null {
  const { exits = 0, unready = 0 } = state.rollout ?? {};
  const former = exits + unready > 0 ? formerOf(state, now) : null;
  return former?.number ?? state.good;
}

/**
 * When a ready candidate may take the place of another. The first of a group has to hold out for a moment: that a port is
 * open says little. Those after it may at once, unless a candidate of this rollout has ended: then each is watched for longer.
 * What the last good deployment is made of needs no watching.
 */
export function trustIn(state: ServiceState): (replica: Replica) => number {
  return goodOf(state) ? watchIn(state) : () => 0;
}

/** The same where what they take the place of is another service's. */
export function watchIn(state: ServiceState): (replica: Replica) => number {
  const target = targetOf(state);
  const good = goodOf(state);
  if (!isRolling(state) || !target || (good && sameShapes(good, target))) return () => 0;
  const readyAt = (replica: Replica) => replica.readyAt ?? 0;
  if ((state.rollout?.exits ?? 0) > 0)
    return (replica) => (isCurrent(replica, target) ? readyAt(replica) + HEALTHY_MS : 0);
  const first = new Map<string, number>();
  for (const replica of state.replicas)
    if (replica.phase === 'ready' && isCurrent(replica, target))
      first.set(replica.group, Math.min(first.get(replica.group) ?? readyAt(replica), readyAt(replica)));
  return (replica) =>
    isCurrent(replica, target) ? (first.get(replica.group) ?? readyAt(replica)) + FIRST_MS : 0;
}

// Private

/** Its time is over, and one replica of each group at least has held out for all of it. */
function isBaked(state: ServiceState, { spec }: Deployment, { endedAt }: Rollout, now: number): boolean {
  const { bakeMs = 0 } = spec.policy;
  if (bakeMs === 0) return true;
  const heldOut = (group: string) =>
    state.replicas.some(
      ({ group: own, phase, readyAt }) =>
        own === group && phase === 'ready' && readyAt !== null && now - readyAt >= bakeMs,
    );
  return now - (endedAt ?? now) >= bakeMs && spec.groups.every(({ name }) => heldOut(name));
}

/** What was there before fell as often: then it is not the new revision. */
function failedAsOften({ failures }: ServiceState, former: Deployment, { startedAt }: Rollout): boolean {
  const since = startedAt - (former.spec.policy.bakeMs ?? 0);
  const fallen = failures.filter(({ deployment, at }) => deployment === former.number && at >= since);
  return fallen.length >= MAX_EXITS;
}
