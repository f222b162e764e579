// Approves a commit at a server that waits for that: by the plan that was shown, or not at all.
import type { ApplyAnswer } from '../schemas/api.ts';
import type { Pull } from './github/pulls.ts';
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

/** null: the server goes ahead, or has gone already. */
export async function approve(run: Approval): Promise<Outcome | null> {
  const { job, target } = run;
  const answer = await ask(run, target.plan?.id ?? NO_PLAN);
  if (target.plan === null && answer.plan) setPlanOutputs(job, answer.plan);
  // Whatever it changes is in force: it asked for nothing that has to be approved.
  if (target.plan === null && answer.plan?.base === job.context.commit) return null;
  return target.plan === null && answer.refusal === 'unknown-plan' ? withoutPlan(run) : judged(run, answer);
}

// Private

/** The server then reads the commit, if it must, and says what is in the way. */
const NO_PLAN = 'none';

function ask({ job, server }: Approval, plan: string): Promise<ApplyAnswer> {
  const { inputs, context } = job;
  const tolerance = inputs.tolerance === null ? {} : { tolerance: inputs.tolerance };
  return server.apply({ commit: context.commit, plan, ...tolerance });
}

async function judged({ job, server }: Approval, answer: ApplyAnswer): Promise<Outcome | null> {
  job.out.line(answer.detail);
  if (answer.accepted || answer.refusal === 'not-gated') return null;
  if (answer.refusal !== 'not-newest') return refused(refusalOf(answer));
  const { commit } = await server.status();
  return { life: { kind: 'superseded', by: commit ?? '' }, ending: GOOD };
}

/** Planned and applied in one go: only where the workflow wants that, and only what was pushed as it is. */
async function withoutPlan(run: Approval): Promise<Outcome | null> {
  const { job, server, target } = run;
  if (target.pull || !job.inputs.allowDirect) return refused(noPlan(target.pull));
  const plan = await server.plan(null, true);
  setPlanOutputs(job, plan);
  return judged(run, await ask(run, plan.id ?? NO_PLAN));
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
