// The simulated proxies as one: a table that is pushed is served from a moment later, also while the reconciler is dead.
import type { RouteTable, ServiceRoute } from '../../schemas/routes.ts';
import type { Clock } from '../clock.ts';

export interface Proxies {
  push(table: RouteTable): void;
  /** What clients are served by; null before the first. */
  table(): RouteTable | null;
  /** The version of a service's route that is served; -1 when none is. */
  published(key: string): number;
  /** The route of a service (`<project>/<service>`) that is served; null: none. */
  routeOf(key: string): ServiceRoute | null;
  /** Takes no table any more, or does again. */
  deafen(deaf: boolean): void;
}

/** From a table being pushed until it is served. */
const TAKE_MS = 20;

export function createProxies(clock: Clock, onTable: () => void): Proxies {
  let table: RouteTable | null = null;
  let isDeaf = false;
  const routeOf = (key: string) =>
    table?.routes.find(({ project, service }) => `${project}/${service}` === key) ?? null;

  return {
    push(pushed) {
      clock.after(TAKE_MS, () => {
        if (!isDeaf && isNewer(pushed, table)) table = pushed;
        onTable();
      });
    },
    table: () => table,
    published: (key) => routeOf(key)?.version ?? -1,
    routeOf,
    deafen(deaf) {
      isDeaf = deaf;
    },
  };
}

// Private

function isNewer(pushed: RouteTable, table: RouteTable | null): boolean {
  if (table === null || pushed.epoch > table.epoch) return true;
  return pushed.epoch === table.epoch && pushed.generation > table.generation;
}
