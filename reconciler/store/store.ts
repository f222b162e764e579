// The store: what survives a crash. Typed operations, not SQL; memory, PGlite and Postgres pass one contract suite.
//
// Everything hangs on keys. A service's key is `<project>/<service>`; a project's own key is `<project>`; what services
// need around them has a colon in its name (`schemas/keys.ts`).
// Each key has two documents: `desired`, written by the holder of the *project's* lease (from git), and `state`,
// written by the holder of the key's own lease. Documents are JSON and opaque here.
//
// Time: all instants are epoch milliseconds by the store's clock.
import type { Event, NewEvent } from '../../schemas/events.ts';

/** Proof of the right to write a key until `until`. A new holder gets a new token, so a late writer is refused. */
export interface Lease {
  readonly key: string;
  readonly token: string;
  readonly until: number;
}

export interface KeyRecord {
  readonly key: string;
  readonly project: string;
  /** '' for the project's own key. */
  readonly service: string;
  readonly desired: unknown;
  readonly state: unknown;
  /** Only a reconciler of this machine may claim the key; null: any may. */
  readonly machine: string | null;
  /** When the next pass is due; null: only when woken. */
  readonly wakeAt: number | null;
}

export interface Claim {
  readonly record: KeyRecord;
  /** As it was last renewed. */
  readonly lease: Lease;
  /** The store's clock when the claim was made. */
  readonly now: number;
}

export interface ClaimRequest {
  /** Who claims; shown to people. */
  readonly holder: string;
  readonly machine: string;
  readonly limit: number;
  readonly leaseMs: number;
  /** Claim only keys of these projects; absent: of any. */
  readonly projects?: readonly string[];
  /** Claim only these keys; absent: any due one. */
  readonly keys?: readonly string[];
}

export interface Settlement {
  readonly lease: Lease;
  /** The new state; absent: unchanged; null: none (the key is removed once `desired` is null too). */
  readonly state?: unknown;
  /** Absent: unchanged. */
  readonly machine?: string | null;
  /** What of the project (`fleet:pool`) its record has to do with: `users` finds it by that. Absent: unchanged. */
  readonly uses?: readonly string[];
  /** Keys that go by this record: the loop wakes them once it is written. */
  readonly wakes?: readonly string[];
  /** When the next pass is due (null: when woken). A wake that came since the claim wins. */
  readonly wakeAt: number | null;
  readonly events: readonly NewEvent[];
  /** Give the lease back, or keep it for the rest of the pass. */
  readonly release: boolean;
}

/** A change of what a key should be; `desired: null` removes the document (and the key once its state is gone). */
export interface DesiredChange {
  readonly key: string;
  readonly desired: unknown;
}

export interface EventQuery {
  readonly project: string;
  readonly service?: string;
  /** Only events with a greater seq. */
  readonly after?: number;
  /** The newest `limit` of those that match, oldest first. */
  readonly limit: number;
}

/** A plan that is kept, so that an apply can name it. */
export interface Quote {
  readonly id: string;
  readonly project: string;
  readonly digest: string;
  /** null: of files that were no commit. */
  readonly commit: string | null;
  readonly at: number;
  readonly expiresAt: number;
  /** What it is for, in the words of who asked; several may share one. Absent: nobody said. */
  readonly label?: string;
  /** The plan as it was shown; opaque here. */
  readonly document: unknown;
}

/** Somebody's word that a commit may be applied. */
export interface Approval {
  readonly commit: string;
  /** The id of the plan it was approved by. */
  readonly plan: string;
  /** The name of the token. */
  readonly by: string;
  readonly at: number;
}

export interface Store {
  readonly kind: 'memory' | 'pglite' | 'postgres';
  /** Made once with the database; tells two databases apart. */
  readonly id: string;
  now(): Promise<number>;
  /** Rises by one at each call, for ever. */
  nextEpoch(): Promise<number>;

  /** Makes the key of a project if it is not there, due at once. */
  ensureProject(project: string): Promise<void>;
  /** Leases up to `limit` due keys that nobody else holds, longest due first. Taken keys are no longer due. */
  claim(request: ClaimRequest): Promise<readonly Claim[]>;
  /** Ends the leases of a holder that is known to be dead, so that its keys need not wait until they run out. */
  endLeases(holder: string): Promise<void>;
  /** Extends leases still held; returns the keys of those, others are lost. */
  renew(leases: readonly Lease[], leaseMs: number): Promise<ReadonlySet<string>>;
  /** Writes the ends of passes in one transaction; each is guarded by its lease. Returns the keys whose lease was lost: nothing of theirs was written. */
  settle(settlements: readonly Settlement[]): Promise<ReadonlySet<string>>;
  /**
   * Writes desired documents of a project's services and the project's own state in one transaction, guarded by the
   * project's lease; wakes every key written. Returns false, and writes nothing, when the lease was lost.
   */
  putDesired(
    lease: Lease,
    changes: readonly DesiredChange[],
    state: unknown,
    events: readonly NewEvent[],
  ): Promise<boolean>;
  /** Makes keys due now. Unknown keys are ignored. */
  wake(keys: readonly string[]): Promise<void>;
  /** When the earliest key this machine may claim, of these projects, is due (a held lease counts from its end); null: none is. */
  nextWake(machine: string, projects?: readonly string[]): Promise<number | null>;

  load(key: string): Promise<KeyRecord | null>;
  /** A project's own record and its services', by key. */
  list(project: string): Promise<readonly KeyRecord[]>;
  /** Records of what the project's services need around them (`fleet:pool`), by key. */
  around(project: string): Promise<readonly KeyRecord[]>;
  /** Records of services that have to do with it, by key. */
  users(project: string, name: string): Promise<readonly KeyRecord[]>;
  projects(): Promise<readonly string[]>;

  /** Ids are made by the caller and never given twice: one that is there already is a `bug`. */
  saveQuote(quote: Quote): Promise<void>;
  /** Whatever its age. */
  quote(project: string, id: string): Promise<Quote | null>;
  /** Those with this label, newest first, at most `limit`; whatever their age. */
  quotesOf(project: string, label: string, limit: number): Promise<readonly Quote[]>;
  /** Forgets quotes that had expired before `before`. Returns how many. */
  pruneQuotes(before: number): Promise<number>;
  /** Replaces the project's approval, tells of it, and wakes the project's key, in one transaction. */
  approve(project: string, approval: Approval, events: readonly NewEvent[]): Promise<void>;
  /** The newest of the project; null: nothing was ever approved. */
  approval(project: string): Promise<Approval | null>;

  appendEvents(project: string, events: readonly NewEvent[]): Promise<void>;
  events(query: EventQuery): Promise<readonly Event[]>;
  /** Forgets events before `before`. Returns how many. */
  pruneEvents(before: number): Promise<number>;
  /** Calls `changed` soon after keys were woken or events were appended, by any reconciler. Only a hint. */
  subscribe(changed: () => void): () => void;

  close(): Promise<void>;
}
