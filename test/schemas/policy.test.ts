import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { policyEditorSchema } from '../../schemas/editor.ts';
import type { Json } from '../../schemas/json.ts';
import { policyManual } from '../../schemas/manual.ts';
import { budgetOf, DEFAULT_POLICY, isSuspended, parsePolicy, rolloutPolicy } from '../../schemas/policy.ts';
import { strangers } from '../../schemas/policy-names.ts';

const read = (text: string) => parsePolicy({ path: 'trueup.yml', text });

test('without a file, and with one that only has comments, the defaults hold', () => {
  const nothing = { policy: DEFAULT_POLICY, problems: [], mentions: [] };
  expect(parsePolicy(null)).toEqual(nothing);
  expect(read('# nothing yet\n\n')).toEqual(nothing);
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
  ['deletion_budget: {per_hour: 2.5}', { deletionBudget: { services: 3, percent: 20, perHour: 2.5 } }],
  ['budget: 12.5', { budget: 12.5 }],
  ['budget: {per_hour: 0}', { budget: 0 }],
  ['suspend: true', { suspended: ['*'] }],
  ['suspend: {services: [web, "batch-*"]}', { suspended: ['web', 'batch-*'] }],
  [
    'windows: [{schedule: 0 22 * * mon-fri, duration: 4h}]',
    {
      windows: [
        {
          kind: 'allow',
          schedule: ['0 22 * * mon-fri'],
          durationMs: 14_400_000,
          timezone: 'UTC',
          services: null,
        },
      ],
    },
  ],
  [
    'windows: [{schedule: [0 0 24 dec *, 0 0 * * fri], duration: 3d, kind: deny, timezone: Europe/Berlin, services: [web]}]',
    { windows: [{ kind: 'deny', timezone: 'Europe/Berlin', services: ['web'] }] },
  ],
])('%s', (text, expected) => {
  expect(read(text)).toMatchObject({ policy: expected, problems: [] });
});

test("a service's own budget and suspension go before the folder's", () => {
  const { policy } = read(
    'suspend: true\nbudget: 10\nservices: {web: {suspend: false, budget: 3}, api: {budget: {per_hour: 0.5}}}',
  );
  expect([isSuspended(policy, 'web'), isSuspended(policy, 'api')]).toEqual([false, true]);
  expect([budgetOf(policy, 'web'), budgetOf(policy, 'api'), budgetOf(policy, 'toString')]).toEqual([
    3,
    0.5,
    null,
  ]);
});

test('a policy comes back from the store as it went in', () => {
  const { policy } = read(
    'budget: 1\nwindows: [{schedule: 0 1 * * *, duration: 1h}]\nservices: {web: {budget: 2}}',
  );
  expect(JSON.parse(JSON.stringify(policy))).toEqual(policy);
});

test('weekdays by number are read as POSIX has them, with a warning where they stand', () => {
  const { policy, problems } = read('windows:\n  - schedule: [0 1 * * mon, 0 1 * * 1-5]\n    duration: 1h\n');
  expect(policy.windows).toHaveLength(1);
  expect(problems).toEqual([
    expect.objectContaining({
      severity: 'warning',
      line: 2,
      column: 29,
      path: 'windows[0].schedule[1]',
      message: expect.stringMatching(/count from Sunday/),
    }),
  ]);
  const [single] = read('windows: [{schedule: 0 1 * * 0, duration: 1h}]').problems;
  expect(single).toMatchObject({ line: 1, column: 22, path: 'windows[0].schedule' });
});

test('names that no service has are told, where they stand', () => {
  const { mentions } = read(
    'services: {wbe: {budget: 1}, web: {budget: 1}}\nsuspend: {services: [batch-*, api-*]}\nprune: {allow: [gone]}',
  );
  const told = strangers(mentions, ['web', 'api-1']).map(
    ({ line, column, path, message, fix }) => `${line}:${column} ${path} ${message}. ${fix}`,
  );
  expect(told).toEqual([
    '1:12 services.wbe there is no service `wbe`. Did you mean `web`?',
    '2:22 suspend.services[0] there is no service `batch-*`. Correct the name, or remove it.',
  ]);
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
    ['suspend: {service: [web]}', '1:11 suspend.service: `service` is not a known key'],
    ['budget: -1', '1:9 budget: `-1` is below 0'],
    ['budget: lots', '1:9 budget: `lots` is not a number'],
    ['services: {web: {budgets: 1}}', '1:18 services.web.budgets: `budgets` is not a known key'],
    ['deletion_budget: {percent: 101}', '1:28 deletion_budget.percent: `101` is above 100'],
    ['windows: [{duration: 1h}]', '1:11 windows[0].schedule: `schedule` is missing'],
    [
      'windows: [{schedule: 0 22 * *, duration: 1h}]',
      '1:22 windows[0].schedule: `0 22 * *` has 4 fields instead of 5',
    ],
    [
      'windows: [{schedule: [0 22 * * *, 0 0 30 2 *], duration: 1h}]',
      '1:35 windows[0].schedule[1]: this never comes',
    ],
    [
      'windows: [{schedule: 0 22 * * *, duration: 1h, timezone: Europe/Berln}]',
      '1:58 windows[0].timezone: `Europe/Berln` is not a time zone',
    ],
    [
      'windows: [{schedule: 0 22 * * *, duration: 10s}]',
      '1:44 windows[0].duration: the duration is below 60s',
    ],
    ['windows: [{schedule: [], duration: 1h}]', '1:22 windows[0].schedule: the list is empty'],
    [
      'windows: [{schedule: 0 22 * * *, duration: 1h, kind: alow}]',
      '1:54 windows[0].kind: `alow` is not known',
    ],
    ['a: [', '1:4 : not valid YAML: a `[` is never closed, or what it holds is not indented'],
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

test('the manual and the schema know every key, and what the schema takes the parser takes', () => {
  const schema = policyEditorSchema();
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false });
  const validate = ajv.compile(schema);
  const definitions = schema.$defs as { readonly [id: string]: { readonly properties?: Properties } };
  const manual = policyManual();
  for (const [id, { properties = {} }] of Object.entries(definitions)) {
    for (const [key, { description, examples, default: standard }] of Object.entries(properties)) {
      expect(manual, `${id}.${key}`).toContain(`| \`${key}\` |`);
      expect(description, `${id}.${key}`).toBeTruthy();
      if (id !== 'policy') continue;
      for (const value of [...(examples ?? []), ...(standard === undefined ? [] : [standard])]) {
        expect(validate({ [key]: value }), `${key}: ${JSON.stringify(value)}`).toBe(true);
        expect(read(JSON.stringify({ [key]: value })).problems).toEqual([]);
      }
    }
  }
  const [, shown = ''] = /```yaml\n([^`]*)```/.exec(manual) ?? [];
  expect(read(shown).problems).toEqual([]);
  expect(validate({ windows: [{ duration: '1h' }] })).toBe(false);
  expect(validate({ budgets: 1 })).toBe(false);
});

type Properties = {
  readonly [key: string]: {
    readonly description?: string;
    readonly examples?: readonly Json[];
    readonly default?: Json;
  };
};
