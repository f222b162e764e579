// Says what a service is waiting for: every reason why it is not converged and no step is taken now.
import type { Actual } from '../../schemas/actual.ts';
import type { DesiredRecord, RolloutPolicy } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState, Waiting, WaitingReason } from '../../schemas/rollout.ts';
import { deploymentOf, isCurrent, targetOf } from './deployments.ts';
import { place } from './place.ts';
import { ceilingOf, floorOf, isPublished } from './roll.ts';
import { wantedReplicas } from './scale.ts';

type Reason = Omit<Waiting, 'since'>;

/** The reasons now; one that was there before keeps its `since`. */
export function waitingOf(
  state: ServiceState,
  desired: DesiredRecord | null,
  actual: Actual,
  now: number,
): Waiting[] {
  const reasons = [
    ...state.replicas.flatMap((replica) => replicaReasons(state, replica, actual, now)),
    ...groupReasons(state, actual, now),
    ...serviceReasons(state, desired, actual, now),
  ];
  return reasons.map((reason) => ({ ...reason, since: sinceOf(state.waiting, reason) ?? now }));
}

// Private

function sinceOf(before: readonly Waiting[], { reason, subject }: Reason): number | undefined {
  return before.find((waiting) => waiting.reason === reason && waiting.subject === subject)?.since;
}

function replicaReasons(state: ServiceState, replica: Replica, actual: Actual, now: number): Reason[] {
  const policy = deploymentOf(state, replica.deployment)?.spec.policy;
  if (!policy) return [];
  const fact = actual.replicas[replica.name];
  return fact?.kind === 'unknown'
    ? [wait('backend', replica.name, null, fact.reason)]
    : phaseReasons(replica, policy, now);
}

function phaseReasons(replica: Replica, policy: RolloutPolicy, now: number): Reason[] {
  const { name, detail } = replica;
  const retryAt = replica.retryAt > now ? replica.retryAt : null;
  const until = (ms: number) => now + Math.max(0, ms - replica.stageMs);
  switch (replica.phase) {
    case 'creating':
      return [wait('instance', name, retryAt, detail || 'its instance is being created')];
    case 'starting':
      return [wait('start', name, until(policy.startMs), detail || 'it is starting')];
    case 'probing':
      return [
        wait('ready', name, until(policy.readyMs), detail || 'its probes have not all met ready_after'),
      ];
    case 'unready':
      return [
        wait('ready', name, replica.leaving ? null : until(policy.livenessMs), replica.leaving || detail),
      ];
    case 'draining':
      return [wait('drain', name, until(policy.drainMs), detail || 'requests in flight finish')];
    case 'stopping':
      return [wait('stop', name, retryAt, detail || `SIGTERM was sent: ${replica.leaving}`)];
    case 'terminating':
      return [wait('terminate', name, retryAt, detail || 'its instance is being given back')];
    case 'ready':
      return replica.trial ? [wait('ready', name, null, 'the new probes are tried beside the old ones')] : [];
  }
}

function groupReasons(state: ServiceState, actual: Actual, now: number): Reason[] {
  const target = targetOf(state);
  if (!target) return [];
  return target.spec.groups.flatMap((group) => {
    const mine = state.replicas.filter((replica) => replica.group === group.name);
    const missing = wantedReplicas(group) - mine.filter((replica) => isCurrent(replica, target)).length;
    if (missing <= 0) return [];
    const backoff = state.backoff[group.name];
    if (backoff && now < backoff.until) {
      return [
        wait(
          'backoff',
          group.name,
          backoff.until,
          `${backoff.failures} failed in a row; the last: ${lastFailure(state)}`,
        ),
      ];
    }
    if (isHeldRollout(state, target)) return [];
    if (mine.length >= ceilingOf(state, target, group)) {
      // While one is on its way in or out, that is what is waited for.
      return mine.every(isSettled) ? [surgeReason(state, target, group.name, mine)] : [];
    }
    const choice = place(actual.offers[group.name]);
    return choice.kind === 'none' ? [wait('capacity', group.name, null, choice.reason)] : [];
  });
}

/** Neither on its way in nor on its way out. */
function isSettled({ phase }: Replica): boolean {
  return phase === 'ready' || phase === 'unready';
}

function surgeReason(
  state: ServiceState,
  target: Deployment,
  name: string,
  mine: readonly Replica[],
): Reason {
  const group = target.spec.groups.find((candidate) => candidate.name === name);
  const floor = group ? floorOf(state, target, group) : 0;
  const ready = mine.filter((replica) => replica.phase === 'ready').length;
  return wait(
    'cannot-surge',
    name,
    null,
    `${mine.length} replicas are live, ${ready} ready, at least ${floor} must stay ready`,
  );
}

function serviceReasons(
  state: ServiceState,
  desired: DesiredRecord | null,
  actual: Actual,
  now: number,
): Reason[] {
  const reasons: Reason[] = [];
  const { quarantine, rollout } = state;
  const target = targetOf(state);
  if (state.route && !isPublished(state, actual)) {
    reasons.push(wait('publish', '', null, 'until every proxy has the newest route'));
  }
  if (quarantine && now < quarantine.until && desired?.service?.digest === quarantine.digest) {
    const held = target !== null && isHeldRollout(state, target);
    const text = `${quarantine.reason}; change the file, its policy or a secret to try again`;
    reasons.push(wait(held ? 'hold' : 'quarantine', '', quarantine.until, text));
  }
  const [problem] = desired?.problems.filter(({ severity }) => severity === 'error') ?? [];
  if (problem) {
    const text = `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
    reasons.push(wait('problem', '', null, rollout || target ? `${text}; the last good spec stays` : text));
  }
  return reasons;
}

export function isHeldRollout(state: ServiceState, target: Deployment): boolean {
  return state.rollout?.outcome === 'failed' && state.rollout.to === target.number;
}

function lastFailure(state: ServiceState): string {
  const last = state.failures.at(-1);
  return last ? `${last.replica} ${last.reason}` : 'unknown';
}

function wait(reason: WaitingReason, subject: string, until: number | null, detail: string): Reason {
  return { reason, subject, until, detail };
}
