// The stored record of one service: its deployments, replicas and the rollout between two of them.
// One document, read and written whole by the holder of the key's lease.
import type { Endpoint } from './actual.ts';
import type { ServiceSpec } from './desired.ts';
import type { JsonObject } from './json.ts';
import type { Offer } from './offer.ts';
import type { ServiceRoute } from './routes.ts';

export interface Deployment {
  /** 1, 2, 3 … per service, never reused. */
  readonly number: number;
  readonly commit: string;
  readonly revision: string;
  readonly digest: string;
  readonly shapes: { readonly [group: string]: string };
  readonly configuration: JsonObject;
  readonly spec: ServiceSpec;
  readonly sealed: string;
  readonly at: number;
}

/**
 * creating: an instance was asked for · starting: its process does not listen yet · probing: it listens, its probes have
 * not all met `ready_after` · ready · unready: was ready, is not now · draining: out of the routes, requests in flight finish · stopping: SIGTERM … SIGKILL ·
 * terminating: the instance is being given back
 */
export type ReplicaPhase =
  | 'creating'
  | 'starting'
  | 'probing'
  | 'ready'
  | 'unready'
  | 'draining'
  | 'stopping'
  | 'terminating';

export interface ProbeState {
  /** Successes in a row, at most `ready_after`. */
  readonly streak: number;
  /** Failures in a row, at most `UNREADY_AFTER`. */
  readonly failures: number;
  readonly detail: string;
}

export interface Replica {
  /** `<service>-<number>`. */
  readonly name: string;
  readonly number: number;
  readonly group: string;
  /** The deployment it counts for; re-stamped when a newer one keeps it. */
  readonly deployment: number;
  readonly shape: string;
  readonly attempt: number;
  readonly phase: ReplicaPhase;
  readonly everReady: boolean;
  /** Why it leaves; '' while it is wanted. */
  readonly leaving: string;
  readonly offer: Offer;
  /** The instance's id; null until the backend has answered `create`. */
  readonly instance: string | null;
  readonly endpoint: Endpoint | null;
  readonly probes: readonly ProbeState[];
  /** Probes of a newer deployment, tried beside the ones that count; they take over once all have met `ready_after`. */
  readonly trial: {
    readonly deployment: number;
    readonly probes: readonly ProbeState[];
    readonly stageMs: number;
  } | null;
  /** Observed ms in the present stage (creating, starting, ready-wait, unready, draining). */
  readonly stageMs: number;
  /** Of one that is starting: what `stageMs` counts. Absent: `start`. */
  readonly stage?: 'provision' | 'pull' | 'start';
  readonly listening: boolean;
  /** Observed ms since each of its GPUs did as much as `utilization_policy` asks. Absent: nobody asks, or can tell. */
  readonly idleMs?: readonly number[];
  readonly createdAt: number;
  readonly readyAt: number | null;
  /** Failed tries of its present step in a row, and when the next may be made (epoch ms). */
  readonly tries: number;
  readonly retryAt: number;
  /** What it waits for or what is wrong with it, in words. */
  readonly detail: string;
}

export interface ReplicaFailure {
  readonly replica: string;
  readonly deployment: number;
  readonly at: number;
  readonly reason: string;
  readonly log: readonly string[];
  /** What its probes had come to. Absent: it has none, or was never probed. */
  readonly probes?: readonly ProbeState[];
}

export interface Rollout {
  readonly from: number | null;
  readonly to: number;
  readonly commit: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly outcome: 'rolling' | 'done' | 'failed' | 'superseded';
  /** Why it failed, in words; '' otherwise. */
  readonly reason: string;
  /** Exits of its candidates; one more if what it is made of has failed before (`isAgain`). */
  readonly exits: number;
  readonly isAgain?: true;
  /** Candidates that ran but never became ready in time. */
  readonly unready: number;
}

export interface Quarantine {
  readonly digest: string;
  /** What was run: if it is asked for again, it has failed before. Absent: by an older program. */
  readonly shapes?: Deployment['shapes'];
  readonly until: number;
  readonly reason: string;
}

/** An offer that could not be had, or gave no machine in time: others are tried until `until` (epoch ms). */
export interface SetAside {
  readonly backend: string;
  readonly region: string;
  readonly instance: string;
  readonly spot: boolean;
  /** Times in a row. */
  readonly failures: number;
  readonly until: number;
  /** What its backend said. */
  readonly reason: string;
}

/** What `retry` calls what a group lost replicas by, or lacks them for. */
export type RetryEvent = 'no-capacity' | 'interruption' | 'error';

/** A group of a service whose `retry` is limited lacks replicas: since when, and by what. */
export interface Incident {
  readonly event: RetryEvent;
  readonly since: number;
  /** `retry` has given up, and that was said. */
  readonly isOver: boolean;
}

/** How many replicas a group has at the moment, of the range that it may have. */
export interface GroupScale {
  readonly count: number;
  /** When the count was last changed (epoch ms). */
  readonly since: number;
}

/**
 * Where a service is that starts by schedule or may run only for a time. scheduled: not started yet · started ·
 * stopped: its time is over, until its file changes or the schedule starts it again.
 */
export type Term =
  | ({ readonly kind: 'scheduled' } & NextStart)
  /** `since`: when its first replica began; null before. */
  | { readonly kind: 'started'; readonly since: number | null }
  | ({
      readonly kind: 'stopped';
      readonly reason: string;
      /** Of the deployment that was stopped: another one means that the file has changed. */
      readonly digest: string;
    } & NextStart);

export interface NextStart {
  /** What `at` was reckoned from. */
  readonly cron: readonly string[];
  /** Epoch ms; null: never. */
  readonly at: number | null;
}

export interface ServiceState {
  readonly format: 1;
  readonly project: string;
  readonly service: string;
  readonly lastDeployment: number;
  readonly lastReplica: number;
  /**
   * What its replicas' attempts count from: when this record began (epoch ms). A service that was here before had the same
   * names, and clouds remember their tokens. Absent: 1.
   */
  readonly firstAttempt?: number;
  /** The deployments that are still referred to: by `target`, by `good`, by a replica, by the rollout. Oldest first. */
  readonly deployments: readonly Deployment[];
  /** The deployment the service is being made equal to; null before the first. */
  readonly target: number | null;
  /** The last deployment whose rollout was done; what a failure returns to. */
  readonly good: number | null;
  readonly replicas: readonly Replica[];
  readonly rollout: Rollout | null;
  readonly quarantine: Quarantine | null;
  /** Newest last; bounded. */
  readonly failures: readonly ReplicaFailure[];
  /** Group -> crashes in a row and when the next create may be tried (epoch ms). */
  readonly backoff: { readonly [group: string]: { readonly failures: number; readonly until: number } };
  /** Offers that are not tried for a while. Absent: none. */
  readonly setAside?: readonly SetAside[];
  /** By group; only where `retry` limits healing. Absent: none. */
  readonly incidents?: { readonly [group: string]: Incident };
  /** Groups whose count is not fixed; absent before the first pass that looks at traffic. */
  readonly scale?: { readonly [group: string]: GroupScale };
  /** Absent: it has neither schedule nor limit. */
  readonly term?: Term;
  readonly route: ServiceRoute | null;
  /** When the last pass looked: gaps between looks are not charged to deadlines. */
  readonly observedAt: number;
  readonly status: ServiceStatus;
  readonly waiting: readonly Waiting[];
}

export type ServiceStatus =
  | 'starting'
  | 'running'
  | 'rolling'
  | 'degraded'
  | 'failed'
  | 'invalid'
  | 'stopped'
  | 'scaled-to-zero'
  | 'scheduled'
  | 'suspended'
  | 'removing';

export type WaitingReason =
  | 'instance'
  | 'start'
  | 'ready'
  | 'publish'
  | 'drain'
  | 'stop'
  | 'terminate'
  | 'backoff'
  | 'capacity'
  | 'cannot-surge'
  | 'dependency'
  | 'quarantine'
  | 'problem'
  | 'approval'
  | 'window'
  | 'budget'
  | 'deletion-budget'
  | 'rename'
  | 'suspended'
  | 'backend'
  | 'hold'
  | 'scaling'
  | 'schedule'
  | 'stopped';

/** Why no step is taken now. `until` is null when only an event can end it. */
export interface Waiting {
  readonly reason: WaitingReason;
  /** The replica or group that waits; '' for the service as a whole. */
  readonly subject: string;
  readonly since: number;
  readonly until: number | null;
  readonly detail: string;
}

/** One idempotent effect. `id` is stable: the same decision again gives the same id. */
export type Step =
  | { readonly kind: 'create'; readonly id: string; readonly replica: string; readonly reason: string }
  | { readonly kind: 'run'; readonly id: string; readonly replica: string; readonly reason: string }
  | { readonly kind: 'stop'; readonly id: string; readonly replica: string; readonly reason: string }
  | { readonly kind: 'terminate'; readonly id: string; readonly replica: string; readonly reason: string }
  | { readonly kind: 'publish'; readonly id: string; readonly reason: string };
