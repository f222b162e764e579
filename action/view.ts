// What a comment shows, and what names it. The Action fills a view from the plan, the run and the rollout; `comment.ts`
// turns it into text. Everything in a view may come from a repository and is escaped there.
import type { Refusal } from '../schemas/api.ts';
import type { Plan } from '../schemas/plan.ts';

export interface CommentView {
  /** A project of the server's. */
  readonly project: string;
  /** The watched folder, from the root of the repository; '' for the whole of it. With `project` it names the comment. */
  readonly path: string;
  /** The environment of GitHub's deployments, when the workflow has one. */
  readonly environment?: string;
  readonly plan: Plan;
  /** The commit the plan is of: the head of the pull request; 40 hex digits. */
  readonly head: string;
  /** The page of the run that wrote this. */
  readonly runUrl: string;
  /** ISO 8601: when the run began. It orders runs: an older one never overwrites what a newer one wrote. */
  readonly at: string;
  /** GitHub's number of the run, which orders them before `at` does: one may begin long after its turn. Absent for a re-run. */
  readonly run?: number;
  readonly life: Life;
  /** What this plan could not know, each in a sentence: no server, a fork, prices of a list. */
  readonly notes: readonly string[];
  /** Whether the last lines of a failed candidate may be shown: never to the public unless asked for. */
  readonly showLogs: boolean;
}

/** How far what the comment announces has come. `commit` is the one that is being applied. */
export type Life =
  | { readonly kind: 'planned' }
  | { readonly kind: 'merged'; readonly commit: string }
  /** `reason` in a sentence: approval, a window, a budget. */
  | { readonly kind: 'waiting'; readonly reason: string }
  | {
      readonly kind: 'deploying';
      readonly done: number;
      readonly of: number;
      /** The one that moved last. */
      readonly service?: string;
    }
  | { readonly kind: 'deployed'; readonly seconds: number }
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal | 'no-plan';
      readonly detail: string;
      readonly fix: string;
      readonly difference: readonly Difference[];
    }
  | {
      readonly kind: 'failed';
      readonly service: string;
      readonly reason: string;
      /** The last lines the candidate printed; empty when it printed none. */
      readonly log: readonly string[];
    }
  /** `by`: the commit that took its place. */
  | { readonly kind: 'superseded'; readonly by: string }
  /** The job was cancelled; the rollout goes on. */
  | { readonly kind: 'cancelled' }
  /** The job was cancelled before it had approved anything. */
  | { readonly kind: 'withdrawn' };

/** One service of which an apply would do something else than its plan said. */
export interface Difference {
  readonly service: string;
  readonly was: string;
  readonly is: string;
}

/** The identity of a sticky comment: its first line, hidden. */
export interface Marker {
  readonly project: string;
  readonly path: string;
  /** As in the view. */
  readonly at: string;
  readonly run?: number | undefined;
  readonly head: string;
  /** The plan's digest. */
  readonly digest: string;
}
