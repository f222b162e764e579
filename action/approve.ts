// Approves a commit at a server that waits for that: by the plan that was shown, or not at all.
import type { ApplyAnswer } from '../schemas/api.ts';
import { reported } from './github/client.ts';
import { isAhead, type Pull } from './github/pulls.ts';
import { bad, GOOD, type Job } from './job.ts';
import type { Outcome } from './outcome.ts';
import { setPlanOutputs } from './outputs.ts';
import type { Server } from './server.ts';
import type { Target } from './target.ts';
import type { Life } from './view.ts';

export interface Approval {
  readonly job: Job;
  readonly server: Pick<Server, 'apply' | 'plan' | 'status'>;
  readonly target: Pick<Target, 'pull' | 'plan'>;
}

/** The commit with which the server goes ahead, or has gone already; else what has come of it. */
export type Approved = { readonly commit: string } | Outcome;

export async function approve(run: Approval): Promise<Approved> {
  const { job, target } = run;
  const { commit } = job.context;
  const answer = await ask(run, commit, target.plan?.id ?? NO_PLAN);
  if (target.plan) return judged(run, answer, target.plan.id ?? NO_PLAN);
  if (answer.plan) setPlanOutputs(job, answer.plan);
  // Whatever it changes is in force: it asked for nothing that has to be approved.
  if (answer.plan?.base === commit) return { commit };
  return answer.refusal === 'unknown-plan' ? withoutPlan(run) : judged(run, answer, NO_PLAN);
}

// Private

/** The server then reads the commit, if it must, and says what is in the way. */
const NO_PLAN = 'none';

function ask({ job: { inputs }, server }: Approval, commit: string, plan: string): Promise<ApplyAnswer> {
  const tolerance = inputs.tolerance === null ? {} : { tolerance: inputs.tolerance };
  return server.apply({ commit, plan, ...tolerance });
}

async function judged(run: Approval, answer: ApplyAnswer, plan: string): Promise<Approved> {
  run.job.out.line(answer.detail);
  const { accepted, commit, refusal } = answer;
  if (accepted || refusal === 'not-gated') return { commit };
  const isOvertaken = refusal === 'not-newest' || refusal === 'unknown-commit';
  const newest = isOvertaken ? (await run.server.status()).commit : null;
  if (newest === null || newest === commit) return refused(refusalOf(answer));
  if (await holds(run.job, newest)) return overtaken(run, newest, plan);
  return refusal === 'not-newest' ? superseded(newest) : refused(refusalOf(answer));
}

/** Whether a commit has all that this one has; the server may have gone past it without having read it. */
async function holds({ context, out, github, repo }: Job, newest: string): Promise<boolean> {
  const ask = () => isAhead(github, repo, newest, context.commit);
  return (await reported(out, 'comparing with the newest commit', 'contents: read', ask)) === true;
}

/** What is newest is applied: it may concern other folders, and have no job of its own. */
async function overtaken(run: Approval, newest: string, plan: string): Promise<Approved> {
  const answer = await ask(run, newest, plan);
  run.job.out.line(answer.detail);
  return answer.accepted ? { commit: newest } : superseded(newest);
}

function superseded(by: string): Outcome {
  return { life: { kind: 'superseded', by }, ending: GOOD };
}

/** Planned and applied in one go: only where the workflow wants that, and only what was pushed as it is. */
async function withoutPlan(run: Approval): Promise<Approved> {
  const { job, server, target } = run;
  if (target.pull || !job.inputs.allowDirect) return refused(noPlan(target.pull));
  const plan = await server.plan(null, true);
  setPlanOutputs(job, plan);
  const id = plan.id ?? NO_PLAN;
  return judged(run, await ask(run, job.context.commit, id), id);
}

type Refused = Extract<Life, { kind: 'refused' }>;

function noPlan(pull: Pull | null): Refused {
  const [detail, fix] = pull
    ? [`no plan was kept of the head of pull request #${pull.number}`, PLAN_BY_HAND]
    : [
        'this commit came without a pull request, so nobody has seen a plan of it',
        `${PLAN_BY_HAND} With \`allow-direct: true\` such commits are planned and applied in one go.`,
      ];
  return { kind: 'refused', refusal: 'no-plan', detail, fix, difference: [] };
}

function refusalOf({ refusal = 'stale', detail, fix = '', difference }: ApplyAnswer): Refused {
  const hint = OUTDATED.includes(refusal) ? ` ${PLAN_BY_HAND}` : '';
  return { kind: 'refused', refusal, detail, fix: `${fix}${hint}`, difference };
}

const OUTDATED: readonly string[] = ['stale', 'dearer', 'expired', 'unknown-plan'];

const PLAN_BY_HAND =
  'Run the workflow that plans by hand on this branch (Actions, Run workflow), read its summary, then run this job again.';

function refused(life: Refused): Outcome {
  return { life, ending: bad(life.refusal) };
}
