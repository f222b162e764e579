// The stored record of one project: which commit was read and which is in force, by which policy changes are judged,
// and what is wrong with the source or with files that belong to no service.
import type { DesiredAround } from './around.ts';
import type { FailureKind, Problem } from './errors.ts';
import type { Policy } from './policy.ts';

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** By what changes are judged: a commit cannot loosen what holds for its own changes. */
export interface Policies {
  /** Of the commit that was in force before. */
  readonly before: Policy;
  /** Of the commit in force. */
  readonly own: Policy;
}

export interface ProjectState {
  readonly format: 1;
  /** Rises with every commit that was read; tells a reconciler that another one has written since. */
  readonly serial: number;
  /** Names the installation's key, with which the values of services are sealed. Absent: nothing was read yet. */
  readonly key?: string;
  /** The newest that was read; null before the first one. */
  readonly commit: string | null;
  /** The newest in force: all of it that may be applied now is. Absent: none yet. Differs from `commit` while that waits for approval. */
  readonly applied?: string;
  /** Absent while no commit is in force. */
  readonly policies?: Policies;
  /** How many services there were when `commit` was first judged: what it adds makes no room for what it removes. */
  readonly servicesBefore?: number;
  /** The commit that waits for approval, with the policy it brings, and what it asks for around services where that is something else. Absent: none does. */
  readonly pending?: {
    readonly commit: string;
    readonly since: number;
    readonly policy?: Policy;
    readonly around?: { readonly [name: string]: DesiredAround };
  };
  readonly committedAt: number;
  readonly subject: string;
  readonly author: string;
  /** Of `trueup.yml`, the profiles, and files that name no service. */
  readonly problems: readonly Problem[];
  /** Valid configurations that are neither services, fleets nor volumes: read, listed, not reconciled. */
  readonly others: readonly { readonly path: string; readonly type: string; readonly name: string | null }[];
  /** Services whose files are gone but that are kept, because removing them would exceed the deletion budget. */
  readonly held: readonly string[];
  /** Services that live on under another name: the old one goes once the new one has been rolled out. */
  readonly renames: readonly Rename[];
  readonly sourceFailure: {
    readonly kind: FailureKind;
    readonly message: string;
    readonly since: number;
  } | null;
}
