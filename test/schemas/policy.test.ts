import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, parsePolicy, rolloutPolicy } from '../../schemas/policy.ts';

const read = (text: string) => parsePolicy({ path: 'trueup.yml', text });

test('without a file, and with one that only has comments, the defaults hold', () => {
  expect(parsePolicy(null)).toEqual({ policy: DEFAULT_POLICY, problems: [] });
  expect(read('# nothing yet\n\n')).toEqual({ policy: DEFAULT_POLICY, problems: [] });
});

test("a service's own words win over the folder's, which win over the defaults", () => {
  const { policy, problems } = read(
    'rollout: {surge: 2, drain: 10s, deadlines: {start: 1m}}\nservices: {web: {rollout: {surge: 3, on_failure: hold}}}\n',
  );
  expect(problems).toEqual([]);
  expect(rolloutPolicy(policy, 'web', false)).toMatchObject({
    surge: 3,
    drainMs: 10_000,
    startMs: 60_000,
    readyMs: 600_000,
    onFailure: 'hold',
  });
  expect(rolloutPolicy(policy, 'other', true)).toMatchObject({
    surge: 2,
    drainMs: 10_000,
    onFailure: 'rollback',
  });
  expect(rolloutPolicy(policy, 'constructor', false)).toMatchObject({ surge: 2 });
});

test.each([
  ['prune: false', { prune: false }],
  ['prune: {allow: [old, older]}', { prune: { allow: ['old', 'older'] } }],
  ['deletion_budget: 5', { deletionBudget: { services: 5, percent: 0 } }],
  ['deletion_budget: {services: 1, percent: 50}', { deletionBudget: { services: 1, percent: 50 } }],
])('%s', (text, expected) => {
  expect(read(text)).toMatchObject({ policy: expected, problems: [] });
});

describe('mistakes', () => {
  test.each([
    [
      'rollout: {surge: 0}',
      '1:18 rollout.surge: with `surge` and `unavailable` at 0 no replica could ever be replaced',
    ],
    [
      'rollout: {unavailable: 1}\nservices: {web: {rollout: {surge: 0, unavailable: 0}}}',
      '2:35 services.web.rollout.surge: with `surge` and `unavailable` at 0 no replica could ever be replaced',
    ],
    ['rollout: {surge: -1}', '1:18 rollout.surge: `-1` is below 0'],
    ['rollout: {drain: soon}', '1:18 rollout.drain: `soon` is not a duration'],
    ['rollout: {deadlines: {start: 0}}', '1:30 rollout.deadlines.start: the duration is below 1s'],
    ['rollouts: {}', '1:1 rollouts: `rollouts` is not a known key'],
    ['rollout: {on_failure: rolback}', '1:23 rollout.on_failure: `rolback` is not known'],
    ['a: [', '1:5 : not valid YAML: a `[` is never closed, or what it holds is not indented'],
  ])('%j', (text, expected) => {
    const { policy, problems } = read(text);
    expect(
      problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`),
    ).toContain(expected);
    expect(policy).toEqual(DEFAULT_POLICY);
  });

  test('surge 0 is fine where a replica may be missing', () => {
    expect(read('rollout: {surge: 0, unavailable: 1}').problems).toEqual([]);
    expect(read('rollout: {unavailable: 1}\nservices: {web: {rollout: {surge: 0}}}').problems).toEqual([]);
  });
});
