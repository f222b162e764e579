// The route table: what proxies serve by. Replaced whole, with a rising (epoch, generation).
import type { Endpoint } from './actual.ts';

export interface RouteReplica {
  readonly name: string;
  readonly group: string;
  readonly endpoint: Endpoint;
}

export interface ServiceRoute {
  readonly project: string;
  readonly service: string;
  /** Rises with every change of this route; what a rollout waits to see acknowledged. */
  readonly version: number;
  readonly auth: boolean;
  readonly stripPrefix: boolean;
  readonly model: {
    readonly name: string;
    readonly format: 'openai' | 'tgi';
    readonly prefix: string;
  } | null;
  /** Empty: known, but nothing is ready. */
  readonly replicas: readonly RouteReplica[];
  /** The group that a request starts a replica of when nothing is ready: such requests are held. Absent: refused. */
  readonly wakes?: string;
}

export interface RouteTable {
  /** Names the store whose truth this is; a table of another store replaces any. */
  readonly store: string;
  /** Rises each time a reconciler starts; then `generation` counts from 1. Older pairs are refused. */
  readonly epoch: number;
  readonly generation: number;
  readonly routes: readonly ServiceRoute[];
  /** Who may call: SHA-256 of each token (hex), and the projects it is good for ('*': all). */
  readonly tokens: readonly { readonly sha256: string; readonly projects: readonly string[] }[];
}
