// What of a commit is in force at once and what waits: tables of single rules, and what must hold for any commit.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Admission, type AdmitInput, admit, costsOf, policiesFor } from '../../reconciler/plan/admit.ts';
import type { Cost, Costs } from '../../reconciler/plan/cost.ts';
import type { DesiredRecord, DesiredService } from '../../schemas/desired.ts';
import { type Policy, parsePolicy } from '../../schemas/policy.ts';
import { group, service } from './samples.ts';

const NOON = Date.parse('2026-01-05T12:00:00.000Z');
const TEN_PM = Date.parse('2026-01-05T22:00:00.000Z');
const NIGHTLY = 'windows: [{schedule: 0 22 * * *, duration: 2h}]';
const COMMIT = 'new0new0new0';

const policies = new Map<string, Policy>();

/** Each text is read once: what is tested here is what it means. */
function policy(text: string): Policy {
  const read = policies.get(text) ?? parsePolicy({ path: 'trueup.yml', text }).policy;
  policies.set(text, read);
  return read;
}

/** A service of one revision and so many replicas, of which each costs 1 $/h unless told otherwise. */
function web(name: string, version = 1, replicas = 1): DesiredService {
  const groups = [group({ replicas: { min: replicas, max: replicas } }, { commands: [`v${version}`] })];
  return service(name, { commands: [`v${version}`], replicas }, { groups });
}

const record = (found: DesiredService, more: Partial<DesiredRecord> = {}): DesiredRecord => ({
  service: found,
  removed: false,
  problems: [],
  ...more,
});

const records = (...services: readonly DesiredService[]) =>
  new Map(services.map((each) => [each.name, record(each)]));

const known = (perHour: number): Cost => ({ kind: 'known', perHour });

/** Replicas times 1 $/h. */
function costsBy(
  price: (found: DesiredService) => Cost,
  { known, next }: Pick<AdmitInput, 'known' | 'next'>,
): Costs {
  const of = (map: AdmitInput['known']) =>
    new Map([...map].flatMap(([name, { service: found }]) => (found ? [[name, price(found)] as const] : [])));
  return { now: of(known), wanted: of(next) };
}

const perReplica = ({ spec }: DesiredService) =>
  known(spec.groups.reduce((sum, { replicas }) => sum + replicas.max, 0));

interface Case extends Partial<Omit<AdmitInput, 'policies'>> {
  readonly before?: string;
  readonly own?: string;
  readonly price?: (found: DesiredService) => Cost;
}

function judged({ before, own, price = perReplica, ...input }: Case): Admission {
  const { known = new Map(), next = new Map() } = input;
  const current = policy(own ?? before ?? '');
  return admit({
    commit: COMMIT,
    known,
    next,
    policies: { before: policy(before ?? own ?? ''), own: current },
    isReadable: true,
    isApproved: true,
    renames: [],
    isServing: () => false,
    servicesBefore: null,
    costs: costsBy(price, { known, next }),
    now: NOON,
    ...input,
  });
}

/** `name: reason`, of what waits. */
const waits = ({ waiting }: Admission) => [...waiting].map(([name, { reason }]) => `${name}: ${reason}`);

const v1 = web('web');
const v2 = web('web', 2);

describe('a service whose file is gone', () => {
  const told = (from: string, ...to: readonly DesiredService[]) =>
    judged({ known: records(web(from)), next: records(...to) }).renames;
  const inFile = (file: string, found: DesiredService): DesiredService => ({ ...found, file });

  test('lives on under another name if one new one is made of the same', () => {
    expect(told('old', web('new'))).toEqual([{ from: 'old', to: 'new' }]);
    expect(told('old', web('new'), web('newer'))).toEqual([]);
    expect(told('old', web('new', 2))).toEqual([]);
  });

  test('lives on under the name that its file gives now, whatever it is made of', () => {
    expect(told('old', inFile('old.dstack.yml', web('new', 2)))).toEqual([{ from: 'old', to: 'new' }]);
    const same = web('same');
    expect(told('old', inFile('old.dstack.yml', web('new', 2)), same)).toEqual([{ from: 'old', to: 'same' }]);
  });

  test('is known by both of its names until the new one serves', () => {
    const { records: inForce } = judged({ known: records(web('old')), next: records(web('new')) });
    expect(inForce.get('old')?.renamedTo).toBe('new');
    expect(inForce.get('new')?.renamedFrom).toEqual(['old']);
    const rest = { known: inForce, renames: [{ from: 'old', to: 'new' }], next: inForce };
    const done = judged({ ...rest, next: records(web('new')), isServing: (name) => name === 'new' });
    expect([...done.records]).toEqual([...records(web('new'))]);
  });

  test('goes back to its name as it went away', () => {
    const there = judged({ known: records(web('old')), next: records(web('new')) });
    const back = judged({ known: there.records, next: records(web('old')), renames: there.renames });
    expect(back.renames).toEqual([{ from: 'new', to: 'old' }]);
    expect(back.records.get('old')).toEqual({ ...record(web('old')), renamedFrom: ['new'] });
    expect(back.records.get('new')?.renamedTo).toBe('old');
  });

  test('goes on to a third name from both that it had', () => {
    const there = judged({ known: records(web('old')), next: records(web('new')) });
    const on = judged({ known: there.records, next: records(web('last')), renames: there.renames });
    expect(on.records.get('last')?.renamedFrom).toEqual(['old', 'new']);
  });
});

describe('a change', () => {
  test('that nothing speaks against is in force at once', () => {
    const {
      records: inForce,
      admitted,
      waiting,
    } = judged({ known: records(v1), next: records(v2, web('api')) });
    expect(admitted).toEqual(['web', 'api']);
    expect(waiting.size).toBe(0);
    expect(inForce).toEqual(records(v2, web('api')));
  });

  test('that waits leaves what is in force, and keeps what is asked for', () => {
    const { records: inForce } = judged({ known: records(v1), next: records(v2), own: NIGHTLY });
    expect(inForce.get('web')).toEqual(
      record(v1, {
        pending: {
          reason: 'window',
          commit: COMMIT,
          revision: v2.revision,
          service: v2,
          since: NOON,
          until: TEN_PM,
          detail: 'no window is open',
        },
      }),
    );
  });

  test.each<[string, Case, string[]]>([
    [
      'suspension, before everything else',
      { own: `suspend: true\nbudget: 0\n${NIGHTLY}`, isApproved: false },
      ['suspended'],
    ],
    ['approval, before money and time', { own: `budget: 0\n${NIGHTLY}`, isApproved: false }, ['approval']],
    ['money, before time', { own: `budget: 1\n${NIGHTLY}` }, ['budget']],
    ['time', { own: NIGHTLY }, ['window']],
    ['nothing', {}, []],
  ])('waits for %s', (_, rules, reasons) => {
    const found = judged({ known: records(v1), next: records(web('web', 2, 3)), ...rules });
    expect([...found.waiting.values()].map(({ reason }) => reason)).toEqual(reasons);
  });

  test.each<[string, Case, string[]]>([
    ['approval', { isApproved: false }, ['approval']],
    [
      'a file that is back or a name that is released',
      { own: `deletion_budget: 0\n${NIGHTLY}` },
      ['deletion-budget'],
    ],
    ['a window', { own: NIGHTLY }, ['window']],
    ['nothing, if it is released by name', { own: 'deletion_budget: 0\nprune: {allow: [web]}' }, []],
    ['a trueup.yml without errors', { isReadable: false }, ['deletion-budget']],
    [
      'a release by name, if it costs more than may be removed',
      { own: 'deletion_budget: {per_hour: 0.5}' },
      ['deletion-budget'],
    ],
    ['nothing, if it costs no more', { own: 'deletion_budget: {per_hour: 1}' }, []],
  ])('that is a removal waits for %s', (_, rules, reasons) => {
    const found = judged({ known: records(v1, web('api')), next: records(web('api')), ...rules });
    expect([...found.waiting.values()].map(({ reason }) => reason)).toEqual(reasons);
    expect(found.records.has('web')).toBe(reasons.length > 0);
    expect(found.records.get('web')?.pending?.revision ?? null).toBeNull();
  });

  test('that touches nothing that runs needs no window and no money, but approval', () => {
    const commented = { ...v1, digest: 'another' };
    const change = { known: records(v1), next: records(commented) };
    expect(waits(judged({ ...change, own: `budget: 0\n${NIGHTLY}` }))).toEqual([]);
    expect(waits(judged({ ...change, isApproved: false }))).toEqual(['web: approval']);
  });

  test('keeps its `since` while it waits for the same, and its first commit', () => {
    const first = judged({ known: records(v1), next: records(v2), own: NIGHTLY, commit: 'first' });
    const later = judged({ known: first.records, next: records(v2), own: NIGHTLY, now: NOON + 60_000 });
    expect(later.records.get('web')).toEqual(first.records.get('web'));
    const other = judged({
      known: first.records,
      next: records(web('web', 3)),
      own: NIGHTLY,
      now: NOON + 60_000,
    });
    expect(other.waiting.get('web')).toMatchObject({ commit: COMMIT, since: NOON + 60_000 });
  });

  test('that is taken back waits no longer', () => {
    const first = judged({ known: records(v1), next: records(v2), own: NIGHTLY });
    expect(judged({ known: first.records, next: records(v1), own: NIGHTLY }).records).toEqual(records(v1));
  });
});

test('a file that is gone takes its mistakes with it, though its service has to wait', () => {
  const problem = { file: 'web.dstack.yml', line: 1, column: 1, path: '', message: '', fix: '' };
  const broken = new Map([['web', record(v1, { problems: [{ ...problem, severity: 'error' }] })]]);
  const { records: inForce } = judged({ known: broken, own: 'prune: false' });
  expect(inForce.get('web')).toMatchObject({ problems: [], pending: { reason: 'deletion-budget' } });
});

describe('a suspended service', () => {
  test('is marked, whether or not something is asked of it', () => {
    const { records: inForce } = judged({
      known: records(v1, web('api')),
      next: records(v2, web('api')),
      own: 'suspend: true',
    });
    expect(inForce.get('api')).toEqual(record(web('api'), { suspended: true }));
    expect(inForce.get('web')).toMatchObject({
      service: v1,
      suspended: true,
      pending: { reason: 'suspended' },
    });
  });

  test('is let go by the commit that lifts it', () => {
    const first = judged({ known: records(v1), next: records(v2), own: 'suspend: true' });
    const then = judged({ known: first.records, next: records(v2), before: 'suspend: true', own: '' });
    expect(then.records).toEqual(records(v2));
  });
});

describe('a budget', () => {
  const three = records(web('a', 1, 2), web('b', 1, 2), web('c', 1, 2));
  const grown = (name: string, replicas: number) =>
    new Map([...three, [name, record(web(name, 1, replicas))] as const]);

  test.each<[string, Case, string[]]>([
    ['is not exceeded', { next: grown('a', 5), own: 'budget: 8' }, ['a: budget']],
    ['may be used up', { next: grown('a', 4), own: 'budget: 8' }, []],
    [
      'of a service counts for it alone',
      { next: grown('a', 3), own: 'services: {a: {budget: 2}}' },
      ['a: budget'],
    ],
    ['lets through what saves, though it stays exceeded', { next: grown('a', 1), own: 'budget: 1' }, []],
    [
      'lets through what costs the same',
      { next: new Map([...three, ['a', record(web('a', 2, 2))]]), own: 'budget: 1' },
      [],
    ],
    [
      'has room for what another change saves',
      { next: new Map([...grown('a', 4), ['c', record(web('c', 1, 0))]]), own: 'budget: 6' },
      [],
    ],
    [
      'has room for what a removal saves',
      { next: new Map([...grown('a', 4)].filter(([name]) => name !== 'c')), own: 'budget: 6' },
      [],
    ],
    [
      'has none for what a removal would save that waits',
      { next: new Map([...grown('a', 4)].filter(([name]) => name !== 'c')), own: 'budget: 6\nprune: false' },
      ['a: budget', 'c: deletion-budget'],
    ],
    [
      'goes to what is named first, if there is not enough for all',
      { next: new Map([...grown('a', 3), ['b', record(web('b', 1, 3))]]), own: 'budget: 7' },
      ['b: budget'],
    ],
  ])('%s', (_, rules, expected) => {
    expect(waits(judged({ known: three, ...rules }))).toEqual(expected);
  });

  test('says what is wanted, allowed and spent', () => {
    const shared = judged({ known: three, next: grown('a', 5), own: 'budget: 8' });
    expect(shared.waiting.get('a')?.detail).toMatch(
      /^all services together: \$9.00\/h wanted, \$8.00\/h allowed, \$6.00\/h now\. .*`budget`.*commit of its own/,
    );
    const own = judged({ known: three, next: grown('a', 5), own: 'services: {a: {budget: 4}}' });
    expect(own.waiting.get('a')?.detail).toMatch(
      /^\$5.00\/h wanted, \$4.00\/h allowed, \$2.00\/h now\. .*`services.a.budget`/,
    );
  });

  test('makes what nobody knows the price of wait, and nothing else', () => {
    const price = (found: DesiredService): Cost =>
      found.name === 'new' ? { kind: 'unknown', reason: 'the cloud is down' } : perReplica(found);
    const next = new Map([...grown('a', 3), ['new', record(web('new'))] as const]);
    const found = judged({ known: three, next, own: 'budget: 100', price });
    expect(waits(found)).toEqual(['new: budget']);
    expect(found.waiting.get('new')?.detail).toContain('the cloud is down');
    expect(waits(judged({ known: three, next, price }))).toEqual([]);
  });

  test('has room for a rename: the new service takes the place of the old one', () => {
    const renames = [{ from: 'old', to: 'new' }];
    const change = {
      known: records(web('old', 1, 4)),
      next: records(web('new', 1, 4)),
      own: 'budget: 4',
      renames,
    };
    const found = judged(change);
    expect(waits(found)).toEqual([]);
    expect([...found.records.keys()].toSorted()).toEqual(['new', 'old']);
    const more = judged({ ...change, known: found.records, next: records(web('new', 1, 5)) });
    expect(more.waiting.get('new')?.detail).toContain('$5.00/h wanted, $4.00/h allowed, $4.00/h now');
  });

  test('asks only for the prices that it needs', () => {
    const asked = (own: string, next = grown('a', 3)) =>
      costsOf({
        commit: COMMIT,
        known: three,
        next,
        policies: { before: policy(own), own: policy(own) },
        isReadable: true,
        isApproved: true,
        renames: [],
        isServing: () => false,
        servicesBefore: null,
      });
    expect(asked('')).toEqual({ now: [], wanted: [], kept: false });
    expect(asked('budget: 5', three)).toEqual({ now: [], wanted: [], kept: false });
    expect(asked('budget: 5')).toEqual({ now: ['a', 'b', 'c'], wanted: ['a'], kept: true });
    expect(asked('services: {b: {budget: 5}}')).toEqual({ now: [], wanted: [], kept: false });
    expect(asked('services: {a: {budget: 5}}')).toEqual({ now: ['a'], wanted: ['a'], kept: false });
  });
});

describe('a rule', () => {
  const change = { known: records(v1, web('api')), next: records(web('web', 2, 3), web('api')) };
  test.each<[string, string, string, string[]]>([
    ['that is loosened holds for the commit that loosens it', 'budget: 3', 'budget: 9', ['web: budget']],
    ['that is dropped, too', 'budget: 3', '', ['web: budget']],
    ['that is tightened holds at once', '', 'budget: 3', ['web: budget']],
    ['of a service that is dropped holds', 'services: {web: {budget: 1}}', '', ['web: budget']],
    ['that is new holds at once', '', NIGHTLY, ['web: window']],
    ['of windows that are dropped holds', NIGHTLY, '', ['web: window']],
  ])('%s', (_, before, own, expected) => {
    expect(waits(judged({ ...change, before, own }))).toEqual(expected);
  });

  test.each<[string, string, string[]]>([
    ['budget: 3', 'budget: 4', ['budget']],
    ['budget: 3', 'budget: 2', []],
    ['services: {web: {budget: 1}}', '', ['services.web.budget']],
    [NIGHTLY, '', ['windows']],
    [NIGHTLY, `${NIGHTLY.slice(0, -1)}, {schedule: 0 3 * * *, duration: 1h}]`, ['windows']],
    ['', NIGHTLY, []],
    [NIGHTLY, `${NIGHTLY.slice(0, -1)}, {schedule: 0 3 * * *, duration: 1h, kind: deny}]`, []],
    ['', 'deletion_budget: 9', ['deletion_budget']],
    ['prune: false', '', ['prune']],
  ])('from %j to %j is told as %j', (before, own, keys) => {
    const { warnings } = judged({ ...change, before, own });
    expect(warnings.map(({ message }) => /`([^`]+)`/.exec(message)?.[1])).toEqual(keys);
    expect(judged({ known: change.known, next: change.known, before, own }).warnings).toEqual([]);
  });

  test('that was loosened lets through what waits since an earlier commit', () => {
    const first = judged({ ...change, own: 'budget: 3', commit: 'first' });
    const then = judged({ known: first.records, next: change.next, before: 'budget: 3', own: 'budget: 4' });
    expect(then.admitted).toEqual(['web']);
  });

  test('that was loosened does so too where commits are approved, though the change waited for that meanwhile', () => {
    const dear = judged({ ...change, own: 'budget: 3', commit: 'first' });
    const loosened = { next: change.next, before: 'budget: 3', own: 'budget: 4' };
    const unapproved = judged({ ...loosened, known: dear.records, own: 'budget: 3', isApproved: false });
    expect(waits(unapproved)).toEqual(['web: approval']);
    expect(judged({ ...loosened, known: unapproved.records }).admitted).toEqual(['web']);
    const neverApproved = judged({ ...change, own: 'budget: 3', isApproved: false, commit: 'first' });
    expect(waits(judged({ ...loosened, known: neverApproved.records }))).toEqual(['web: budget']);
  });

  test('of the commit in force goes on to hold for it, and becomes the old one for the next', () => {
    const [strict, loose] = [policy('budget: 1'), policy('budget: 9')];
    const state = { applied: 'one', policies: { before: strict, own: loose } };
    expect(policiesFor(state, 'one', loose, true)).toEqual({ before: strict, own: loose });
    expect(policiesFor(state, 'two', strict, true)).toEqual({ before: loose, own: strict });
    expect(policiesFor(state, 'two', null, true)).toEqual({ before: loose, own: loose });
    expect(policiesFor(state, 'two', strict, false)).toEqual({ before: loose, own: loose });
    expect(policiesFor({}, 'one', loose, true)).toEqual({ before: loose, own: loose });
  });
});

describe('of any commit', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e'];
  const world = fc
    .dictionary(
      fc.constantFrom(...NAMES),
      fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 0, max: 4 })),
    )
    .map((services) =>
      records(...Object.entries(services).map(([name, [version, count]]) => web(name, version, count))),
    );
  const rules = fc
    .record({
      budget: fc.option(fc.integer({ min: 0, max: 12 })),
      one: fc.option(fc.integer({ min: 0, max: 4 })),
      deletions: fc.integer({ min: 0, max: 3 }),
      windows: fc.constantFrom('', NIGHTLY, `${NIGHTLY.slice(0, -2)}, kind: deny}]`),
      suspend: fc.constantFrom('', 'suspend: {services: [a, b]}'),
    })
    .map(({ budget, one, deletions, windows, suspend }) =>
      [
        budget === null ? '' : `budget: ${budget}`,
        one === null ? '' : `services: {c: {budget: ${one}}}`,
        `deletion_budget: ${deletions}`,
        windows,
        suspend,
      ].join('\n'),
    );
  const anyCase = fc.record({
    known: world,
    next: world,
    before: rules,
    own: rules,
    isApproved: fc.boolean(),
    now: fc.constantFrom(NOON, TEN_PM),
  });
  const total = (inForce: AdmitInput['known']) =>
    [...inForce.values()].reduce((sum, { service: found }) => {
      const cost = found ? perReplica(found) : known(0);
      return sum + (cost.kind === 'known' ? cost.perHour : 0);
    }, 0);
  /** What is gone under its old name still runs until the new one serves. */
  const steady = ({ records: inForce, renames }: Admission) =>
    total(
      new Map(
        [...inForce].filter(
          ([name]) => !renames.some(({ from, to }) => from === name && inForce.get(to)?.service),
        ),
      ),
    );

  test('every change is either in force or waits', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const found = judged(input);
        const changed = NAMES.filter((name) => {
          const [was, is] = [input.known.get(name)?.service, input.next.get(name)?.service];
          const isRenamed = !is && found.renames.some(({ from }) => from === name);
          return was?.digest !== is?.digest && !isRenamed;
        });
        expect([...found.admitted, ...found.waiting.keys()].toSorted()).toEqual(changed);
        for (const name of found.admitted)
          expect(found.records.get(name)?.service?.digest).toBe(input.next.get(name)?.service?.digest);
        for (const name of found.waiting.keys())
          expect(found.records.get(name)?.service ?? null).toEqual(input.known.get(name)?.service ?? null);
      }),
      { numRuns: 80 },
    );
  });

  test('no budget is exceeded by what is let in', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const found = judged(input);
        const limits = [input.before, input.own].map(
          (text) => policy(text).budget ?? Number.POSITIVE_INFINITY,
        );
        expect(steady(found)).toBeLessThanOrEqual(Math.max(total(input.known), Math.min(...limits)));
      }),
      { numRuns: 80 },
    );
  });

  test('what waits says until when, or who can end it', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        for (const { until, detail } of judged(input).waiting.values())
          expect(until ?? detail).toSatisfy((end) =>
            typeof end === 'number'
              ? end > input.now
              : /lift|approve|Name them|budget|change/.test(String(end)),
          );
      }),
      { numRuns: 60 },
    );
  });

  test('looking again changes nothing', () => {
    fc.assert(
      fc.property(anyCase, (input) => {
        const first = judged(input);
        const renames = first.renames;
        const again = judged({ ...input, known: first.records, renames });
        const money = [input.before, input.own].some((text) => text.includes('budget:'));
        // What was let in may have made room, by a saving or a removal; nothing is ever taken back.
        for (const name of first.admitted) expect(again.records.get(name)).toEqual(first.records.get(name));
        if (!money) expect(again.records).toEqual(first.records);
      }),
      { numRuns: 60 },
    );
  });
});
