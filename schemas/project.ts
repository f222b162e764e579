// The stored record of one project: which commit is in force, and what is wrong with the source or with files that
// belong to no service.
import type { FailureKind, Problem } from './errors.ts';

export interface Rename {
  readonly from: string;
  readonly to: string;
}

export interface ProjectState {
  readonly format: 1;
  /** Rises with every commit that was read; tells a reconciler that another one has written since. */
  readonly serial: number;
  /** Names the installation's key, with which the values of services are sealed. Absent: nothing was read yet. */
  readonly key?: string;
  /** null before the first commit was read. */
  readonly commit: string | null;
  readonly committedAt: number;
  readonly subject: string;
  readonly author: string;
  /** Of `trueup.yml`, the profiles, and files that name no service. */
  readonly problems: readonly Problem[];
  /** Valid configurations that are not services: read, listed, not reconciled. */
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
