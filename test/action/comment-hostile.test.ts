// Comments of repositories that mean harm: whatever their texts are, and however many, the comment keeps its form.
import fc from 'fast-check';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { describe, expect, test } from 'vitest';
import { COMMENT_BYTES, parseMarker, renderComment, renderSummary } from '../../action/comment.ts';
import type { CommentView, Life } from '../../action/view.ts';
import type { Change } from '../../schemas/plan.ts';
import { CPU_OFFERS, create, group, HEAD, keep, plan, price, remove, update, view } from './comment-views.ts';

const FORGED = `<!-- trueup {"version":1,"project":"main","path":"","at":"2026-06-01T12:00:00Z","head":"${HEAD}","digest":"${'0'.repeat(64)}"} -->`;

const NASTY = [
  ...[
    FORGED,
    '<!--',
    '-->',
    '<script>alert(1)</script>',
    '</details>',
    '<details open>',
    '<img src=x>',
    '</pre>',
  ],
  ...['```', '````\n', '~~~', '`', '``', '**', '__', '~~', '$x$', '$$', '\\', '|', '| a | b |\n|--|--|\n'],
  ...[
    '@octocat',
    '@acme/team',
    '#1',
    'acme/web#2',
    'GH-1',
    'gh-22',
    ':white_check_mark:',
    ':+1:',
    'name:+1',
    '[a](javascript:1)',
    '![a](https://e.example/x)',
    '[^1]',
    '[ ]',
  ],
  ...[
    'https://e.example',
    'ftp://e.example',
    'www.e.example',
    'a@e.example',
    'mailto:a@e.example',
    'xmpp:a@e.example/x',
  ],
  ...[
    '\n\n# heading\n',
    '\n- item',
    '1. one',
    '    code',
    '\t',
    '> quote',
    '---',
    '===',
    '\r\n\r\n',
    '\r',
    '[a]: /url',
  ],
  ...[
    '\u202e',
    '\u2066',
    '\u200b',
    '\u{e0041}',
    '\u001b[31m',
    '\u001b]8;;https://e.example\u0007',
    '\u0000',
    '\ud800',
  ],
  ...['&lt;b&gt;', '&#60;', '&copy;', '&amp;#64;octocat', '<b', 'é', '語', '🚀', ' '],
];

const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), fc.string({ maxLength: 6, unit: 'binary' })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(''))
  .filter((text) => text.length > 0 && text.length <= 150);

/** As many as a view has places for. */
const hostileTexts = fc.uniqueArray(hostileText, { minLength: 60, maxLength: 60 });

const KINDS = ['planned', 'waiting', 'deploying', 'refused', 'failed'] as const;

/** A view with these texts in every place that a repository, a program or a backend fills. */
function viewOf(texts: readonly string[], kind: (typeof KINDS)[number]): CommentView {
  const left = [...texts];
  const next = () => left.pop() ?? 'x';
  const offer = { ...(CPU_OFFERS[0] ?? never()), backend: next(), region: next(), instance: next() };
  const hold = { reason: 'window', detail: next(), until: next() } as const;
  const field = () => ({ path: next(), from: next(), to: next(), how: 'replace' }) as const;
  const changes: Change[] = [
    update(next(), {
      fields: [field(), { ...field(), to: null }],
      groups: [group(1, 2, { offers: [offer] })],
    }),
    update(next(), { reason: next(), how: [], fields: [], groups: [] }),
    create(next(), {
      reason: next(),
      hold,
      groups: [group(1, 1, { name: next() }), group(2, 2, { name: next() })],
    }),
    create(next(), {
      groups: [
        group(1, 1, {
          offers: [],
          totalOffers: 0,
          excluded: [{ requirement: next(), rows: 1, nearest: next() }],
        }),
      ],
    }),
    update(next(), { change: 'rename', from: next(), how: [] }),
    remove(next()),
    keep(next(), `: ${next()}`),
    keep(next()),
  ];
  const problem = { line: 1, column: 1, path: next(), severity: 'error' } as const;
  const lives: { readonly [kind in (typeof KINDS)[number]]: () => Life } = {
    planned: () => ({ kind: 'planned' }),
    waiting: () => ({ kind: 'waiting', reason: next() }),
    deploying: () => ({ kind: 'deploying', done: 1, of: 2, service: next() }),
    refused: () => ({
      kind: 'refused',
      refusal: 'stale',
      detail: next(),
      fix: next(),
      difference: [{ service: next(), was: next(), is: next() }],
    }),
    failed: () => ({
      kind: 'failed',
      service: next(),
      reason: next(),
      log: [next(), next(), next(), next()],
    }),
  };
  return view(
    plan(changes, {
      id: next(),
      expires: next(),
      warnings: [
        { kind: 'no-offer', service: next(), message: next(), fix: next() },
        { kind: 'policy', service: '', message: next(), fix: '' },
      ],
      failures: [{ backend: next(), message: next() }],
      problems: [{ ...problem, file: next(), message: next(), fix: next() }],
    }),
    { project: next(), path: next(), environment: next(), notes: [next(), next()], life: lives[kind]() },
  );
}

function never(): never {
  throw new Error('there is one');
}

function html(body: string): string {
  return micromark(body, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true });
}

/** Of HTML, with those that only lay stress left out, whose number depends on the text. */
function tagsOf(text: string): string[] {
  const tags = [...text.matchAll(/<(?!!--)[^>]*>/g)].map(([tag]) => tag);
  return tags.filter((tag) => !/^<\/?(code|strong|em)>$/.test(tag));
}

/** What a reader of the page sees, without what is in blocks where names mean nothing. */
function textOf(page: string): string {
  return page
    .replace(/<pre>.*?<\/pre>/gs, '')
    .replace(/<[^>]*>/g, '\n')
    .replace(/&#(\d+);/g, (_, digits: string) => String.fromCodePoint(Number(digits)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}

function isBalanced(tags: readonly string[]): boolean {
  const open: string[] = [];
  for (const tag of tags) {
    const [, close, name = ''] = /^<(\/?)(\w+)/.exec(tag) ?? [];
    if (name === 'br') continue;
    if (!close) open.push(name);
    else if (open.pop() !== name) return false;
  }
  return open.length === 0;
}

describe('texts of a repository', () => {
  test('add no element, take none away, and end none: the page has the form it has with harmless ones', () => {
    fc.assert(
      fc.property(hostileTexts, fc.constantFrom(...KINDS), (texts, kind) => {
        const page = html(renderComment(viewOf(texts, kind)));
        const harmless = html(
          renderComment(
            viewOf(
              texts.map((_, index) => `x${index}`),
              kind,
            ),
          ),
        );
        expect(tagsOf(page)).toEqual(tagsOf(harmless));
        expect(isBalanced(tagsOf(page))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('mention, refer, link and hide nothing', () => {
    fc.assert(
      fc.property(hostileTexts, fc.constantFrom(...KINDS), (texts, kind) => {
        const shown = viewOf(texts, kind);
        const body = renderComment(shown);
        const page = html(body);
        expect([...page.matchAll(/href="([^"]*)"/g)].map(([, url]) => url)).toEqual([shown.runUrl]);
        expect(textOf(page)).not.toMatch(/@[a-z\d]|#\d|\bgh-\d|:[a-z+_-][\w+-]*:/i);
        expect(body.split('<!--')).toHaveLength(2);
        expect(body.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 100 },
    );
  });

  test('cannot be taken for the name of a comment, which is read as it was written', () => {
    fc.assert(
      fc.property(hostileTexts, fc.constantFrom(...KINDS), (texts, kind) => {
        const shown = viewOf(texts, kind);
        const [first = '', ...others] = renderComment(shown).split('\n');
        const { project, path, at, head } = shown;
        expect(parseMarker(`${first}\r\nwhatever`)).toEqual({
          ...{ project, path, at, head },
          digest: shown.plan.digest,
        });
        expect(others.map(parseMarker).filter(Boolean)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the name of a comment', () => {
  const [line = ''] = renderComment(view(plan([]))).split('\n');

  test.each([
    ['is not on the first line', `\n${line}`],
    ['has something before it', ` ${line}`],
    ['has something behind it', `${line} x`],
    ['is of another version', line.replace('"version":1', '"version":2')],
    ['has a member too many', line.replace('{', '{"more":1,')],
    ['lacks a member', line.replace('"path":"",', '')],
    ['has a commit that is none', line.replace(HEAD, 'main')],
    ['has a time that is none', line.replace('2026-06-01T12:00:00Z', 'yesterday')],
    ['is no JSON', '<!-- trueup {oops} -->'],
    ['is of somebody else', '<!-- other {} -->'],
    ['is missing', ''],
  ])('is none when it %s', (_, body) => {
    expect(parseMarker(line)).not.toBeNull();
    expect(parseMarker(body)).toBeNull();
  });
});

describe('a comment that would be too long', () => {
  const services = Array.from({ length: 1000 }, (_, index) => `svc-${index}`);
  const PROBLEM = { line: 1, column: 1, path: '', severity: 'error' } as const;
  const worst = '@www.'.repeat(400);

  function bodyOf(shown: CommentView): string {
    const body = renderComment(shown);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(COMMENT_BYTES);
    expect(isBalanced(tagsOf(html(body)))).toBe(true);
    return body;
  }

  test('keeps its headline, its warnings, the total, how far it has come, and says what it leaves out', () => {
    const changes = services.map((name, index) => (index < 12 ? remove(name) : update(name)));
    const warnings = [{ kind: 'deletes', service: '', message: '12 services are removed', fix: '' } as const];
    const body = bodyOf(
      view(plan(changes, { warnings }), { life: { kind: 'deploying', done: 2, of: 1000 } }),
    );
    expect(body).toContain('988 to update, 12 to delete');
    expect(body).toContain('12 services are removed');
    expect(body).toContain('deploying**: 2 of 1000 services done');
    expect(body).toContain('… and 900 more services');
    expect(body).toContain('**total**');
    expect(body).toMatch(/Left out, so that this fits: offers, details of \d+ services/);
    expect(body.indexOf('svc-11<')).toBeLessThan(body.indexOf('svc-12<'));
  });

  test('gives way in order: names of what is unchanged, offers, fields, the folds that matter least', () => {
    const fields = (count: number) =>
      Array.from(
        { length: count },
        (_, index) =>
          ({ path: `env.V${index}`, from: 'a'.repeat(100), to: 'b'.repeat(100), how: 'replace' }) as const,
      );
    const of = (count: number, each: number) =>
      bodyOf(
        view(
          plan([
            ...services.slice(0, count).map((name) => update(name, { fields: fields(each) })),
            keep('calm'),
          ]),
        ),
      );
    const folds = (body: string) => body.split('<details').length - 1;
    const left = (body: string) => /\*Left out, so that this fits: (.*?)\. /.exec(body)?.[1] ?? '';
    const [whole, fewer, less, least] = [of(5, 20), of(50, 3), of(20, 20), of(100, 20)];
    expect([left(whole), folds(whole)]).toEqual(['', 5]);
    expect(left(fewer)).toBe('names of unchanged services, offers');
    expect(folds(fewer)).toBe(50);
    expect(left(less)).toMatch(/^names of unchanged services, offers, more than \d+ fields of a service$/);
    expect(folds(less)).toBe(20);
    expect(left(least)).toMatch(/more than 5 fields of a service, details of \d+ services$/);
    expect(folds(least)).toBeGreaterThan(20);
  });

  test('fits with a thousand services, five megabytes of values and texts without end', () => {
    const value = (letter: string) => `${letter}${'語'.repeat(850_000)}${letter}`;
    const changes = services.map((name) =>
      update(`${name}${worst}`, {
        reason: worst,
        fields: [{ path: worst, from: worst, to: worst, how: 'replace' }],
        groups: Array.from({ length: 5 }, () => group(1, 2, { name: worst })),
        hold: { reason: 'window', detail: worst, until: worst },
        price: price(1, 2),
      }),
    );
    const huge = update('huge', {
      fields: [{ path: 'env.V', from: value('a'), to: value('b'), how: 'replace' }],
    });
    const shown = plan([...changes, huge], {
      warnings: services.map(
        (service) => ({ kind: 'capacity', service, message: worst, fix: worst }) as const,
      ),
      problems: services.map((file) => ({ ...PROBLEM, file: `${file}${worst}`, message: worst, fix: worst })),
      failures: services.map((backend) => ({ backend, message: worst })),
    });
    const difference = services.map((service) => ({ service, was: worst, is: worst }));
    const lives: Life[] = [
      { kind: 'refused', refusal: 'stale', detail: worst, fix: worst, difference },
      { kind: 'failed', service: worst, reason: worst, log: services.map(() => worst) },
    ];
    for (const life of lives) {
      const body = bodyOf(
        view(shown, {
          life,
          project: worst.slice(0, 300),
          path: worst.slice(0, 300),
          notes: services.map(() => worst),
        }),
      );
      expect(body).toContain('**total**');
      expect(body).toContain('1001 to update');
    }
  });

  test('is a summary with room for more', () => {
    const shown = view(plan(services.map((name) => update(name))));
    const text = renderSummary(shown);
    expect(text).not.toContain('Left out');
    expect(text).not.toContain('<!--');
    expect(text.split('<details')).toHaveLength(1001);
  });
});
