// Actual state: what was last observed. Always partial and late, so "unknown" is a value of its own:
// losing sight of a backend must never look like the loss of its replicas.
import type { Offer } from './offer.ts';

/** Where a replica is dialled. */
export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Names an instance of ours beyond doubt; written on the instance itself. */
export interface Tags {
  readonly owner: string;
  readonly project: string;
  readonly service: string;
  readonly group: string;
  readonly replica: string;
  readonly attempt: number;
  readonly shape: string;
  readonly deployment: number;
}

export interface Instance {
  /** Unique within its backend; equal for equal `CreateRequest`s. */
  readonly id: string;
  readonly backend: string;
  readonly region: string;
  readonly instance: string;
  readonly status: 'provisioning' | 'running' | 'stopping';
  readonly tags: Tags;
  readonly pricePerHour: number;
  /** Epoch ms, by the backend's clock. */
  readonly createdAt: number;
}

/** Whose process it is; where machines are lent, not who the machine was made for. */
export type ProcessOwner = Pick<Tags, 'replica' | 'attempt'>;

/** The process of a replica, as its host sees it. */
export type ProcessStatus =
  | { readonly kind: 'absent' }
  | (Process & {
      /** There wherever a machine outlives what runs on it. */
      readonly of?: ProcessOwner;
    });

type Process =
  | { readonly kind: 'pulling'; readonly detail: string }
  | {
      readonly kind: 'running';
      readonly startedAt: number;
      /** True when the socket on the replica's port belongs to the replica itself. */
      readonly listening: boolean;
      readonly endpoint: Endpoint;
      /** Why it does not listen, where the host can tell ("listens on 8000 instead of $PORT"); else ''. */
      readonly detail: string;
      /** How busy each of its GPUs is, in percent; absent: the host cannot tell. */
      readonly gpus?: readonly number[];
    }
  | { readonly kind: 'stopping' }
  | {
      readonly kind: 'exited';
      /** null when a signal ended it, or when nobody saw how it ended. */
      readonly code: number | null;
      readonly signal: string | null;
      readonly at: number;
      readonly detail: string;
      /** The last lines it printed, oldest first, redacted; at most 20. */
      readonly log: readonly string[];
    };

/** What observing one replica gave. */
export type ReplicaFact =
  | { readonly kind: 'unknown'; readonly reason: string }
  /** The backend answered, and has no such instance. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'present'; readonly instance: Instance; readonly process: ProcessStatus };

export interface ProbeResult {
  /** Index into the spec's probes. */
  readonly probe: number;
  /** The deployment whose probes were run. */
  readonly deployment: number;
  readonly ok: boolean;
  /** '200', 'timeout after 10 s', 'connection refused' … */
  readonly detail: string;
  readonly at: number;
}

/** What a backend would sell for a group now, or why it could not be asked. */
export type OffersFact =
  | {
      readonly kind: 'offers';
      readonly offers: readonly Offer[];
      /** Services of higher priority that wait for some of what is on sale: those offers are left out. Absent: none. */
      readonly leftTo?: readonly string[];
      /** Why there are none, where it is not because nobody sells what is asked for. Absent: nobody does. */
      readonly why?: string;
    }
  /** Something that it names must be there first: a fleet, a volume. */
  | { readonly kind: 'awaits'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What one group was asked lately, over all proxies. */
export interface TrafficFact {
  /** Requests that arrived in the last `windowMs`. */
  readonly requests: number;
  readonly windowMs: number;
  /** Requests that wait for a replica to be ready. */
  readonly held: number;
  /** Since the last arrival; null: longer than anybody remembers. */
  readonly quietMs: number | null;
}

/** What has come of the service that takes the place of this one. */
export interface SuccessorFact {
  readonly service: string;
  /** By its policy: how many of the wanted count may be missing, over all names together. */
  readonly unavailable: number;
  /** Its replicas do not start well: nothing is given up for them before then (epoch ms). 0: nothing speaks against it. */
  readonly failingUntil: number;
  /** Replicas of all its groups for which there is nothing to be had. */
  readonly short: number;
  /** By group of this service; those that it goes on with. */
  readonly groups: { readonly [group: string]: SuccessorGroup };
}

export interface SuccessorGroup {
  readonly wanted: number;
  /** Of those in `short`, its own, if it is for this service now to make room for them. */
  readonly short: number;
  /** From when on each of its ready replicas stands for one of this service (epoch ms). */
  readonly standInAt: readonly number[];
  /** Ready replicas of other services that become the same. */
  readonly beside: number;
}

/** All that a pass has observed of one service. */
export interface Actual {
  /** Only where there is no record: instances that bear the service's tags; null: some backend could not tell. Absent: none. */
  readonly found?: readonly Instance[] | null;
  readonly replicas: { readonly [replica: string]: ReplicaFact };
  /** By group; only for groups that need a replica placed. */
  readonly offers: { readonly [group: string]: OffersFact };
  /** Results since the last pass, oldest first. */
  readonly probes: { readonly [replica: string]: readonly ProbeResult[] };
  /** The newest route version of this service that every living proxy has acknowledged; -1 when none has. */
  readonly published: number;
  /** Requests in flight per replica, over all proxies. */
  readonly inflight: { readonly [replica: string]: number };
  /** By group; only for groups that scale by it. A group left out: some proxy has not told what it counted. */
  readonly traffic?: { readonly [group: string]: TrafficFact };
  /** Only of a service that is called otherwise now. Absent: it is not, or its new name has not begun yet. */
  readonly successor?: SuccessorFact;
}
