// Status and why: the stored record in words, in the shape the API promises.
import { describe, expect, test } from 'vitest';
import { type Subject, statusOf, whyOf } from '../../reconciler/plan/explain.ts';
import { serviceViewSchema, whySchema } from '../../schemas/api.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { Replica, ServiceStatus } from '../../schemas/rollout.ts';
import { deployment, replica, service, spec, state } from './samples.ts';

const spell = (ms: number) => new Date(ms).toISOString();
const probe = {
  method: 'get',
  url: '/',
  headers: [],
  body: null,
  timeoutMs: 1,
  intervalMs: 1,
  untilReady: false,
} as const;
const web = service('web', {}, { ...spec('web'), probes: [{ ...probe, readyAfter: 2 }] });

function subject(overrides: Partial<Subject> = {}): Subject {
  const record = { service: web, removed: false, problems: [] };
  return { name: 'web', record, state: state(web), url: 'http://x/web/', now: 1000, ...overrides };
}

const problem: Problem = {
  file: 'web.dstack.yml',
  line: 3,
  column: 7,
  path: 'port',
  message: 'port must be a number',
  fix: 'Write a number.',
  severity: 'error',
};

describe('the status of a service', () => {
  test('says what runs, where and at what price', () => {
    const view = statusOf(subject(), spell);
    expect(view).toMatchObject({
      name: 'web',
      status: 'running',
      deployment: 1,
      revision: web.revision,
      desired: 1,
      ready: 1,
      url: 'http://x/web/',
      pricePerHour: 0,
      replicas: [{ name: 'web-0', phase: 'ready', ready: true, backend: 'local', instance: 'local' }],
    });
    expect(serviceViewSchema.parse(view)).toEqual(view);
  });

  test('marks a probe by how far it is', () => {
    const replicas = [0, 1, 2].map((streak, number) =>
      replica(`web-${number}`, { probes: [{ streak, failures: 0, detail: '' }] }),
    );
    const view = statusOf(subject({ state: state(web, { replicas }) }), spell);
    expect(view.replicas.map(({ probes }) => probes[0]?.mark)).toEqual(['×', '~', '✓']);
  });

  test('counts a rollout by the ready replicas of the new deployment', () => {
    const rolling = state(web, {
      deployments: [deployment(web, 1), deployment(web, 2)],
      target: 2,
      status: 'rolling',
      replicas: [replica('web-0'), replica('web-1', { deployment: 2, phase: 'probing' })],
      rollout: {
        from: 1,
        to: 2,
        commit: web.commit,
        startedAt: 0,
        endedAt: null,
        outcome: 'rolling',
        reason: '',
        exits: 0,
        unready: 0,
      },
    });
    const view = statusOf(subject({ state: rolling }), spell);
    expect(view.rollout).toMatchObject({
      from: 1,
      to: 2,
      ready: 0,
      desired: 1,
      startedAt: '1970-01-01T00:00:00.000Z',
    });
    expect(serviceViewSchema.parse(view)).toEqual(view);
  });

  test('a service that never parsed is invalid and waits for its file', () => {
    const broken = subject({ record: { service: null, removed: false, problems: [problem] }, state: null });
    expect(statusOf(broken, spell)).toMatchObject({
      status: 'invalid',
      deployment: null,
      desired: 0,
      waiting: [{ reason: 'problem' }],
      problems: [problem],
    });
  });

  test('a service whose file is gone wants nothing', () => {
    const removed = subject({ record: { service: null, removed: true, problems: [] }, state: null });
    expect(statusOf(removed, spell)).toMatchObject({ status: 'removing', desired: 0 });
    expect(statusOf(subject({ record: null, state: state(web) }), spell).desired).toBe(0);
  });
});

describe('why', () => {
  test('a converged service waits for nothing', () => {
    expect(whyOf(subject(), spell)).toMatchObject({
      status: 'running',
      waiting: [],
      next: expect.stringContaining('Nothing'),
    });
  });

  test('puts what a person can act on first, and shows the failure behind it', () => {
    const failed = state(web, {
      status: 'degraded',
      waiting: [
        { reason: 'drain', subject: 'web-1', since: 0, until: 500, detail: 'requests in flight finish' },
        { reason: 'quarantine', subject: '', since: 0, until: 900, detail: 'three exits before ready' },
      ],
      quarantine: { digest: web.digest, until: 900, reason: 'three exits before ready' },
      failures: [{ replica: 'web-2', deployment: 2, at: 7, reason: 'exited with 1', log: ['boom'] }],
    });
    const why = whyOf(subject({ state: failed }), spell);
    expect(why.next).toMatch(/^Push a fix/);
    expect(why.failure).toMatchObject({ replica: 'web-2', time: '1970-01-01T00:00:00.007Z', log: ['boom'] });
    expect(whySchema.parse(why)).toEqual(why);
  });

  test('says nothing of a quarantine once the file asks for something else: the next pass lifts it', () => {
    const waiting = {
      reason: 'quarantine',
      subject: '',
      since: 0,
      until: 900,
      detail: 'three exits',
    } as const;
    const failed = state(web, {
      status: 'degraded',
      waiting: [waiting],
      quarantine: { digest: 'another', until: 900, reason: 'three exits' },
    });
    expect(whyOf(subject({ state: failed }), spell).waiting).toEqual([]);
    expect(statusOf(subject({ state: failed }), spell).waiting).toBeUndefined();
    const gone = { service: null, removed: false, problems: [problem] };
    expect(whyOf(subject({ state: failed, record: gone }), spell).waiting).toHaveLength(1);
  });

  test('shows no failure of an earlier rollout, or where something else is the matter', () => {
    const failures = [{ replica: 'web-2', deployment: 2, at: 7, reason: 'exited with 1', log: ['boom'] }];
    const rollout = { from: 1, to: 3, commit: '', endedAt: null, outcome: 'rolling', reason: '' } as const;
    const shown = (startedAt: number, status: ServiceStatus) => {
      const more = { status, failures, rollout: { ...rollout, startedAt, exits: 0, unready: 0 } };
      return whyOf(subject({ state: state(web, more) }), spell).failure?.replica;
    };
    expect(shown(7, 'rolling')).toBe('web-2');
    expect(shown(8, 'rolling')).toBeUndefined();
    expect(shown(7, 'invalid')).toBeUndefined();
  });

  test.each<[string, Partial<Replica>, RegExp]>([
    ['is not ready yet', { phase: 'probing' }, /^Once every probe has passed often enough/],
    ['is watched', {}, /^Once it has held out for so long/],
    ['tries new probes', { trial: { deployment: 2, probes: [], stageMs: 0 } }, /^Once the new probes have/],
    ['was ready before', { phase: 'unready' }, /^Once its probes pass again/],
    ['waits to leave', { leaving: 'replaced' }, /^Once another replica serves in its place/],
  ])('says what comes next for a replica that %s', (_, overrides, next) => {
    const waiting = [{ reason: 'ready', subject: 'web-0', since: 0, until: null, detail: '' }] as const;
    const seen = subject({ state: state(web, { waiting, replicas: [replica('web-0', overrides)] }) });
    expect(whyOf(seen, spell).next).toMatch(next);
  });
});
