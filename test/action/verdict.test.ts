// Which plans a workflow fails on.
import { expect, test } from 'vitest';
import { FAIL_ON } from '../../action/inputs.ts';
import { failureOf } from '../../action/verdict.ts';
import type { Change, Plan } from '../../schemas/plan.ts';

const COMMIT = 'c'.repeat(40);
const PRICE = { now: 0, steady: 0, steadyMax: 0, peak: 0 };

const plan: Plan = {
  commit: null,
  base: 'b'.repeat(40),
  digest: 'd'.repeat(64),
  changes: [],
  price: PRICE,
  deletions: [],
  warnings: [],
  failures: [],
  prices: { source: 'live', date: null },
  problems: [],
};
const problem = { file: 'web.dstack.yml', line: 1, column: 1, path: '', message: 'no', fix: '' };
const update: Change = {
  service: 'web',
  change: 'update',
  how: ['scale'],
  reason: '',
  patch: [],
  fields: [],
  groups: [],
  price: PRICE,
};
const hold = { reason: 'budget', detail: 'too much', until: null } as const;
const overBudget = { kind: 'over-budget', service: '', message: '', fix: '' } as const;

test.each<[string, Partial<Plan>, string | null]>([
  ['nothing', {}, null],
  ['a change', { changes: [update] }, null],
  ['a warning in a file', { problems: [{ ...problem, severity: 'warning' }] }, null],
  ['an error in a file', { problems: [{ ...problem, severity: 'error' }] }, 'problems'],
  ['too dear a plan', { warnings: [overBudget] }, 'over-budget'],
  ['a change that its budget holds back', { changes: [{ ...update, hold }] }, 'over-budget'],
  ['a deletion', { deletions: ['web'] }, 'destroy'],
  ['a change of what is in force', { base: COMMIT, changes: [update] }, 'drift'],
  [
    'a change of a fleet that is in force',
    { base: COMMIT, changes: [], around: [{ kind: 'fleet', name: 'pool', change: 'update', text: '' }] },
    'drift',
  ],
  ['what is in force and stays', { base: COMMIT, changes: [{ ...update, change: 'keep' }] }, null],
])('%s', (_, more, reason) => {
  expect(failureOf({ ...plan, ...more }, FAIL_ON, COMMIT)).toBe(reason);
  expect(failureOf({ ...plan, ...more }, [], COMMIT)).toBeNull();
});
