// Small questions about a service's deployments and replicas that several decisions share.
import type { GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import { freshProbes } from './probes.ts';
import { isSameValue } from './same.ts';

export function newState(project: string, service: string, now: number): ServiceState {
  return {
    format: 1,
    project,
    service,
    lastDeployment: 0,
    lastReplica: 0,
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

/** A replica is current when it is made of what the deployment asks for. */
export function isCurrent(replica: Replica, deployment: Deployment): boolean {
  return isStaying(replica) && deployment.shapes[replica.group] === replica.shape;
}

export function isRolling(state: ServiceState): boolean {
  return state.rollout?.outcome === 'rolling';
}

export function sameShapes(
  a: { readonly shapes: Deployment['shapes'] },
  b: { readonly shapes: Deployment['shapes'] },
): boolean {
  return isSameValue(a.shapes, b.shapes);
}

/**
 * Stamps the replicas that already are what `deployment` asks for. Where its probes differ, a replica that was
 * ready keeps counting by its old ones while the new ones are tried beside them.
 */
export function adopt(state: ServiceState, deployment: Deployment): readonly Replica[] {
  return state.replicas.map((replica) => {
    if (!isCurrent(replica, deployment) || replica.deployment === deployment.number)
      return { ...replica, trial: null };
    const stamped = { ...replica, deployment: deployment.number, trial: null };
    if (sameProbes(deploymentOf(state, replica.deployment)?.spec, deployment.spec)) return stamped;
    const probes = freshProbes(deployment.spec);
    if (!replica.everReady) return { ...stamped, probes };
    return { ...replica, trial: { deployment: deployment.number, probes, stageMs: 0 } };
  });
}

export function sameProbes(a: ServiceSpec | undefined, b: ServiceSpec): boolean {
  return a !== undefined && isSameValue(a.probes, b.probes);
}
