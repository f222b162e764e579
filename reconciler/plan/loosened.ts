// What a commit loosens of the rules that it is judged by. Such a rule holds for the commit itself as it was before:
// one commit cannot both make room and use it.
import type { PlanWarning } from '../../schemas/plan.ts';
import { budgetOf, type Policy } from '../../schemas/policy.ts';
import type { Policies } from '../../schemas/project.ts';
import { isSameValue } from './same.ts';

export function loosenings({ before, own }: Policies): PlanWarning[] {
  const keys = [
    ...(isRaised(before.budget, own.budget) ? ['budget'] : []),
    ...Object.keys(before.services)
      .filter((name) => isRaised(budgetOf(before, name), budgetOf(own, name)))
      .map((name) => `services.${name}.budget`),
    ...(isWindowLoosened(before, own) ? ['windows'] : []),
    ...(isDeletionLoosened(before, own) ? ['deletion_budget'] : []),
    ...(before.prune === false && own.prune === true ? ['prune'] : []),
  ];
  return keys.map((key) => ({
    kind: 'policy',
    service: '',
    message: `this commit loosens \`${key}\` of trueup.yml: its own changes are applied under the old one`,
    fix: 'Loosen it first, in a commit of its own.',
  }));
}

/** What of `trueup.yml` is another than the one in force: a commit may change nothing else, and yet is one to read. */
export function policyChanges(inForce: Policy, own: Policy): PlanWarning[] {
  const keys = KEYS.filter(([member]) => !isSameValue(inForce[member], own[member])).map(([, key]) => key);
  if (keys.length === 0) return [];
  const message = `trueup.yml changes ${keys.map((key) => `\`${key}\``).join(', ')}`;
  return [{ kind: 'policy', service: '', message, fix: '' }];
}

// Private

/** As they are written. */
const KEYS: readonly (readonly [keyof Policy, string])[] = [
  ['rollout', 'rollout'],
  ['services', 'services'],
  ['suspended', 'suspend'],
  ['prune', 'prune'],
  ['deletionBudget', 'deletion_budget'],
  ['windows', 'windows'],
  ['budget', 'budget'],
];

/** null: no limit. */
function isRaised(before: number | null, own: number | null): boolean {
  return before !== null && (own === null || own > before);
}

/** What was closed may be open now: a `deny` is gone, or there is another `allow` than before (or none any more). */
function isWindowLoosened(before: Policy, own: Policy): boolean {
  const isIn = (windows: Policy['windows'], window: Policy['windows'][number]) =>
    windows.some((other) => isSameValue(other, window));
  const denies = before.windows.filter(({ kind }) => kind === 'deny');
  const allows = before.windows.filter(({ kind }) => kind === 'allow');
  const others = own.windows.filter(({ kind }) => kind === 'allow');
  if (denies.some((window) => !isIn(own.windows, window))) return true;
  return allows.length > 0 && (others.length === 0 || others.some((window) => !isIn(allows, window)));
}

function isDeletionLoosened({ deletionBudget: before }: Policy, { deletionBudget: own }: Policy): boolean {
  return (
    own.services > before.services || own.percent > before.percent || isRaised(before.perHour, own.perHour)
  );
}
