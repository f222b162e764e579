// Tells GitHub how far a commit has come: in the comment of its pull request, as a deployment, as a status. One word after
// the other; of those that come faster than GitHub should be asked, the last.
import { renderComment } from './comment.ts';
import { reported } from './github/client.ts';
import { type Deployment, type DeploymentState, openDeployment } from './github/deployments.ts';
import { createStatuses, type StatusWish } from './github/statuses.ts';
import type { Job } from './job.ts';
import { lifeSentence } from './life.ts';
import type { CommentView, Life } from './view.ts';

export interface Report {
  /** Returns at once. */
  say(life: Life): void;
  /** The last word; returns once all is said. */
  end(life: Life): Promise<void>;
}

export interface ReportOptions {
  readonly job: Job;
  /** The comment to keep up to date; null: there is none. */
  readonly comment: { readonly number: number; readonly view: CommentView } | null;
  /** Whether deployments and statuses are ours to make: not where the server makes them. */
  readonly isSpokesman: boolean;
  /** Between one word and the next. */
  readonly gapMs?: number;
}

export function createReport(options: ReportOptions): Report {
  const { gapMs = 3000 } = options;
  const write = createWriter(options);
  let next: Life | null = null;
  let words = 0;
  let said = '';
  let writing: Promise<void> | null = null;
  let hurry = Promise.withResolvers<void>();
  const drain = async () => {
    while (next) {
      const life = next;
      next = null;
      await write(life);
      words += 1;
      await Promise.race([pause(gapAfter(words, gapMs)), hurry.promise]);
    }
    writing = null;
  };
  const say = (life: Life) => {
    const saying = JSON.stringify(life);
    if (saying === said) return;
    said = saying;
    next = life;
    writing ??= drain();
  };
  return {
    say,
    async end(life) {
      say(life);
      hurry.resolve();
      await writing;
      hurry = Promise.withResolvers();
    },
  };
}

// Private

/** GitHub takes some hundred changes in an hour from all jobs together: the longer it goes on, the fewer words. */
function gapAfter(words: number, gapMs: number): number {
  return gapMs * Math.min(2 ** Math.floor(words / 10), 20);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function createWriter({ job, comment, isSpokesman }: ReportOptions): (life: Life) => Promise<void> {
  const { inputs, context, out, github, repo } = job;
  const { environment } = inputs;
  const statuses = createStatuses(github, repo);
  let deployment: Promise<Deployment | null> | null = null;
  const open = () =>
    reported(out, 'the deployment', 'deployments: write', () =>
      openDeployment(github, repo, {
        commit: context.commit,
        environment: environment ?? '',
        url: context.runUrl,
      }),
    );
  return async (life) => {
    const sentence = lifeSentence(life);
    if (comment) await writeComment(job, comment, life);
    if (!isSpokesman || environment === null) return;
    // Nobody would ever say how it ended.
    if (STATUS[life.kind] === 'pending' && !inputs.wait) return;
    const state = DEPLOYMENT[life.kind];
    deployment ??= state && open();
    const opened = state && (await deployment);
    if (opened)
      await reported(out, 'the deployment', 'deployments: write', () => opened.say(state, sentence));
    await reported(out, 'the commit’s status', 'statuses: write', () =>
      statuses.post({
        commit: context.commit,
        context: `trueup/${environment}`,
        state: STATUS[life.kind],
        description: sentence,
        url: context.runUrl,
      }),
    );
  };
}

async function writeComment(
  { inputs, out, comments }: Job,
  { number, view }: NonNullable<ReportOptions['comment']>,
  life: Life,
): Promise<void> {
  if (inputs.comment === 'off') return;
  await reported(out, 'the comment', 'pull-requests: write', () =>
    comments.write({ number, marker: view, body: renderComment({ ...view, life }), isNew: false }),
  );
}

/** null: nothing to say, for what was said last still holds. */
const DEPLOYMENT: { readonly [kind in Life['kind']]: DeploymentState | null } = {
  planned: null,
  merged: 'queued',
  waiting: 'queued',
  deploying: 'in_progress',
  deployed: 'success',
  refused: 'failure',
  failed: 'failure',
  superseded: 'inactive',
  cancelled: null,
  withdrawn: 'failure',
};

const STATUS: { readonly [kind in Life['kind']]: StatusWish['state'] } = {
  planned: 'pending',
  merged: 'pending',
  waiting: 'pending',
  deploying: 'pending',
  deployed: 'success',
  refused: 'failure',
  failed: 'failure',
  // GitHub has no word for it, and nothing is wrong.
  superseded: 'success',
  cancelled: 'pending',
  withdrawn: 'failure',
};
