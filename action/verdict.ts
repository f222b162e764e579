// Whether a plan is one to fail on, by what the workflow asks to fail on. Pure.
import type { Plan } from '../schemas/plan.ts';
import type { FailOn } from './inputs.ts';

/** The first that applies; null when none does. `commit` is what was planned. */
export function failureOf(plan: Plan, failOn: readonly FailOn[], commit: string): FailOn | null {
  return failOn.find((reason) => APPLIES[reason](plan, commit)) ?? null;
}

// Private

const APPLIES: { readonly [reason in FailOn]: (plan: Plan, commit: string) => boolean } = {
  problems: ({ problems }) => problems.some(({ severity }) => severity === 'error'),
  'over-budget': ({ warnings, changes }) =>
    warnings.some(({ kind }) => kind === 'over-budget' || kind === 'over-max-price') ||
    changes.some(({ hold }) => hold?.reason === 'budget'),
  destroy: ({ deletions }) => deletions.length > 0,
  // This very commit is in force, and yet something would change.
  drift: ({ base, changes, around = [] }, commit) =>
    base === commit && [...changes, ...around].some(({ change }) => change !== 'keep'),
};
