// Where a pushed commit comes from, and by which plan it is to be applied. Asked of GitHub and the server; a comment is
// never read for it.
import type { Capabilities } from '../schemas/api.ts';
import { asFailure, Failure } from '../schemas/errors.ts';
import type { Plan } from '../schemas/plan.ts';
import { reported } from './github/client.ts';
import { type Pull, pullOf } from './github/pulls.ts';
import { type Job, labelOf, viewOf } from './job.ts';
import type { Server } from './server.ts';
import type { CommentView } from './view.ts';

export interface Target {
  /** Where the commit comes from; null: it was pushed as it is. */
  readonly pull: Pull | null;
  /** The newest that was kept for that; null: none. */
  readonly plan: Plan | null;
  /** null: there is nothing to show. */
  readonly view: CommentView | null;
}

export async function findTarget(job: Job, server: Server, able: Capabilities): Promise<Target> {
  const pull = await findPull(job, able);
  const plan = await newestPlan(job, server, pull);
  if (plan) job.out.line(`Plan ${plan.id}${pull ? ` of pull request #${pull.number}` : ''}.`);
  if (!pull) return { pull: null, plan, view: null };
  const shown = plan ?? (await server.plan(null));
  const view = viewOf(job, shown, pull.head, { kind: 'merged', commit: job.context.commit });
  return { pull, plan, view };
}

// Private

/** Throws `unauthorized` when it cannot be known and matters: then nobody may take the commit for one that has none. */
async function findPull({ context, out, github, repo }: Job, able: Capabilities): Promise<Pull | null> {
  const branch = context.event.kind === 'commit' ? context.event.branch : null;
  const find = () => pullOf(github, repo, context.commit, branch);
  if (able.apply === 'auto') return reported(out, 'finding the pull request', 'pull-requests: read', find);
  try {
    return await find();
  } catch (cause) {
    throw new Failure(
      'unauthorized',
      `GitHub does not say which pull request this is of: ${asFailure(cause).message}`,
      {
        fix: 'Give the job `permissions: {pull-requests: write}`, and run it again.',
        cause,
      },
    );
  }
}

/** Of the pull request as it was merged, or of the commit itself, where somebody had that planned by hand. */
async function newestPlan({ context, repo }: Job, server: Server, pull: Pull | null): Promise<Plan | null> {
  const labels = [
    labelOf(repo, context.commit, null),
    ...(pull ? [labelOf(repo, pull.head, pull.number)] : []),
  ];
  const kept = (await Promise.all(labels.map((label) => server.keptPlans(label)))).flat();
  const [newest] = kept.toSorted((a, b) => (a.kept < b.kept ? 1 : -1));
  return newest ? server.keptPlan(newest.id) : null;
}
