// When an apply is let through: it must do what its plan said, cost about what it said, and be allowed at all.
import { describe, expect, it } from 'vitest';
import { type ApplyCase, judgeApply } from '../../reconciler/plan/approve.ts';
import type { Change, Plan, PlanWarning } from '../../schemas/plan.ts';

const NOW = 1_800_000_000_000;
const FREE = { now: 0, steady: 0, steadyMax: 0, peak: 0 };

function change(service: string, more: Partial<Change> = {}): Change {
  return {
    service,
    change: 'update',
    how: ['replace'],
    reason: 'env.REVISION changed',
    patch: [{ op: 'replace', path: '/env/REVISION', value: '2' }],
    fields: [{ path: 'env.REVISION', from: '1', to: '2', how: 'replace' }],
    groups: [],
    price: FREE,
    ...more,
  };
}

function plan(more: Partial<Plan> = {}): Plan {
  return {
    commit: 'c'.repeat(40),
    base: null,
    digest: 'a'.repeat(64),
    changes: [change('web')],
    price: { now: 1, steady: 2, steadyMax: 4, peak: 3 },
    deletions: [],
    warnings: [],
    failures: [],
    prices: { source: 'live', date: null },
    problems: [],
    ...more,
  };
}

function judge(present: Partial<Plan>, more: Partial<ApplyCase> = {}) {
  const quote = { plan: plan(), expiresAt: NOW + 1 };
  return judgeApply({ quote, present: plan(present), tolerance: 0.05, now: NOW, ...more });
}

describe('an apply', () => {
  it('that does what its plan said is accepted', () => {
    expect(judge({})).toEqual({ kind: 'accepted' });
  });

  it('needs a plan that is known', () => {
    expect(judge({}, { quote: null })).toMatchObject({ refusal: 'unknown-plan' });
  });

  it('needs a plan that has not expired', () => {
    const quote = { plan: plan({ expires: '2027-01-15T08:00:00.000Z' }), expiresAt: NOW };
    expect(judge({}, { quote })).toMatchObject({
      refusal: 'expired',
      detail: 'the plan was good until 2027-01-15T08:00:00.000Z',
    });
    expect(judge({}, { quote, now: NOW - 1 })).toEqual({ kind: 'accepted' });
  });

  it('that would make another fleet than its plan said is refused, and says how', () => {
    const pool = (text: string) => ({ kind: 'fleet', name: 'pool', change: 'create', text }) as const;
    const quote = { plan: plan({ around: [pool('2 machines are kept')] }), expiresAt: NOW + 1 };
    const present = { digest: 'b'.repeat(64), around: [pool('50 machines are kept')] };
    expect(judge(present, { quote })).toMatchObject({
      refusal: 'stale',
      difference: [
        { service: 'fleet:pool', was: 'create: 2 machines are kept', is: 'create: 50 machines are kept' },
      ],
    });
  });

  it('is refused while the commit has errors, not for warnings', () => {
    const problem = {
      file: 'web.dstack.yml',
      line: 3,
      column: 1,
      path: 'port',
      message: 'it is no port',
      fix: 'Write a number.',
      severity: 'error' as const,
    };
    expect(judge({ problems: [problem, problem] })).toMatchObject({
      refusal: 'problems',
      detail: 'web.dstack.yml:3: it is no port, and 1 more',
      fix: 'Write a number.',
    });
    expect(judge({ problems: [{ ...problem, severity: 'warning' }] })).toEqual({ kind: 'accepted' });
  });

  it.each<[string, Partial<Plan>]>([
    ['as a warning', { warnings: [{ kind: 'over-budget', service: '', message: 'over', fix: 'less' }] }],
    ['as a hold', { changes: [change('web', { hold: { reason: 'budget', detail: 'over', until: null } })] }],
  ])('over the budget is refused, be it said %s', (_, present) => {
    expect(judge(present)).toMatchObject({ refusal: 'over-budget', detail: expect.stringContaining('over') });
  });

  it('over the budget says of which service, and what is to be done where it has no offer', () => {
    const dear = { kind: 'over-budget', service: 'web', message: '$2.00/h wanted', fix: 'Make it cheaper.' };
    expect(judge({ warnings: [dear as PlanWarning] })).toMatchObject({ detail: 'web: $2.00/h wanted' });
    const unsold = {
      kind: 'no-offer',
      service: 'web',
      message: 'no offer matches',
      fix: 'Relax `gpu.name`.',
    };
    const held = change('web', { hold: { reason: 'budget', detail: 'unknown', until: null } });
    expect(judge({ warnings: [unsold as PlanWarning], changes: [held] })).toMatchObject({
      refusal: 'over-budget',
      detail: 'web: no offer matches, so its price is unknown',
      fix: 'Relax `gpu.name`.',
    });
  });
});

describe('a plan that became another', () => {
  const stale = (changes: readonly Change[]) => {
    const judgement = judge({ digest: 'b'.repeat(64), changes });
    expect(judgement).toMatchObject({ kind: 'refused', refusal: 'stale' });
    return judgement.kind === 'refused' ? judgement.difference : [];
  };

  it('is told service by service, with values', () => {
    const fields = [{ path: 'env.REVISION', from: '1', to: '3', how: 'replace' as const }];
    const other = change('web', { patch: [{ op: 'replace', path: '/env/REVISION', value: '3' }], fields });
    expect(stale([other, change('db', { change: 'create', how: [] })])).toEqual([
      { service: 'db', was: 'not there', is: 'create' },
      {
        service: 'web',
        was: 'update (replace): env.REVISION "1" → "2"',
        is: 'update (replace): env.REVISION "1" → "3"',
      },
    ]);
  });

  it('is told of a value that only its mask shows', () => {
    const fields = [{ path: 'env.TOKEN', from: 'mask:1', to: 'mask:2', how: 'replace' as const }];
    expect(stale([change('web', { fields })])).toMatchObject([
      { service: 'web', is: 'update (replace): env.TOKEN "mask:1" → "mask:2"' },
    ]);
  });

  it('is told of what vanished, and of a new name', () => {
    expect(stale([change('www', { change: 'rename', from: 'web', how: [], fields: [] })])).toEqual([
      { service: 'web', was: 'update (replace): env.REVISION "1" → "2"', is: 'not there' },
      { service: 'www', was: 'not there', is: 'rename from web' },
    ]);
  });

  it('names only a few of many fields', () => {
    const fields = Array.from({ length: 8 }, (_, index) => ({
      path: `env.V${index}`,
      from: null,
      to: '',
      how: 'replace' as const,
    }));
    expect(stale([change('web', { fields, patch: [] })])[0]?.is).toMatch(/env\.V4 null → "", 3 more$/);
  });

  it('says so when two changes read alike, or when nothing that is shown differs', () => {
    expect(stale([change('web', { patch: [] })])).toMatchObject([
      { service: 'web', is: expect.stringMatching(/, of another configuration$/) },
    ]);
    expect(stale([change('web')])).toMatchObject([{ service: '', was: expect.stringContaining('policy') }]);
  });
});

describe('a price that rose', () => {
  const priced = (price: Partial<Plan['price']>, tolerance = 0.05) =>
    judge({ price: { ...plan().price, ...price } }, { tolerance });

  it('within the tolerance is accepted, and one that fell always', () => {
    expect(priced({ steady: 2.1, peak: 3.15 })).toEqual({ kind: 'accepted' });
    expect(priced({ steady: 0, peak: 0 })).toEqual({ kind: 'accepted' });
  });

  it('beyond it is refused with figures, steady as well as at the peak', () => {
    expect(priced({ steady: 2.2 })).toMatchObject({
      refusal: 'dearer',
      detail: 'it costs more than the plan and 5 % say: steady $2.00 → $2.20 per hour',
    });
    expect(priced({ steady: 2.2, peak: 3.5 })).toMatchObject({
      detail: expect.stringContaining('steady $2.00 → $2.20, peak $3.00 → $3.50 per hour'),
    });
  });

  it('is measured by the tolerance of the apply', () => {
    expect(priced({ steady: 4 }, 1)).toEqual({ kind: 'accepted' });
    expect(priced({ steady: 2.01 }, 0)).toMatchObject({ refusal: 'dearer' });
  });

  it('from nothing is always dearer: what had no offer then has a price now', () => {
    const quote = { plan: plan({ price: FREE }), expiresAt: NOW + 1 };
    expect(judge({}, { quote, tolerance: 10 })).toMatchObject({ refusal: 'dearer' });
  });
});
