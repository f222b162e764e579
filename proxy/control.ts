// What the daemon and a proxy process say to each other, over the proxy's unix socket, as JSON lines.
// The proxy is the server: it outlives daemons, and each daemon that comes dials it again.
// `hello`, `spawn` and `retire` keep their form in every protocol: with them any daemon can replace any proxy.
import type { RouteTable } from '../schemas/routes.ts';
import type { Counts } from './arrivals.ts';

/** A proxy of another protocol is replaced by handover. */
export const PROTOCOL = 2;

/** daemon -> proxy */
export type ControlRequest =
  /** `api` is the socket of the daemon's HTTP API: where everything that is not the proxy's goes from now on. */
  | { readonly kind: 'hello'; readonly protocol: number; readonly api?: string }
  /** Answered by `ack` once the table is in force and on disk, or by `refused`. */
  | { readonly kind: 'table'; readonly table: RouteTable }
  /** Begin to accept connections; nothing happens when that was long ago. A successor waits for it, up to date first. */
  | { readonly kind: 'accept' }
  /** Start another proxy process on the inherited socket, and report its pid by `spawned`. `program`: what Node runs. */
  | { readonly kind: 'spawn'; readonly id: string; readonly program?: string }
  /** Take no new connections, finish those in flight (at most `ms`), exit. */
  | { readonly kind: 'retire'; readonly ms: number };

/** proxy -> daemon */
export type ControlEvent =
  | {
      readonly kind: 'hello';
      readonly protocol: number;
      readonly pid: number;
      readonly listen: string;
      readonly store: string;
      readonly epoch: number;
      readonly generation: number;
      /** waiting: a successor that has not been told to `accept` yet. */
      readonly phase: 'waiting' | 'accepting' | 'retiring';
    }
  /** Follows `stats`, so that counts known to the daemon are never older than the table it saw acknowledged. */
  | { readonly kind: 'ack'; readonly store: string; readonly epoch: number; readonly generation: number }
  | { readonly kind: 'refused'; readonly epoch: number; readonly generation: number; readonly reason: string }
  | { readonly kind: 'spawned'; readonly id: string; readonly pid: number }
  | { readonly kind: 'spawn-failed'; readonly id: string; readonly reason: string }
  /**
   * Every second, and at once when a replica that left the table has finished or a request has to wait for one. The
   * first after a `hello` holds all arrivals that are still known, later ones those of the seconds since the last.
   */
  | {
      readonly kind: 'stats';
      /** By `<project>/<replica>`; replicas with nothing in flight are left out. */
      readonly inflight: { readonly [replica: string]: number };
      /** By `<project>/<service>/<group>`: requests that wait for a replica. */
      readonly held: { readonly [group: string]: number };
      readonly arrivals: Counts;
    };
