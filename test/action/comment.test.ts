// The comment as people see it. `TRUEUP_UPDATE=1` writes the golden ones; read them before they are committed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMENT_BYTES, parseMarker, renderComment } from '../../action/comment.ts';
import { lifeSentence } from '../../action/life.ts';
import type { CommentView, Life } from '../../action/view.ts';
import { planSchema } from '../../schemas/plan.ts';
import { create, GPU_OFFERS, group, HEAD, keep, plan, price, remove, update, view } from './comment-views.ts';

const GOLDEN = join(import.meta.dirname, '../golden/comments');

const kept = { id: 'p-7f3a2c', expires: '2026-06-08T12:00:00Z' };
const listed = { source: 'catalog', date: '2026-06-01' } as const;

const qwen = create('qwen', {
  reason: 'models/qwen.dstack.yml is new',
  groups: [group(1, 4, { offers: GPU_OFFERS, totalOffers: 7 })],
  price: price(0, 2.99, 2.99, 11.96),
});

const scaled = update('web', {
  how: ['scale'],
  reason: 'replicas changed',
  fields: [{ path: 'replicas', from: 2, to: 4, how: 'scale' }],
  groups: [group(4)],
  price: price(0.134, 0.268),
});

const reworked = update('docs', {
  how: ['route', 'replace'],
  fields: [
    {
      path: 'commands[0]',
      from: 'python serve.py --workers 2',
      to: 'python serve.py --workers 8',
      how: 'replace',
    },
    { path: 'env.API_KEY', from: 'mask:0123456789abcdef', to: 'mask:fedcba9876543210', how: 'replace' },
    { path: 'env.LOG_LEVEL', from: null, to: 'debug', how: 'replace' },
    { path: 'rate_limits', from: [{ prefix: '/', rps: 10 }], to: null, how: 'route' },
  ],
});

const removed = {
  kind: 'deletes',
  service: 'embed',
  message: 'it is removed, because its file is gone: 2 replicas end',
  fix: 'Put its file back to keep it.',
} as const;

const cannotSurge = {
  kind: 'cannot-surge',
  service: 'docs',
  message:
    'one instance at a time can hold the volume `data`, so the rollout waits; it needs downtime of about 40 s',
  fix: 'Set `unavailable: 1` for it in trueup.yml, or give it somewhere else to run.',
} as const;

const problem = {
  file: 'api.dstack.yml',
  line: 4,
  column: 7,
  path: 'port',
  message: '`eighty` is not a port',
  fix: 'Write `8000` or `80:8000`.',
  severity: 'error',
} as const;

const mixed = plan(
  [
    keep('api', 'its file does not parse: the last good deployment stays'),
    reworked,
    remove('embed'),
    keep('mail'),
    keep('search'),
    qwen,
    scaled,
  ],
  { ...kept, warnings: [removed, cannotSurge], problems: [problem] },
);
const rolling = plan([scaled, reworked, qwen, keep('mail')], kept);

const views: { readonly [name: string]: CommentView } = {
  create: view(plan([qwen], { base: null, ...kept })),
  'update-one': view(
    plan([update('web', { groups: [group(2)], price: price(0.134, 0.134, 0.201) }), keep('api')], kept),
  ),
  'update-mixed': view(mixed),
  delete: view(
    plan([remove('embed'), remove('old-api', { price: price(0.067, 0) }), keep('web')], {
      ...kept,
      warnings: [
        {
          kind: 'deletes',
          service: '',
          message: '2 services are removed, because their files are gone: embed, old-api; 3 replicas end',
          fix: 'Put the files back of those to keep.',
        },
      ],
    }),
  ),
  'over-budget': view(
    plan([{ ...qwen, hold: { reason: 'budget', detail: 'over it', until: null } }, keep('web')], {
      ...kept,
      warnings: [
        {
          kind: 'over-budget',
          service: 'qwen',
          message: 'all services together: $12.03/h wanted, $5.00/h allowed, $0.07/h now',
          fix: 'Make it cheaper, or raise `budget` in trueup.yml in a commit of its own',
        },
      ],
    }),
  ),
  'no-offer': view(
    plan(
      [
        create('qwen', {
          groups: [
            group(1, 1, {
              offers: [],
              totalOffers: 0,
              pricePerReplica: null,
              excluded: [{ requirement: 'regions', rows: 4, nearest: 'US-KS-2' }],
            }),
          ],
          price: price(0, 0),
        }),
        keep('web'),
      ],
      {
        warnings: [
          {
            kind: 'no-offer',
            service: 'qwen',
            message: 'no offer matches; 4 offers would without `regions`',
            fix: 'This would do: `regions` US-KS-2.',
          },
        ],
        failures: [{ backend: 'lambda', message: 'no answer within 10 s' }],
      },
    ),
  ),
  offline: view(plan([reworked, qwen], { prices: listed }), {
    path: 'services',
    notes: [
      'Planned against the base branch, as a fork has no access to the server: what runs now is not known.',
      'Secrets are taken to be there, and unchanged.',
    ],
  }),
  deploying: view(rolling, {
    project: 'staging',
    path: 'deploy/eu',
    life: { kind: 'deploying', done: 2, of: 3, service: 'web' },
  }),
  deployed: view(rolling, { environment: 'production', life: { kind: 'deployed', seconds: 200 } }),
  failed: view(rolling, {
    life: {
      kind: 'failed',
      service: 'docs',
      reason: 'docs-7 ended with exit status 1 before it was ready',
      log: [
        'starting with 8 workers',
        'loading 10 %\rloading 55 %\rloading 100 %',
        '\u001b[31mTraceback (most recent call last):\u001b[0m',
        '  File "/app/serve.py", line 12, in <module>',
        "KeyError: 'API_KEY' <!-- trueup {} --> @octocat",
      ],
    },
  }),
  'failed-unseen': view(rolling, {
    showLogs: false,
    life: { kind: 'failed', service: 'docs', reason: 'docs-7 ended before it was ready', log: ['secret'] },
  }),
  'refused-stale': view(rolling, {
    life: {
      kind: 'refused',
      refusal: 'stale',
      detail: 'it would do something else with docs, web than the plan says',
      fix: 'Plan the commit anew, read the plan, and apply that.',
      difference: [
        { service: 'docs', was: 'update (replace): image "a:1" → "a:2"', is: 'keep' },
        { service: 'web', was: 'update (scale): replicas 2 → 4', is: 'update (scale): replicas 3 → 4' },
      ],
    },
  }),
  'refused-dearer': view(rolling, {
    life: {
      kind: 'refused',
      refusal: 'dearer',
      detail: 'it costs more than the plan and 5 % say: steady $3.33 → $4.12 per hour',
      fix: 'Plan the commit anew, read the plan, and apply that. Or apply it with a greater tolerance.',
      difference: [],
    },
  }),
  'thousand-services': view(
    plan(
      Array.from({ length: 1000 }, (_, index) =>
        index % 100 === 7 ? remove(`svc-${index}`) : update(`svc-${index}`),
      ),
      {
        ...kept,
        warnings: [
          {
            kind: 'deletes',
            service: '',
            message:
              '10 services are removed, because their files are gone: svc-107, svc-207, svc-307, svc-407, svc-507, svc-607, svc-7, svc-707, svc-807, svc-907; 20 replicas end',
            fix: 'Put the files back of those to keep.',
          },
        ],
      },
    ),
  ),
  nothing: view(plan([keep('api'), keep('web')])),
  fleets: view(
    plan([update('web', { price: price(2.99, 2.99, 5.98) }), keep('api')], {
      ...kept,
      around: [
        {
          kind: 'fleet',
          name: 'gpu-pool',
          change: 'update',
          text: '3 machines are kept (now 1); at most 6 at once (now 3); idle ones stay for 10m (now 5m)',
          price: price(0, 5.98, 5.98, 2.99),
        },
        { kind: 'fleet', name: 'spare', change: 'keep', text: 'unchanged', price: price(1, 1) },
        {
          kind: 'volume',
          name: 'models',
          change: 'keep',
          text: 'its file is gone; the volume stays, with what is on it: only a person deletes it, where it is',
        },
        { kind: 'volume', name: 'data', change: 'create', text: '500 GB in aws (us-east-1)' },
      ],
      price: { now: 4.057, steady: 10.037, steadyMax: 10.037, peak: 13.027 },
    }),
  ),
};

describe.each(Object.entries(views))('the comment: %s', (name, shown) => {
  const body = renderComment(shown);

  test('is as its file says', () => {
    const path = join(GOLDEN, `${name}.md`);
    if (process.env.TRUEUP_UPDATE) writeFileSync(path, body);
    expect(body).toBe(readFileSync(path, 'utf8'));
  });

  test('is of a plan as the server makes them, names itself, and fits', () => {
    expect(planSchema.parse(shown.plan)).toEqual(shown.plan);
    const { project, path, at, plan: of } = shown;
    expect(parseMarker(body)).toEqual({ project, path, at, head: HEAD, digest: of.digest });
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(COMMENT_BYTES);
  });
});

describe('how far it has come, in a sentence', () => {
  const refused = { kind: 'refused', detail: 'it differs', fix: 'Plan anew.', difference: [] } as const;
  const cases: readonly (readonly [sentence: string, life: Life])[] = [
    ['planned: nothing changes before this is merged.', { kind: 'planned' }],
    ['merged: commit bebebebe is deployed next.', { kind: 'merged', commit: HEAD }],
    ['waiting: no window is open.', { kind: 'waiting', reason: 'no window is open' }],
    [
      'deploying: 2 of 4 services done; web moved last.',
      { kind: 'deploying', done: 2, of: 4, service: 'web' },
    ],
    ['deploying: 0 of 1 service done.', { kind: 'deploying', done: 0, of: 1 }],
    ['deployed: all of it, in 45 s.', { kind: 'deployed', seconds: 45 }],
    ['deployed: all of it, in 3 min 20 s.', { kind: 'deployed', seconds: 200 }],
    ['deployed: all of it, in 1 h 5 min.', { kind: 'deployed', seconds: 3_900 }],
    ['refused: it differs.', { ...refused, refusal: 'stale' }],
    ['failed: web: it ended.', { kind: 'failed', service: 'web', reason: 'it ended', log: [] }],
    ['failed: no answer.', { kind: 'failed', service: '', reason: 'no answer.', log: [] }],
    ['superseded: commit bebebebe took its place and is deployed instead.', { kind: 'superseded', by: HEAD }],
    ['cancelled: only the job that followed it was cancelled; the rollout goes on.', { kind: 'cancelled' }],
    ['withdrawn: the job was cancelled before it had anything deployed.', { kind: 'withdrawn' }],
  ];

  test.each(cases)('%s', (sentence, life) => {
    expect(lifeSentence(life)).toBe(sentence);
  });

  test('names the environment where there is one', () => {
    expect(lifeSentence({ kind: 'deployed', seconds: 60 }, 'production')).toBe(
      'deployed: all of it to production, in 1 min.',
    );
  });

  test('does not say that nothing was deployed where something may have been', () => {
    const body = (refusal: 'stale' | 'not-gated') =>
      renderComment(view(rolling, { life: { ...refused, refusal } }));
    expect(body('stale')).toContain('Nothing of it was deployed.');
    expect(body('not-gated')).not.toContain('Nothing of it was deployed.');
  });
});

describe('the verdict', () => {
  const hold = { reason: 'budget', detail: 'too much', until: null } as const;
  const lost = { kind: 'failed', service: 'web', reason: 'it ended', log: [] } as const;
  const one = plan([update('web')]);

  test.each([
    ['✓', view(one)],
    ['✓', view(one, { life: { kind: 'deployed', seconds: 1 } })],
    ['⚠', view(plan([remove('web')]))],
    ['⚠', view({ ...one, warnings: [cannotSurge] })],
    ['✗', view({ ...one, warnings: [{ ...cannotSurge, kind: 'over-budget' }] })],
    ['✗', view({ ...one, warnings: [{ ...cannotSurge, kind: 'no-offer' }] })],
    ['✗', view(plan([update('web', { hold })]))],
    ['✗', view({ ...one, problems: [problem] })],
    ['✗', view(one, { life: lost })],
  ])('%s', (mark, shown) => {
    expect(renderComment(shown)).toContain(`\n#### ${mark} trueup: `);
  });
});
