// `mode: plan`: what merging this would change and cost, where a reviewer sees it. Changes nothing but comments and checks.
import { render } from '../reconciler/cli/screen.ts';
import { planBlocks } from '../reconciler/view/plan.ts';
import { countsOf } from '../reconciler/view/plan-words.ts';
import type { SourceFile } from '../reconciler/wanted.ts';
import { asFailure, type Failure } from '../schemas/errors.ts';
import type { Plan } from '../schemas/plan.ts';
import { renderComment, renderSummary, verdictMark } from './comment.ts';
import { checkedOut, type Files, hasCheckout, readCheckout, readCommit } from './files.ts';
import { postCheck } from './github/checks.ts';
import { reported } from './github/client.ts';
import { standingOf } from './github/pulls.ts';
import { createTrees, type Trees } from './github/trees.ts';
import { bad, type Ending, GOOD, type Job, labelOf, viewOf } from './job.ts';
import { logIn } from './login.ts';
import { mountedObjects } from './mounted.ts';
import { planOffline, UNKNOWN_OFFLINE } from './offline.ts';
import { setPlanOutputs } from './outputs.ts';
import { createServer } from './server.ts';
import { failureOf } from './verdict.ts';
import type { CommentView } from './view.ts';

export async function planMode(job: Job): Promise<Ending> {
  const { inputs, context, out, github, repo } = job;
  const trees = createTrees(github, repo);
  const head = await readHead(job, trees);
  const { plan, notes } = await planned(job, trees, head);
  const view = viewOf(job, plan, headSha(context), { kind: 'planned' }, [...head.notes, ...notes]);
  const reason = failureOf(plan, inputs.failOn, context.commit);
  setPlanOutputs(job, plan);
  out.line(`${verdictMark(view)} ${countsOf(plan)}`);
  const endGroup = out.group('The whole plan');
  out.line(render(planBlocks(view.plan), LOG).trimEnd());
  endGroup();
  for (const note of view.notes) out.line(note);
  out.summary(renderSummary(view));
  await announce(job, view, reason === null);
  return reason === null ? GOOD : bad(reason);
}

// Private

const LOG = { width: 120, height: 0, colour: false, live: false };

interface Planned {
  readonly plan: Plan;
  readonly notes: readonly string[];
}

async function readHead(job: Job, trees: Trees): Promise<Files> {
  const { context, inputs, out } = job;
  const { workspace, commit } = context;
  if (!hasCheckout(workspace)) {
    out.line('There is no checkout: the files are read by GitHub’s API.');
    return readCommit(trees, commit, inputs.path);
  }
  const read = readCheckout(workspace, inputs.path);
  const other = checkedOut(workspace);
  return other === null || other === commit
    ? read
    : { ...read, notes: [otherNote(other, job), ...read.notes] };
}

/** What would be merged is not what is shown, nor what an apply will find. */
function otherNote(other: string, { context: { event, commit } }: Job): string {
  const [is, was] = [other, commit].map((each) => each.slice(0, 8));
  const what = event.kind === 'pull' ? `what merging gives (${was})` : was;
  return `The checkout is of commit ${is}, not of ${what}: leave out \`ref\` and \`repository\` of \`actions/checkout\`.`;
}

async function planned(job: Job, trees: Trees, head: Files): Promise<Planned> {
  const { inputs, env, out } = job;
  const { server: url, project } = inputs;
  if (url === null)
    return offline(job, trees, head.files, 'No server was asked: the input `server` is not set.');
  const server = (token: string | null) => createServer({ url, project, token });
  try {
    const login = await logIn({ inputs, env, out, server: server(null) });
    if (login.kind === 'none') {
      // Of a fork it is as it should be; elsewhere somebody has forgotten something.
      if (!isOfFork(job)) out.annotate('warning', `No server was asked: ${login.why}.`);
      return await offline(job, trees, head.files, `No server was asked: ${login.why}.`);
    }
    return await planThere(job, trees, head.files, server(login.token));
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind !== 'transient') throw failure;
    out.annotate('warning', textOf(failure));
    return offline(job, trees, head.files, `The server could not be asked: ${failure.message}.`);
  }
}

function isOfFork({ context: { event } }: Job): boolean {
  return event.kind === 'pull' && event.isFork;
}

async function planThere(
  { inputs, context, out, repo }: Job,
  trees: Trees,
  files: readonly SourceFile[],
  server: ReturnType<typeof createServer>,
): Promise<Planned> {
  const { scopes } = await server.capabilities();
  const { event, commit } = context;
  // What a queue would merge, nobody will read: it is no plan to apply by.
  const isWanted = event.kind === 'pull' || (event.kind === 'commit' && event.isManual);
  const label = labelOf(repo, headSha(context), event.kind === 'pull' ? event.number : null);
  const objects = await mountedObjects(files, inputs.path, (path) => trees.nameOf(commit, path)).catch(
    () => null,
  );
  const below = inputs.path === '' ? 0 : inputs.path.length + 1;
  const plan = await server.plan({
    files: files.map(({ path, text }) => ({ path: path.slice(below), text })),
    ...(objects ? { objects } : {}),
    ...(isWanted && scopes.includes('plan') ? { keep: true, label } : {}),
  });
  if (plan.id) out.line(`Kept as plan ${plan.id}.`);
  return {
    plan,
    notes: objects ? [] : ['Contents of mounted files count as they are on the server’s branch.'],
  };
}

async function offline(
  { inputs, context, env }: Job,
  trees: Trees,
  files: readonly SourceFile[],
  why: string,
): Promise<Planned> {
  const { event } = context;
  const base = event.kind === 'commit' ? event.before : event.base;
  const { before, notes } = await readBase(trees, base, inputs.path, files);
  const head = { files, commit: headSha(context) };
  const plan = await planOffline(before && { files: before, commit: base }, head, inputs.path, env);
  return { plan, notes: [why, ...UNKNOWN_OFFLINE, ...notes] };
}

interface Base {
  /** null: there is nothing to compare with. */
  readonly before: readonly SourceFile[] | null;
  readonly notes: readonly string[];
}

async function readBase(
  trees: Trees,
  base: string | null,
  path: string,
  known: readonly SourceFile[],
): Promise<Base> {
  if (base === null)
    return { before: null, notes: ['There is no commit to compare with: all of it counts as new.'] };
  try {
    // The folder may be new with this very change.
    if ((await trees.below(base, path)) === null) return { before: [], notes: [] };
    const { files } = await readCommit(trees, base, path, known);
    return { before: files, notes: [] };
  } catch (error) {
    const { message } = asFailure(error);
    return {
      before: null,
      notes: [`What it would change is not known, all of it counts as new: ${message}.`],
    };
  }
}

function headSha({ event, commit }: Job['context']): string {
  return event.kind === 'pull' ? event.head : commit;
}

async function announce(job: Job, view: CommentView, isGood: boolean): Promise<void> {
  const { context, inputs, out, github, repo } = job;
  const { event, runUrl } = context;
  const { plan } = view;
  const check = await reported(out, 'the check run', 'checks: write', async () => {
    await postCheck(github, repo, {
      name: `trueup plan (${inputs.project})`,
      commit: view.head,
      isGood,
      title: `${verdictMark(view)} ${countsOf(plan)}`,
      summary: renderSummary(view, CHECK_BYTES),
      problems: plan.problems,
      url: runUrl,
    });
    return true;
  });
  if (check === null) annotate(job, plan);
  if (event.kind === 'pull' && inputs.comment !== 'off') await comment(job, view, event);
}

/** GitHub takes 65,535 characters. */
const CHECK_BYTES = 60_000;

async function comment(
  { out, github, repo, comments, inputs }: Job,
  view: CommentView,
  { number, head, isFork }: { readonly number: number; readonly head: string; readonly isFork: boolean },
): Promise<void> {
  if (isFork) return out.line('A job of a fork may not comment: see the summary of this job.');
  await reported(out, 'the comment', 'pull-requests: write', async () => {
    const now = await standingOf(github, repo, number);
    // By now it may say what has become of it.
    if (now.isOver) return out.line('The pull request is closed: its comment is left as it is.');
    if (now.head !== head)
      return out.line(
        'This is not the newest commit of the pull request any more: the comment is left to that.',
      );
    const body = renderComment(view);
    const written = await comments.write({ number, marker: view, body, isNew: inputs.comment === 'new' });
    out.line(
      written.kind === 'newer'
        ? 'A newer run has commented already.'
        : `Comment ${written.kind}: ${written.url}`,
    );
  });
}

/** Where no check run can, the log shows problems at their lines. */
function annotate({ out }: Job, { problems }: Plan): void {
  for (const { severity, message, fix, ...place } of problems)
    out.annotate(severity, `${message}\n${fix}`, place);
}

function textOf({ message, fix }: Failure): string {
  return fix ? `${message}. ${fix}` : message;
}
