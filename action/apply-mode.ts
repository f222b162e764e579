// `mode: apply`: has the commit applied that was merged, by the plan that its pull request showed, and follows it to its end.
// Where the server applies each commit by itself, it only follows.
import type { Capabilities } from '../schemas/api.ts';
import { Failure } from '../schemas/errors.ts';
import { approve } from './approve.ts';
import { renderSummary } from './comment.ts';
import { follow } from './follow.ts';
import { bad, type Ending, GOOD, type Job, showsLogs } from './job.ts';
import { lifeSentence } from './life.ts';
import { lifeTexts } from './life-text.ts';
import { logIn } from './login.ts';
import { lostOutcome, type Outcome, outcomeOf } from './outcome.ts';
import { setPlanOutputs } from './outputs.ts';
import type { ServiceProgress } from './progress.ts';
import { createReport, type Report } from './report.ts';
import { createServer, type Server } from './server.ts';
import { findTarget, type Target } from './target.ts';
import type { CommentView, Life } from './view.ts';

export async function applyMode(job: Job): Promise<Ending> {
  const server = await connect(job);
  const able = await server.capabilities();
  const target = await findTarget(job, server, able);
  if (target.plan) setPlanOutputs(job, target.plan);
  const report = createReport({
    job,
    comment: target.view && target.pull && { number: target.pull.number, view: target.view },
    isSpokesman: !able.github.statuses,
  });
  const run = { job, server, able, report, target };
  const { life, ending } = await carriedOut(run).catch((error: unknown) => lostOutcome(job, error));
  await conclude(job, target.view, report, life);
  return ending;
}

// Private

interface Run {
  readonly job: Job;
  readonly server: Server;
  readonly able: Capabilities;
  readonly report: Report;
  readonly target: Target;
}

async function connect({ inputs, context, env, out }: Job): Promise<Server> {
  const { server: url, project } = inputs;
  if (context.event.kind !== 'commit')
    throw new Failure('invalid', '`mode: apply` is for commits of a branch, not for pull requests', {
      fix: 'Run it `on: push`; a pull request is planned with `mode: plan`.',
    });
  if (url === null)
    throw new Failure('invalid', 'the input `server` is not set', { fix: 'Only a server applies anything.' });
  const enter = () => logIn({ inputs, env, out, server: createServer({ url, project, token: null }) });
  const login = await enter();
  // A rollout may outlive the token.
  const renew = async () => {
    const again = await enter();
    return again.kind === 'token' ? again.token : null;
  };
  if (login.kind === 'token') return createServer({ url, project, token: login.token, renew });
  throw new Failure('unauthorized', login.why, {
    fix: 'Add `permissions: {id-token: write}` to the job, or set TRUEUP_TOKEN.',
  });
}

async function carriedOut(run: Run): Promise<Outcome> {
  const { job, able, report } = run;
  const { commit } = job.context;
  report.say({ kind: 'merged', commit });
  if (able.apply === 'auto') {
    job.out.line('The server applies commits as it reads them.');
    return followed(run, commit, false);
  }
  // Who cancels so early means it.
  if (job.signal.aborted) return { life: { kind: 'withdrawn' }, ending: bad('cancelled') };
  const approved = await approve(run);
  return 'life' in approved ? approved : followed(run, approved.commit, true);
}

async function followed({ job, server, report }: Run, commit: string, isApproved: boolean): Promise<Outcome> {
  const { inputs, out, signal } = job;
  if (!inputs.wait) return { life: { kind: 'merged', commit }, ending: GOOD };
  const result = await follow({
    server,
    out,
    commit,
    isApproved,
    timeoutMs: inputs.timeoutMs,
    signal,
    moved: (services, newest) => report.say(deploying(services, newest)),
  });
  return outcomeOf(job, server, result);
}

function deploying(services: readonly ServiceProgress[], service: string | undefined): Life {
  const done = services.filter(({ kind }) => kind === 'done').length;
  return { kind: 'deploying', done, of: services.length, ...(service ? { service } : {}) };
}

async function conclude(job: Job, view: CommentView | null, report: Report, life: Life): Promise<void> {
  const { out, inputs } = job;
  const sentence = lifeSentence(life, inputs.environment ?? '');
  if (life.kind === 'refused' || life.kind === 'failed')
    out.annotate('error', `${sentence} ${fixOf(life)}`.trim());
  else out.line(sentence);
  if (life.kind === 'refused')
    for (const { service, was, is } of life.difference)
      out.line(`${service}\n  the plan said: ${was}\n  now it is:     ${is}`);
  out.summary(view ? renderSummary({ ...view, life }) : bareSummary(job, life));
  await report.end(life);
}

/** Of a commit that has no pull request, and so no plan to show. */
function bareSummary(job: Job, life: Life): string {
  const environment = job.inputs.environment ?? '';
  const texts = lifeTexts({ life, environment, showLogs: showsLogs(job) }, { differences: 50, log: 50 });
  return ['### trueup', ...texts].join('\n\n');
}

function fixOf(life: Life): string {
  return life.kind === 'refused' ? life.fix : '';
}
