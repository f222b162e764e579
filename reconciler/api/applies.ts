// Approval of a commit by the plan that showed it. The judgement is made in `plan/approve.ts`; here the world is brought
// to it: the newest commit, the plan of then, the plan of now.
import { type ApplyAnswer, type ApplyRequest, applyRequestSchema, type Refusal } from '../../schemas/api.ts';
import { planSchema } from '../../schemas/plan.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ApplyMode } from '../config.ts';
import { DEFAULT_TOLERANCE, judgeApply, type Quoted } from '../plan/approve.ts';
import type { Planner } from '../planner.ts';
import type { Quote, Store } from '../store/store.ts';
import { answer } from './errors.ts';
import { type ApiContext, bodyOf, projectOf } from './request.ts';
import { changesOf } from './stream.ts';

export interface ApplyDeps {
  readonly store: Pick<
    Store,
    'now' | 'load' | 'quote' | 'approve' | 'approval' | 'events' | 'subscribe' | 'wake'
  >;
  readonly projects: readonly string[];
  readonly applyOf: (project: string) => ApplyMode;
  readonly plan: Planner;
  /** How long a commit is waited for that the repository may have had for a second only. */
  readonly patienceMs: number;
}

export async function apply(c: ApiContext, deps: ApplyDeps): Promise<Response> {
  const project = projectOf(c, deps.projects);
  if (typeof project !== 'string') return project;
  const request = await bodyOf(c, applyRequestSchema);
  if (!request) return answer(c, 400, 'the body names no commit and plan', BODY);
  const result = await decide(deps, project, request, c.var.token.name);
  return c.json(result, result.accepted ? 202 : 409);
}

// Private

const BODY = 'Send {"commit": "40 hex digits", "plan": "the id of a kept plan"}.';

async function decide(
  deps: ApplyDeps,
  project: string,
  request: ApplyRequest,
  by: string,
): Promise<ApplyAnswer> {
  const { commit } = request;
  if (deps.applyOf(project) !== 'gated') {
    const detail = `\`${project}\` applies each commit as soon as it is read`;
    return refused(commit, 'not-gated', detail, 'Follow its rollout; or set `apply: gated` for it.');
  }
  const approved = await deps.store.approval(project);
  if (approved?.commit === commit && approved.plan === request.plan)
    return accepted(commit, `${shortOf(commit)} is approved already, by ${approved.by}`);
  return (await notNewest(deps, project, commit)) ?? judged(deps, project, request, by);
}

async function judged(
  { store, plan }: ApplyDeps,
  project: string,
  { commit, plan: id, tolerance = DEFAULT_TOLERANCE }: ApplyRequest,
  by: string,
): Promise<ApplyAnswer> {
  const [quote, present] = await Promise.all([store.quote(project, id), plan(project, null)]);
  if (present.commit !== commit) return overtaken(commit, present.commit ?? '');
  const now = await store.now();
  const judgement = judgeApply({ quote: quotedOf(quote), present, tolerance, now });
  if (judgement.kind === 'refused') {
    const { kind: _, ...why } = judgement;
    return { accepted: false, commit, ...why, plan: present };
  }
  const detail = `${shortOf(commit)} is approved by ${by}, as plan ${id} shows it`;
  await store.approve(project, { commit, plan: id, by, at: now }, [
    { service: '', event: 'approved', reason: detail, commit },
  ]);
  return accepted(commit, detail);
}

function quotedOf(quote: Quote | null): Quoted | null {
  return quote && { plan: planSchema.parse(quote.document), expiresAt: quote.expiresAt };
}

/** A merge may be a second old: the repository is read once more, and waited for. Null when the commit is the newest. */
async function notNewest(deps: ApplyDeps, project: string, commit: string): Promise<ApplyAnswer | null> {
  const isKnown = await wasRead(deps, project, commit);
  // One that was read may come back by force, but hardly ever does.
  const state = await untilRead(deps, project, commit, isKnown ? deps.patienceMs / 8 : deps.patienceMs);
  if (state?.commit === commit) return null;
  if (state && (isKnown || (await wasRead(deps, project, commit))))
    return overtaken(commit, state.commit ?? '');
  const failure = state?.sourceFailure;
  const why = failure ? `: ${failure.message}` : `; the newest there is ${shortOf(state?.commit ?? 'none')}`;
  return refused(
    commit,
    'unknown-commit',
    `${shortOf(commit)} is not on the branch that \`${project}\` watches${why}`,
    'Apply a commit of that branch, once it is pushed.',
  );
}

/** Wakes the project, and gives its state as soon as the commit is the newest, or when patience is at its end. */
async function untilRead(
  { store }: ApplyDeps,
  project: string,
  commit: string,
  patienceMs: number,
): Promise<ProjectState | null> {
  const signal = AbortSignal.timeout(patienceMs);
  const changes = changesOf(store, signal);
  try {
    await store.wake([project]);
    for (;;) {
      const state = (await store.load(project))?.state as ProjectState | null | undefined;
      if (state?.commit === commit || signal.aborted) return state ?? null;
      await changes.next();
    }
  } finally {
    changes.close();
  }
}

async function wasRead({ store }: ApplyDeps, project: string, commit: string): Promise<boolean> {
  const events = await store.events({ project, service: '', limit: 10_000 });
  return events.some((event) => event.commit === commit);
}

function overtaken(commit: string, newest: string): ApplyAnswer {
  const detail = `${shortOf(commit)} is not the newest commit any more: that is ${shortOf(newest)}`;
  return refused(commit, 'not-newest', detail, 'Plan and apply the newest commit.');
}

function refused(commit: string, refusal: Refusal, detail: string, fix: string): ApplyAnswer {
  return { accepted: false, commit, refusal, detail, fix, difference: [] };
}

function accepted(commit: string, detail: string): ApplyAnswer {
  return { accepted: true, commit, detail, difference: [] };
}

function shortOf(commit: string): string {
  return commit.slice(0, 8);
}
