// Composes the routes of all services into the one table that proxies get, and tells which route versions they have.
import type { RouteTable, ServiceRoute } from '../schemas/routes.ts';
import type { Clock } from './clock.ts';

export interface Publisher {
  /**
   * Sets (null: removes) the route of a service and pushes the table soon. The same version again is pushed only when
   * the last push is a while ago: then some proxy still lacks it.
   */
  set(key: string, route: ServiceRoute | null): void;
  routes(): readonly ServiceRoute[];
  /** Pushes the present table even if nothing changed: to proxies that came since. */
  flush(): void;
  close(): void;
}

export interface PublisherOptions {
  readonly store: string;
  readonly epoch: number;
  readonly tokens: RouteTable['tokens'];
  readonly clock: Clock;
  readonly push: (table: RouteTable) => void;
}

/** Changes within this time go out as one table. */
const COALESCE_MS = 5;
/** A table that a proxy could not take (its disk was full) is offered again after this time. */
const AGAIN_MS = 10_000;

export function createPublisher({ store, epoch, tokens, clock, push }: PublisherOptions): Publisher {
  const routes = new Map<string, ServiceRoute>();
  let generation = 0;
  let pushedAt = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | null = null;

  function flush(): void {
    cancel?.();
    cancel = null;
    generation += 1;
    pushedAt = clock.now();
    push({ store, epoch, generation, tokens, routes: [...routes.values()] });
  }

  function soon(): void {
    cancel ??= clock.after(COALESCE_MS, flush);
  }

  return {
    set(key, route) {
      const isKnown = routes.get(key)?.version === route?.version;
      if (isKnown && (route === null || clock.now() < pushedAt + AGAIN_MS)) return;
      if (route) routes.set(key, route);
      else routes.delete(key);
      soon();
    },
    routes: () => [...routes.values()],
    flush,
    close() {
      cancel?.();
      cancel = null;
    },
  };
}
