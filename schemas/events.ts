// The event log: everything that happened to a service, in the order it happened.

export type EventName =
  | 'commit'
  | 'commit-failed'
  | 'source-failed'
  | 'source-recovered'
  | 'invalid'
  | 'fixed'
  | 'approved'
  | 'desired'
  | 'removed'
  | 'deletions-held'
  | 'pending'
  | 'admitted'
  | 'withdrawn'
  | 'suspended'
  | 'resumed'
  | 'policy-loosened'
  | 'deployment'
  | 'rollout-done'
  | 'rollout-failed'
  | 'rollout-superseded'
  | 'quarantined'
  | 'replica-created'
  | 'replica-running'
  | 'replica-ready'
  | 'replica-unready'
  | 'replica-adopted'
  | 'replica-draining'
  | 'replica-stopped'
  | 'replica-failed'
  | 'replica-lost'
  | 'replica-interrupted'
  | 'machine-created'
  | 'machine-ready'
  | 'machine-lent'
  | 'machine-idle'
  | 'machine-ending'
  | 'machine-stopped'
  | 'machine-lost'
  | 'volume-ready'
  | 'volume-lost'
  | 'drift'
  | 'retry-over'
  | 'orphan-removed'
  | 'published'
  | 'scaled'
  | 'started'
  | 'stopped'
  | 'status'
  | 'reconciler-started'
  | 'reconciler-stopped'
  | 'failure';

export interface NewEvent {
  readonly service: string;
  readonly event: EventName;
  /** One sentence for a person. */
  readonly reason: string;
  readonly replica?: string;
  readonly group?: string;
  /** Of the replica: where it runs, or was to run. */
  readonly backend?: string;
  readonly deployment?: number;
  readonly commit?: string;
}

export interface Event extends NewEvent {
  readonly seq: number;
  /** ISO 8601, by the store's clock. */
  readonly time: string;
  readonly project: string;
}
