// How plans look, beyond the golden ones: what is left out of them, and that nothing of a repository can do harm there.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render } from '../../reconciler/cli/screen.ts';
import { parseFile } from '../../reconciler/source/parse.ts';
import { money } from '../../reconciler/view/cells.ts';
import { type FieldWords, fieldWords, UNWRITTEN } from '../../reconciler/view/field-words.ts';
import { escaped, planMarkdown } from '../../reconciler/view/markdown.ts';
import { planBlocks } from '../../reconciler/view/plan.ts';
import type { Change, FieldChange, Plan } from '../../schemas/plan.ts';

const PRICE = { now: 0, steady: 0, steadyMax: 0, peak: 0 };

function change(overrides: Partial<Change> = {}): Change {
  return {
    service: 'web',
    change: 'update',
    how: ['replace'],
    reason: 'image changed',
    patch: [],
    fields: [{ path: 'image', from: 'a', to: 'b', how: 'replace' }],
    groups: [],
    price: PRICE,
    ...overrides,
  };
}

function plan(overrides: Partial<Plan> = {}): Plan {
  return {
    commit: null,
    base: null,
    digest: '',
    changes: [change()],
    price: PRICE,
    deletions: [],
    warnings: [],
    failures: [],
    prices: { source: 'live', date: null },
    problems: [],
    ...overrides,
  };
}

function text(shown: Plan, colour = false): string {
  return render(planBlocks(shown), { width: 80, height: 24, colour, live: false });
}

function words(from: string | null, to: string | null, path = 'commands[0]'): FieldWords {
  return fieldWords({ path, from, to, how: 'replace' }, 40);
}

describe('the verdict', () => {
  const warning = { kind: 'policy', service: '', message: 'it loosens', fix: '' } as const;
  const problem = {
    file: 'a',
    line: 1,
    column: 1,
    path: '',
    message: 'no',
    fix: '',
    severity: 'error',
  } as const;
  const hold = { reason: 'window', detail: 'no window is open', until: '2026-06-01T22:00:00.000Z' } as const;

  test.each([
    ['✓', plan()],
    ['⚠', plan({ warnings: [warning] })],
    ['⚠', plan({ failures: [{ backend: 'aws', message: 'no answer' }] })],
    ['⚠', plan({ changes: [change({ hold })] })],
    ['✗', plan({ problems: [problem], warnings: [warning] })],
  ])('%s', (mark, shown) => {
    expect(text(shown)).toMatch(new RegExp(`^${mark} `));
    expect(planMarkdown(shown)).toMatch(new RegExp(`^### ${mark} `));
  });

  test('what would wait says why, and until when', () => {
    expect(text(plan({ changes: [change({ hold })] }))).toContain(
      'would wait (window): no window is open, until 2026-06-01 22:00 UTC',
    );
  });
});

describe('a price', () => {
  const priced = (price: Partial<typeof PRICE>) =>
    text(plan({ base: 'a'.repeat(40), price: { ...PRICE, ...price } }));

  test('is left out where nothing costs anything', () => {
    expect(priced({})).not.toContain('$');
  });

  test('says what it becomes, by how much, what it may reach, and what that is in a month', () => {
    const shown = priced({ now: 12.4, steady: 18.6, steadyMax: 24.8, peak: 31 });
    expect(shown).toContain('$12.40/h → $18.60–24.80/h +$6.20/h (+50 %) · peak $31.00/h');
    expect(shown).toContain('$9,052/month → $13,578–18,104/month');
  });

  test('that nobody knows is not shown as a saving', () => {
    const group = {
      name: '0',
      replicas: { min: 2, max: 2 },
      offers: [],
      totalOffers: 0,
      pricePerReplica: null,
      price: 0,
      excluded: [],
    };
    const price = { now: 0.5, steady: 0, steadyMax: 0, peak: 0.5 };
    const unsold = change({ how: ['placement'], groups: [group], price });
    const kept = change({ service: 'api', change: 'keep', reason: 'unchanged', how: [], fields: [] });
    const warnings = [{ kind: 'no-offer', service: 'web', message: 'no offer matches', fix: '' } as const];
    const shown = plan({ changes: [kept, unsold], price: { ...price, now: 0.75, steady: 0.25 }, warnings });
    for (const said of [text(shown), planMarkdown(shown)]) {
      expect(said).toContain('without web: no offer');
      expect(said).toContain('$0.50/h → unknown');
      expect(said).not.toMatch(/%/);
    }
    const grown = change({ service: 'app', price: { now: 1, steady: 2, steadyMax: 2, peak: 3 } });
    const two = plan({
      changes: [grown, unsold],
      price: { now: 1.5, steady: 2, steadyMax: 2, peak: 3.5 },
      warnings,
    });
    for (const said of [text(two), planMarkdown(two)]) {
      expect(said).toMatch(/web\W+(&#36;|\$)0.50\/h[ |]+unknown[ |]+(&#36;|\$)0.50\/h[ |]+—/);
      expect(said).toMatch(/total\W+\$1.50\/h\W+\$2.00\/h\W+\$3.50\/h\W+—/);
    }
  });

  test('of a small machine has parts of a cent, so that it can be multiplied', () => {
    expect(priced({ steady: 0.0558, steadyMax: 0.1116, peak: 0 })).toContain('$0.0558–0.11/h');
    expect([0.07, 0.067, 0.00004, 1234.5].map(money)).toEqual([
      '$0.07/h',
      '$0.067/h',
      '$0.00/h',
      '$1,234.50/h',
    ]);
  });

  test('of a list is never shown as one of today', () => {
    const prices = { source: 'snapshot', date: '2026-07-30' } as const;
    expect(text(plan({ price: { ...PRICE, steady: 1, steadyMax: 1 }, prices }))).toContain(
      'shipped prices of 2026-07-30, not live',
    );
  });
});

describe('what changes wait for', () => {
  const detail = '2 of 3 services are gone. Name them.';
  const hold = { reason: 'deletion-budget', detail, until: null } as const;
  const gone = (service: string) => change({ service, change: 'delete', fields: [], hold });

  test('is said in full once', () => {
    for (const shown of [text, planMarkdown]) {
      const said = shown(plan({ changes: [gone('api'), gone('old')] }));
      expect(said.split('Name them.')).toHaveLength(2);
      expect(said).toContain('would wait (deletion-budget), like api');
    }
  });
});

describe('fleets and volumes', () => {
  const pool = {
    kind: 'fleet',
    name: 'pool',
    change: 'create',
    text: '3 machines are kept',
    price: { now: 0, steady: 5, steadyMax: 2.5, peak: 7.5 },
  } as const;
  const models = {
    kind: 'volume',
    name: 'models',
    change: 'keep',
    text: 'its file is gone; it stays',
  } as const;
  const spare = {
    kind: 'fleet',
    name: 'spare',
    change: 'keep',
    text: 'unchanged',
    price: { now: 1, steady: 1, steadyMax: 1, peak: 1 },
  } as const;
  const web = change({ price: { now: 2, steady: 2, steadyMax: 2, peak: 4 } });
  const shown = plan({
    base: 'a'.repeat(40),
    changes: [web],
    around: [pool, models, spare],
    price: { now: 3, steady: 8, steadyMax: 8, peak: 12.5 },
  });

  test('stand below the services, with what becomes of them and what they cost beside', () => {
    for (const said of [text(shown), planMarkdown(shown).replaceAll('`', '').replaceAll('**', '')]) {
      expect(said).toContain('1 to update, 1 fleet to create');
      expect(said).toMatch(
        /\+ fleet pool:? create\n+ *3 machines are kept\n+ *\$2.50–5.00\/h( · peak \$7.50\/h)? beside/,
      );
      expect(said).toMatch(/= volume models:? keep\n+ *its file is gone; it stays/);
      expect(said).not.toContain('fleet spare');
    }
  });

  test('are rows of the sum, those that stay as they are with what is unchanged', () => {
    expect(text(shown)).toContain(`
SERVICE     NOW      STEADY        PEAK      DIFFERENCE
web         $2.00/h  $2.00/h       $4.00/h   —
fleet pool  $0.00/h  $2.50–5.00/h  $7.50/h   +$5.00/h
unchanged   $1.00/h  $1.00/h       $1.00/h   —
total       $3.00/h  $8.00/h       $12.50/h  +$5.00/h (+167 %)
`);
  });

  test('alone are a change, too; and none of them is where none changes', () => {
    expect(text(plan({ changes: [], around: [pool] }))).toMatch(/^✓ 1 fleet to create\n/);
    expect(text(plan({ changes: [], around: [spare] }))).toMatch(/^✓ Nothing changes\.\n/);
  });

  test('that nobody sells machines for are left out of the sum, and it says so', () => {
    const warnings = [{ kind: 'no-offer', service: 'fleet:pool', message: 'no offer', fix: '' }] as const;
    expect(text(plan({ ...shown, warnings }))).toContain('without fleet:pool: no offer');
  });

  test('have names that cannot do harm', () => {
    const evil = { ...pool, name: '[x](https://evil)\u202e' };
    expect(planMarkdown(plan({ around: [evil] }))).not.toContain('](https://evil)');
    expect(text(plan({ around: [evil] }))).toContain('\\u202e');
  });
});

describe('a changed value', () => {
  test('is shown whole where it is short', () => {
    expect(words('a', 'b')).toMatchObject({ mark: { text: '~' }, from: 'a', to: 'b' });
    expect(words(null, 'b')).toMatchObject({ mark: { text: '+' }, from: null, to: 'b' });
    expect(words('a', null)).toMatchObject({ mark: { text: '-' }, from: 'a', to: null });
  });

  test('of a duration has its unit, also inside of what is new', () => {
    const said = (from: FieldChange['from'], to: FieldChange['to'], path: string) =>
      fieldWords({ path, from, to, how: 'route' }, 40);
    expect(said(1, 5400, 'probes[0].interval')).toMatchObject({ from: '1s', to: '1h30m' });
    expect(said(null, 'off', 'max_duration')).toMatchObject({ to: 'off' });
    expect(said(null, { interval: 60, ready_after: 2 }, 'probes[0]')).toMatchObject({
      to: '{"interval":"1m","ready_after":2}',
    });
    expect(said(1, 2, 'replicas')).toMatchObject({ from: '1', to: '2' });
  });

  test('of a field that has a meaning unwritten is said to be that, where it is always the same', () => {
    expect(words('2', null, 'replicas')).toMatchObject({ from: '2', to: '1 (default)' });
    expect(words(null, 'auto', 'spot_policy')).toMatchObject({ from: 'on-demand (default)', to: 'auto' });
    expect(words('2', null, 'rate_limits')).toMatchObject({ from: '2', to: 'not set' });
  });

  test.each(Object.entries(UNWRITTEN))('of %s is %s where nothing is written', (field, value) => {
    const specOf = (lines: string) => {
      const text = `type: service\nname: web\nport: 80\ncommands: [a]\n${lines}`;
      return parseFile({ path: 'web.dstack.yml', text }, { root: null, profiles: null }).spec;
    };
    expect(specOf('')).not.toBeNull();
    expect(specOf(`${field}: ${value}\n`)).toEqual(specOf(''));
  });

  test('is shown around the difference where it is long', () => {
    const command = (tp: number) =>
      `vllm serve model --host 0.0.0.0 --port 8000 --tp ${tp} --max-model-len 32768`;
    expect(words(command(4), command(8))).toMatchObject({
      from: expect.stringMatching(/^….*--tp 4 .*…$/),
      to: expect.stringMatching(/^….*--tp 8 .*…$/),
    });
  });

  test('never takes more room than it has', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (from, to) => {
        const shown = words(from, to);
        for (const value of [shown.from, shown.to]) expect([...(value ?? '')].length).toBeLessThanOrEqual(40);
      }),
    );
  });

  test('that is secret is never shown, only that it changed', () => {
    const shown = words('mask:0123456789abcdef', 'mask:fedcba9876543210', 'env.TOKEN');
    expect(shown.note).toBe('•••• (changed)');
    expect(JSON.stringify(words(null, 'mask:0123456789abcdef'))).not.toContain('mask:');
  });
});

describe('text of a repository', () => {
  test('does not format, link, mention, refer or hide in Markdown', () => {
    const shown = escaped(
      '<b> | `x` **b** _i_ [a](b) ![c](d) @octocat #1 https://e.example www.e.example <!-- x --> $x$',
    );
    expect(shown).not.toMatch(/[<>|`*_[\]$]|@[a-z]|(?<!&)#\d|https:|www\./);
  });

  test('keeps every letter where a browser shows it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), (given) => {
        expect(unescaped(escaped(given))).toBe(given);
      }),
    );
  });

  test('cannot turn the reading direction, nor send anything to the terminal', () => {
    const evil = plan({
      changes: [change({ service: 'a\u202eb\u001b[2Jc', reason: '\u2066\u200bx', fields: [] })],
    });
    for (const shown of [text(evil), text(evil, true), planMarkdown(evil)]) {
      for (const unseen of ['\u202e', '\u2066', '\u200b', '\u001b[2J']) expect(shown).not.toContain(unseen);
      expect(shown).toContain('u202e');
    }
  });
});

describe('Markdown that has to be short', () => {
  const many = plan({
    changes: Array.from({ length: 50 }, (_, index) => change({ service: `web-${index}` })),
    problems: [{ file: 'a.yml', line: 3, column: 1, path: '', message: 'bad', fix: '', severity: 'error' }],
  });

  test('leaves changes out from the end, counts them, and keeps what must be known', () => {
    const short = planMarkdown(many, 2_000);
    expect(Buffer.byteLength(short)).toBeLessThanOrEqual(2_000);
    expect(short).toMatch(/… and \d+ more/);
    expect(short).toContain('50 to update');
    expect(short).toContain('a.yml:3');
    expect(planMarkdown(many)).not.toContain('more, too long');
  });
});

function unescaped(markup: string): string {
  return markup
    .replaceAll('&#8203;', '')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}
