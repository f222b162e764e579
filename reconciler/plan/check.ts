// Checks a decision by rules of its own, without the code that made it: what must hold for any two states that follow
// each other, whatever the reason. A decision that breaks one is a bug of ours; it is not carried out.
import type { Actual } from '../../schemas/actual.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import type { Decision, DecisionInput } from './decide.ts';

const SERVING = new Set(['ready', 'unready']);
const LEAVING = new Set(['draining', 'stopping', 'terminating']);

/** The rules that the decision breaks, in words; empty when it is sound. */
export function check(input: DecisionInput, decision: Decision): string[] {
  const { state } = decision;
  if (state === null) return input.state?.replicas.length ? lostReplicas(input.state, input.actual, []) : [];
  return [
    ...names(input.state, state),
    ...lostReplicas(input.state, input.actual, state.replicas),
    ...size(input.state, state),
    ...floor(input, state),
    ...routes(state),
    ...untouched(input.actual, decision),
    ...words(decision, state),
  ];
}

// Private

/** Names are unique, and a new one is above every number ever used. */
function names(before: ServiceState | null, after: ServiceState): string[] {
  const known = new Set(before?.replicas.map((replica) => replica.name));
  const all = after.replicas.map((replica) => replica.name);
  const twice = all.filter((name, i) => all.indexOf(name) !== i).map((name) => `${name} is there twice`);
  const reused = after.replicas
    .filter((replica) => !known.has(replica.name) && replica.number <= (before?.lastReplica ?? 0))
    .map((replica) => `${replica.name} takes a number that was used before`);
  return [...twice, ...reused];
}

/** A replica is forgotten only once its instance is definitely gone. */
function lostReplicas(before: ServiceState | null, actual: Actual, after: readonly Replica[]): string[] {
  const kept = new Set(after.map((replica) => replica.name));
  return (before?.replicas ?? [])
    .filter(({ name }) => !kept.has(name) && actual.replicas[name]?.kind !== 'missing')
    .map(({ name }) => `${name} is forgotten though its instance may be there`);
}

/** Nothing is created beyond the wanted count, or that of the good deployment, plus the surge. */
function size(previous: ServiceState | null, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  const known = new Set(previous?.replicas.map((replica) => replica.name));
  return (target?.spec.groups ?? []).flatMap((group) => {
    const mine = after.replicas.filter((replica) => replica.group === group.name);
    const before = deployment(after, after.good)?.spec.groups.find(({ name }) => name === group.name);
    const limit = Math.max(group.replicas.max, before?.replicas.max ?? 0) + (target?.spec.policy.surge ?? 0);
    const created = mine.some((replica) => !known.has(replica.name));
    return created && mine.length > limit
      ? [`group ${group.name} grows to ${mine.length}, above ${limit}`]
      : [];
  });
}

/**
 * By our own hand, the ready replicas of a group that stays never fall below the wanted count less `unavailable`; nor,
 * where unready ones are sent away, do those that have served at all.
 */
function floor({ state: before, actual }: DecisionInput, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  if (!before || !target) return [];
  return target.spec.groups.flatMap((group) => {
    const mine = after.replicas.filter((replica) => replica.group === group.name);
    const least = group.replicas.min - target.spec.policy.unavailable;
    return ['ready', 'unready'].flatMap((phase) => {
      const counted = phase === 'ready' ? new Set(['ready']) : SERVING;
      const left = mine.filter((replica) => counted.has(replica.phase)).length;
      const sent = mine.filter(
        (replica) => wasSentAway(before, replica, phase) && !hasExited(actual, replica.name),
      );
      return sent.length > 0 && left < least
        ? [
            `group ${group.name} keeps ${left} of at least ${least} while ${sent.length} ${phase} ones are sent away`,
          ]
        : [];
    });
  });
}

function wasSentAway(before: ServiceState, replica: Replica, phase: string): boolean {
  const was = before.replicas.find(({ name }) => name === replica.name);
  return was?.phase === phase && LEAVING.has(replica.phase);
}

/** Only replicas that were ready are routed, and none on its way out; with a ready one there is a route. */
function routes(after: ServiceState): string[] {
  const routed = after.route?.replicas ?? [];
  const wrong = routed.flatMap(({ name }) => {
    const replica = after.replicas.find((candidate) => candidate.name === name);
    if (!replica) return [`${name} is routed but does not exist`];
    if (!replica.everReady) return [`${name} is routed but was never ready`];
    return LEAVING.has(replica.phase) ? [`${name} is routed while it is ${replica.phase}`] : [];
  });
  const ready = after.replicas.filter((replica) => replica.phase === 'ready' && replica.endpoint);
  return ready.length > 0 && routed.length === 0
    ? [...wrong, 'nothing is routed though a replica is ready']
    : wrong;
}

/** No step touches what the backend could not show us. */
function untouched(actual: Actual, { steps }: Decision): string[] {
  return steps.flatMap((step) =>
    step.kind !== 'publish' && actual.replicas[step.replica]?.kind === 'unknown'
      ? [`${step.kind} of ${step.replica}, which cannot be seen`]
      : [],
  );
}

/** Not converged implies a step or a reason to wait. */
function words({ steps }: Decision, after: ServiceState): string[] {
  const target = deployment(after, after.target);
  const isConverged =
    target !== null &&
    after.replicas.every(
      (replica) => replica.phase === 'ready' && replica.shape === target.shapes[replica.group],
    ) &&
    target.spec.groups.every(
      (group) =>
        after.replicas.filter((replica) => replica.group === group.name).length >= group.replicas.min,
    );
  const isIdle = target === null && after.replicas.length === 0;
  return isConverged || isIdle || steps.length > 0 || after.waiting.length > 0
    ? []
    : ['not converged, yet no step is taken and nothing is waited for'];
}

function hasExited(actual: Actual, name: string): boolean {
  const fact = actual.replicas[name];
  if (fact?.kind === 'missing') return true;
  return fact?.kind === 'present' && (fact.process.kind === 'exited' || fact.process.kind === 'absent');
}

function deployment(state: ServiceState, number: number | null): Deployment | null {
  return state.deployments.find((candidate) => candidate.number === number) ?? null;
}
