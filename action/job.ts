// What every part of a run works with.

import type { Plan } from '../schemas/plan.ts';
import type { Context } from './context.ts';
import type { GitHub, Repo } from './github/client.ts';
import type { CommentStore } from './github/comment-store.ts';
import type { Inputs } from './inputs.ts';
import type { Output } from './output.ts';
import type { CommentView, Life } from './view.ts';

export interface Job {
  readonly inputs: Inputs;
  readonly context: Context;
  readonly out: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly github: GitHub;
  readonly repo: Repo;
  readonly comments: CommentStore;
  /** The job was cancelled. */
  readonly signal: AbortSignal;
}

/** How a run ends. */
export interface Ending {
  readonly isGood: boolean;
  /** One word for programs; '' when all is well. */
  readonly failureReason: string;
}

export const GOOD: Ending = { isGood: true, failureReason: '' };

export function bad(failureReason: string): Ending {
  return { isGood: false, failureReason };
}

/** Under what the server keeps the plan of a pull request's head, or of a commit that somebody had planned by hand. */
export function labelOf({ owner, repo }: Repo, commit: string, pull: number | null): string {
  return `${owner}/${repo}${pull === null ? '' : `#${pull}`}@${commit}`;
}

/** What is shown of a plan of `head`. */
export function viewOf(
  { inputs, context }: Job,
  plan: Plan,
  head: string,
  life: Life,
  notes: readonly string[] = [],
): CommentView {
  const { project, path, environment } = inputs;
  return {
    project,
    path,
    ...(environment === null ? {} : { environment }),
    // Files have no name; to who reads the comment they are those of the pull request's head.
    plan: { ...withoutApproval(plan), commit: plan.commit ?? head },
    head,
    runUrl: context.runUrl,
    at: context.at,
    ...(context.run === undefined ? {} : { run: context.run }),
    life,
    notes,
    showLogs: showsLogs({ inputs, context }),
  };
}

/** Where commits wait for approval, all do, and giving it is what this Action is for: nothing to warn of. */
function withoutApproval(plan: Plan): Plan {
  const changes = plan.changes.map(({ hold, ...change }) =>
    hold === undefined || hold.reason === 'approval' ? change : { ...change, hold },
  );
  return { ...plan, changes };
}

/** What a replica has printed is not for everybody. */
export function showsLogs({ inputs, context }: Pick<Job, 'inputs' | 'context'>): boolean {
  return inputs.logs ?? !context.isPublic;
}
