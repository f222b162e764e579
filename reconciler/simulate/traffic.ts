// Clients: requests come at a given rate, go to the least busy of the routed replicas that accept connections, and take
// their time. Nothing here needs a timer: between two moments of the world nothing else changes, so that a stretch of
// time is gone through at once, however many requests come in it.
import type { TrafficFact } from '../../schemas/actual.ts';
import type { RouteReplica, ServiceRoute } from '../../schemas/routes.ts';
import { createHeap } from './heap.ts';
import { createCounter } from './stats.ts';

/** Requests to one service over a stretch of time. */
export interface Flow {
  /** `<project>/<service>`. */
  readonly key: string;
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
  /** At the beginning and at the end; in between in a straight line. */
  readonly rps: readonly [number, number];
  /** How long a request takes. */
  readonly requestMs: number;
}

export interface RequestCounts {
  readonly ok: number;
  readonly failed: number;
}

export interface Traffic {
  /** Goes through the time until `to`, by the routes and replicas there are now. */
  advance(to: number): void;
  /** At a moment: what died takes its requests with it, and those that were held go on, or have waited for too long. */
  settle(now: number, isAlive: (replica: RouteReplica) => boolean): void;
  /** When a request comes that wakes a service from its sleep; null: none is to come. */
  nextWakingAt(): number | null;
  /** Services with requests that are held. */
  held(): readonly string[];
  inflight(replica: string): number;
  counts(key: string): RequestCounts;
  /** What a group was asked in the last `windowMs` before `now`. */
  fact(key: string, group: string, now: number, windowMs: number): TrafficFact;
}

export interface TrafficOptions {
  readonly flows: readonly Flow[];
  readonly routeOf: (key: string) => ServiceRoute | null;
  readonly accepts: (replica: RouteReplica) => boolean;
  /** Nobody wakes a service while the reconciler is down, so nothing is held. */
  readonly isDaemonUp: () => boolean;
  /** A request found nobody who would take it. */
  readonly onRefused?: (key: string, at: number) => void;
}

/** How long a request for a sleeping service is held, and how many are; as the proxies have it. */
const HOLD_MS = 60_000;
const MOST_HELD = 100;

export function createTraffic(options: TrafficOptions): Traffic {
  const { flows, routeOf, accepts, isDaemonUp, onRefused = () => {} } = options;
  const counter = createCounter();
  const sources = flows.map((flow) => ({ flow, sent: 0, next: arrivalAt(flow, 0) }));
  const ending = createHeap<Request>((a, b) => a.endsAt < b.endsAt);
  const busy = new Map<string, Server>();
  const counts = new Map<string, { ok: number; failed: number }>();
  let waiting: Held[] = [];

  const countOf = (key: string) => {
    const count = counts.get(key) ?? { ok: 0, failed: 0 };
    counts.set(key, count);
    return count;
  };
  const serverOf = (key: string, replica: RouteReplica): Server => {
    const server = busy.get(replica.name) ?? { key, replica, inflight: 0, usedAt: 0, isDead: false };
    busy.set(replica.name, server);
    return server;
  };
  const openServers = (key: string): readonly Server[] =>
    (routeOf(key)?.replicas ?? []).filter(accepts).map((replica) => serverOf(key, replica));
  /** The group that a request starts a replica of, while nothing of the service runs. */
  const wokenGroup = (key: string): string | null => {
    const route = routeOf(key);
    return route?.replicas.length === 0 ? (route.wakes ?? null) : null;
  };
  const serve = (server: Server, { requestMs }: Flow, at: number): void => {
    server.inflight += 1;
    server.usedAt = at;
    ending.push({ server, endsAt: at + requestMs });
  };
  const refuse = (key: string, at: number): void => {
    countOf(key).failed += 1;
    onRefused(key, at);
  };
  const hold = (flow: Flow, at: number): void => {
    const group = wokenGroup(flow.key);
    if (group !== null) counter.arrived(`${flow.key}/${group}`, at);
    const isRoom = waiting.filter(({ flow: { key } }) => key === flow.key).length < MOST_HELD;
    if (group !== null && isRoom && isDaemonUp()) waiting.push({ flow, group, since: at });
    else refuse(flow.key, at);
  };
  const arrive = (flow: Flow, at: number, open: readonly Server[]): void => {
    const server = leastBusy(open);
    if (server === null) hold(flow, at);
    else {
      counter.arrived(`${flow.key}/${server.replica.group}`, at);
      serve(server, flow, at);
    }
  };
  const finishUntil = (to: number): void => {
    for (let first = ending.peek(); first !== undefined && first.endsAt <= to; first = ending.peek()) {
      ending.pop();
      if (first.server.isDead) continue;
      first.server.inflight -= 1;
      countOf(first.server.key).ok += 1;
    }
  };
  const bury = (server: Server): void => {
    server.isDead = true;
    countOf(server.key).failed += server.inflight;
    busy.delete(server.replica.name);
  };

  return {
    advance(to) {
      const openOf = remember(openServers);
      for (let source = earliest(sources); source && source.next <= to; source = earliest(sources)) {
        const { flow, next } = source;
        finishUntil(next);
        arrive(flow, next, openOf(flow.key));
        source.sent += 1;
        source.next = arrivalAt(flow, source.sent);
      }
      finishUntil(to);
    },
    settle(now, isAlive) {
      for (const server of [...busy.values()]) if (!isAlive(server.replica)) bury(server);
      const openOf = remember(openServers);
      waiting = waiting.filter(({ flow, since }) => {
        const server = leastBusy(openOf(flow.key));
        if (server !== null) serve(server, flow, now);
        else if (now - since >= HOLD_MS) refuse(flow.key, now);
        else return true;
        return false;
      });
    },
    nextWakingAt() {
      const asleep = sources.filter(({ flow: { key } }) => wokenGroup(key) !== null && !isHeld(waiting, key));
      const times = asleep.map(({ next }) => next).filter(Number.isFinite);
      return times.length === 0 ? null : Math.min(...times);
    },
    held: () => [...new Set(waiting.map(({ flow }) => flow.key))],
    inflight: (replica) => busy.get(replica)?.inflight ?? 0,
    counts: (key) => ({ ...countOf(key) }),
    fact(key, group, now, windowMs) {
      const name = `${key}/${group}`;
      return {
        requests: counter.sum(name, now, windowMs),
        windowMs,
        held: waiting.filter((each) => each.flow.key === key && each.group === group).length,
        quietMs: counter.quietMs(name, now),
      };
    },
  };
}

// Private

/** A replica that takes requests. */
interface Server {
  readonly key: string;
  readonly replica: RouteReplica;
  inflight: number;
  usedAt: number;
  isDead: boolean;
}

interface Request {
  readonly server: Server;
  readonly endsAt: number;
}

interface Held {
  readonly flow: Flow;
  readonly group: string;
  readonly since: number;
}

interface Source {
  readonly flow: Flow;
  sent: number;
  next: number;
}

function isHeld(waiting: readonly Held[], key: string): boolean {
  return waiting.some(({ flow }) => flow.key === key);
}

function earliest(sources: readonly Source[]): Source | null {
  let best: Source | null = null;
  for (const source of sources) if (best === null || source.next < best.next) best = source;
  return best;
}

/** The least busy; of equals the one that was asked longest ago. */
function leastBusy(servers: readonly Server[]): Server | null {
  let best: Server | null = null;
  for (const server of servers) {
    const isBetter =
      best === null ||
      server.inflight < best.inflight ||
      (server.inflight === best.inflight && server.usedAt < best.usedAt);
    if (isBetter) best = server;
  }
  return best;
}

/** When request number `sent` (from 0) comes: when so many have come by the integral of the rate; Infinity: never. */
function arrivalAt({ from, to, rps: [first, last] }: Flow, sent: number): number {
  const slope = ((last - first) / (to - from)) * 1000;
  const seconds =
    slope === 0 ? sent / first : (Math.sqrt(Math.max(0, first ** 2 + 2 * slope * sent)) - first) / slope;
  const at = from + seconds * 1000;
  return at < to ? at : Number.POSITIVE_INFINITY;
}

function remember<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}
