// What proxies may send a service's requests to. Only replicas that were ready, and never nobody because of probes.
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import type { RouteReplica, ServiceRoute } from '../../schemas/routes.ts';
import { isSameValue } from './same.ts';
import { wokenGroup } from './scale.ts';

/**
 * The route of a service now; the same version as before when nothing changed. The first begins at `now`, above
 * every version that a service of this name ever had: what proxies still know of that one must not pass for it.
 */
export function routeOf(state: ServiceState, spec: ServiceSpec, now: number): ServiceRoute {
  const previous = state.route;
  const wakes = wokenGroup(state);
  const route = {
    project: state.project,
    service: spec.name,
    auth: spec.auth,
    stripPrefix: spec.stripPrefix,
    model: spec.model && { name: spec.model.name, format: spec.model.format, prefix: spec.model.prefix },
    replicas: routable(state.replicas),
    ...(wakes !== null && { wakes }),
  };
  if (previous && isSameValue(previous, { ...route, version: previous.version })) return previous;
  return { ...route, version: (previous?.version ?? now) + 1 };
}

/** Ready replicas; when there are none, those that once were and still accept connections (the panic rule). */
function routable(replicas: readonly Replica[]): RouteReplica[] {
  const ready = replicas.filter((replica) => replica.phase === 'ready');
  const chosen = ready.length > 0 ? ready : replicas.filter(acceptsConnections);
  return chosen.flatMap(({ name, group, endpoint }) => (endpoint ? [{ name, group, endpoint }] : []));
}

function acceptsConnections(replica: Replica): boolean {
  return replica.phase === 'unready' && replica.everReady && replica.listening;
}
