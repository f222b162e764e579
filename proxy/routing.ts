// The table in force, made ready for requests: services by name, an upstream per replica, and those that drain.
// A replica that stays in the table keeps its upstream; one that leaves finishes what it is answering, undisturbed.
import type { RouteReplica, RouteTable, ServiceRoute } from '../schemas/routes.ts';
import { type Authorizer, authorizer } from './auth.ts';
import { openUpstream, type Upstream } from './upstream.ts';

export interface Service {
  readonly route: ServiceRoute;
  readonly upstreams: readonly Upstream[];
}

export interface Routing {
  readonly table: RouteTable | null;
  readonly isAuthorized: Authorizer;
  /** By `<project>/<service>`. */
  find(key: string): Service | undefined;
  /** Puts a table in force. The caller has checked that it may (`refusal`). */
  replace(table: RouteTable): void;
  /** Requests in flight by `<project>/<replica>`: of every replica that has some, in the table or not. */
  inflight(): { readonly [replica: string]: number };
}

/** Why `offered` must not replace `current`; null when it may. The same table again is welcome. */
export function refusal(current: RouteTable | null, offered: RouteTable): string | null {
  if (current === null || current.store !== offered.store) return null;
  if (offered.epoch > current.epoch) return null;
  if (offered.epoch === current.epoch && offered.generation >= current.generation) return null;
  return `epoch ${current.epoch} generation ${current.generation} is in force`;
}

/** `drained` is called whenever a replica that left the table has finished its last request. */
export function openRouting(drained: () => void): Routing {
  let table: RouteTable | null = null;
  let isAuthorized = authorizer([]);
  let services: ReadonlyMap<string, Service> = new Map();
  let upstreams: ReadonlyMap<string, Upstream> = new Map();
  const draining = new Set<Upstream>();

  function drain(upstream: Upstream): void {
    draining.add(upstream);
    upstream.retire(() => {
      draining.delete(upstream);
      drained();
    });
  }

  return {
    get table() {
      return table;
    },
    get isAuthorized() {
      return isAuthorized;
    },
    find: (key) => services.get(key),
    replace(next) {
      const kept = new Map<string, Upstream>();
      services = new Map(
        next.routes.map((route) => [
          `${route.project}/${route.service}`,
          { route, upstreams: route.replicas.map((replica) => keepOrOpen(kept, upstreams, route, replica)) },
        ]),
      );
      for (const [key, upstream] of upstreams) if (!kept.has(key)) drain(upstream);
      upstreams = kept;
      isAuthorized = authorizer(next.tokens);
      table = next;
    },
    inflight() {
      const counts: { [replica: string]: number } = {};
      for (const { name, inflight } of [...upstreams.values(), ...draining]) {
        if (inflight > 0) counts[name] = (counts[name] ?? 0) + inflight;
      }
      return counts;
    },
  };
}

// Private

/** A replica is the same one only at the same endpoint. */
function keepOrOpen(
  kept: Map<string, Upstream>,
  present: ReadonlyMap<string, Upstream>,
  route: ServiceRoute,
  replica: RouteReplica,
): Upstream {
  const name = `${route.project}/${replica.name}`;
  const key = `${name} ${JSON.stringify(replica.endpoint)}`;
  const upstream = kept.get(key) ?? present.get(key) ?? openUpstream(name, replica.endpoint);
  kept.set(key, upstream);
  return upstream;
}
