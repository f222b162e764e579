// Small questions about a service's deployments and replicas that several decisions share.
import type { GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import { mayStay } from './fits.ts';
import { freshProbes } from './probes.ts';
import { groupsOf, renamedGroups } from './renames.ts';
import { isSameValue } from './same.ts';

export function newState(project: string, service: string, now: number): ServiceState {
  return {
    format: 1,
    project,
    service,
    lastDeployment: 0,
    lastReplica: 0,
    firstAttempt: Math.max(1, Math.floor(now)),
    deployments: [],
    target: null,
    good: null,
    replicas: [],
    rollout: null,
    quarantine: null,
    failures: [],
    backoff: {},
    route: null,
    observedAt: now,
    status: 'starting',
    waiting: [],
  };
}

export function deploymentOf(state: ServiceState, number: number | null): Deployment | null {
  return state.deployments.find((deployment) => deployment.number === number) ?? null;
}

export function targetOf(state: ServiceState): Deployment | null {
  return deploymentOf(state, state.target);
}

export function goodOf(state: ServiceState): Deployment | null {
  return deploymentOf(state, state.good);
}

export function groupOf(deployment: Deployment | null, name: string): GroupSpec | null {
  return deployment?.spec.groups.find((group) => group.name === name) ?? null;
}

/** Wanted by somebody: neither on its way out nor condemned. */
export function isStaying(replica: Replica): boolean {
  return replica.leaving === '' && !isEnding(replica);
}

export function isEnding(replica: Replica): boolean {
  return replica.phase === 'draining' || replica.phase === 'stopping' || replica.phase === 'terminating';
}

/** Why a replica leaves that is as asked, but of which there are too many. */
export const SURPLUS = 'more than wanted';

/**
 * One that traffic no longer asks for, while it still answers: nothing waits for its end, so it may take its time; and
 * if traffic comes back, so may it.
 */
export function isSpare(replica: Replica, state: ServiceState): boolean {
  const target = targetOf(state);
  const isAsIs = target?.shapes[replica.group] === replica.shape && replica.deployment === target.number;
  const isDraining = replica.phase === 'draining' && replica.leaving === SURPLUS;
  return isDraining && isAsIs && groupOf(target, replica.group)?.scaling != null;
}

/** A replica is current when it was made for the deployment, or was found to be what it asks for (`adopt`). */
export function isCurrent(
  replica: Replica,
  { number, shapes }: Pick<Deployment, 'number' | 'shapes'>,
): boolean {
  const isStamped = replica.deployment === number || replica.trial?.deployment === number;
  return isStaying(replica) && isStamped && shapes[replica.group] === replica.shape;
}

/** Whether it already is what is asked for of a group (its own, unless that is renamed): made of the same, where it may stay. */
export function isAsked(
  state: Pick<ServiceState, 'deployments'>,
  replica: Replica,
  { shapes, spec }: Pick<Deployment, 'shapes' | 'spec'>,
  group: string = replica.group,
): boolean {
  const after = spec.groups.find(({ name }) => name === group)?.placement;
  if (!after || !isStaying(replica) || shapes[group] !== replica.shape) return false;
  const own = state.deployments.find(({ number }) => number === replica.deployment) ?? null;
  return mayStay(replica.offer, groupOf(own, replica.group)?.placement, after);
}

export function isRolling(state: ServiceState): boolean {
  return state.rollout?.outcome === 'rolling';
}

/** A rollout that failed and is held (`on_failure: hold`): nothing more is made for it, and nothing more leaves because of it. */
export function isHeld({ rollout }: ServiceState, { number }: Deployment): boolean {
  return rollout?.outcome === 'failed' && rollout.to === number;
}

/** What a deployment runs, or a service asks for. */
type Run = Pick<Deployment, 'revision' | 'shapes' | 'spec'>;

/** Going from one to the other needs no rollout. A rotated value shows in the shapes, or in the probes. */
export function isRunningTheSame(a: Run, b: Run): boolean {
  return a.revision === b.revision && sameShapes(a, b) && sameProbes(a.spec, b.spec);
}

export function sameShapes(
  a: { readonly shapes: Deployment['shapes'] },
  b: { readonly shapes: Deployment['shapes'] },
): boolean {
  return isSameValue(a.shapes, b.shapes);
}

/**
 * Stamps the replicas that already are what `deployment` asks for. Where its probes differ, a replica that was
 * ready keeps counting by its old ones while the new ones are tried beside them. Those of a group that has another
 * name now are of the group of that name.
 */
export function adopt(
  state: ServiceState,
  deployment: Pick<Deployment, 'number' | 'shapes' | 'spec'>,
): readonly Replica[] {
  const renames = renamesTo(state, deployment);
  return state.replicas.map((old) => {
    const group = renames.get(old.group) ?? old.group;
    const replica = { ...old, group, trial: null };
    if (old.deployment === deployment.number || !isAsked(state, old, deployment, group)) return replica;
    const stamped = { ...replica, deployment: deployment.number };
    if (sameProbes(deploymentOf(state, replica.deployment)?.spec, deployment.spec)) return stamped;
    const probes = freshProbes(deployment.spec);
    if (!replica.everReady) return { ...stamped, probes };
    return { ...replica, trial: { deployment: deployment.number, probes, stageMs: 0 } };
  });
}

/** From the groups of the present target, and those that replicas are left of. */
function renamesTo(
  state: ServiceState,
  deployment: Pick<Deployment, 'shapes' | 'spec'>,
): ReadonlyMap<string, string> {
  const target = targetOf(state);
  const known = new Map(target ? groupsOf(target).map((group) => [group.name, group]) : []);
  for (const { group: name, shape } of state.replicas) if (!known.has(name)) known.set(name, { name, shape });
  return renamedGroups([...known.values()], groupsOf(deployment));
}

export function sameProbes(a: ServiceSpec | undefined, b: ServiceSpec): boolean {
  return a !== undefined && isSameValue(a.probes, b.probes);
}
