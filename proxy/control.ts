// What the daemon and a proxy process say to each other, over the proxy's unix socket, as JSON lines.
// The proxy is the server: it outlives daemons, and each daemon that comes dials it again.
import type { RouteTable } from '../schemas/routes.ts';

/** A proxy of another protocol is replaced by handover. */
export const PROTOCOL = 1;

/** daemon -> proxy */
export type ControlRequest =
  | { readonly kind: 'hello'; readonly protocol: number }
  /** Answered by `ack` once the table is in force and on disk, or by `refused`. */
  | { readonly kind: 'table'; readonly table: RouteTable }
  /** Start another proxy process on the inherited socket, and report its pid by `spawned`. */
  | { readonly kind: 'spawn'; readonly id: string }
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
    }
  | { readonly kind: 'ack'; readonly store: string; readonly epoch: number; readonly generation: number }
  | { readonly kind: 'refused'; readonly epoch: number; readonly generation: number; readonly reason: string }
  | { readonly kind: 'spawned'; readonly id: string; readonly pid: number }
  /** Every second, and at once when a replica's count falls to zero. */
  | { readonly kind: 'stats'; readonly inflight: { readonly [replica: string]: number } };
