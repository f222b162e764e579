// How far a commit has come, told from what the server says of it.
import { describe, expect, test } from 'vitest';
import { progressOf } from '../../action/progress.ts';
import {
  type EventView,
  eventSchema,
  type ServiceView,
  type Status,
  statusSchema,
} from '../../schemas/api.ts';

const COMMIT = 'c'.repeat(40);
const NEWER = 'd'.repeat(40);
const TIME = '2026-01-05T09:00:00.000Z';

function view(more: Partial<ServiceView> = {}): ServiceView {
  const rest = { deployment: 1, revision: 'aaaa', asked: 'aaaa', desired: 1, ready: 1, url: '', models: [] };
  return { name: 'web', status: 'running', ...rest, pricePerHour: 0, replicas: [], problems: [], ...more };
}

function rollout(outcome: 'rolling' | 'done' | 'failed' | 'superseded', commit = COMMIT) {
  const at = { startedAt: TIME, endedAt: null };
  return { from: 1, to: 2, commit, outcome, reason: 'why', ...at, ready: 0, desired: 1 };
}

function event(name: string, service = 'web', commit = COMMIT): EventView {
  return eventSchema.parse({ time: TIME, seq: 1, project: 'main', service, event: name, reason: '', commit });
}

function progress(
  services: readonly ServiceView[],
  events: readonly EventView[],
  more: Partial<Status> & { readonly isApproved?: boolean } = {},
) {
  const { isApproved = false, ...rest } = more;
  const whole = {
    project: 'main',
    commit: COMMIT,
    services,
    problems: [],
    sourceFailure: null,
    held: [],
    others: [],
    ...rest,
  };
  return progressOf({ commit: COMMIT, events, status: statusSchema.parse(whole), isApproved });
}

const kinds = (...args: Parameters<typeof progress>) => {
  const found = progress(...args);
  return found.kind === 'read' ? found.services.map(({ service, kind }) => [service, kind]) : found.kind;
};

const READ = event('commit', '');
const wait = (reason: string) => ({
  waiting: [{ reason, subject: '', since: TIME, until: null, detail: `by ${reason}` }],
});

describe('a commit', () => {
  test('is unread until the server says so, and why', () => {
    expect(progress([], [], { commit: NEWER })).toEqual({ kind: 'unread', detail: '' });
    const sourceFailure = { message: 'cannot fetch', since: TIME };
    expect(progress([], [], { commit: null, sourceFailure })).toEqual({
      kind: 'unread',
      detail: 'cannot fetch',
    });
  });

  test('that touches nothing is done', () => {
    expect(kinds([view({ rollout: rollout('done', 'a'.repeat(40)) })], [READ])).toEqual([]);
  });

  test.each([
    ['rolling', 'moving'],
    ['done', 'done'],
    ['failed', 'failed'],
    ['superseded', 'superseded'],
  ] as const)('whose rollout is %s is %s', (outcome, kind) => {
    expect(kinds([view({ rollout: rollout(outcome) })], [READ, event('desired')])).toEqual([['web', kind]]);
  });

  test('is moving until its service has begun, and done when what it asks for runs already', () => {
    const old = rollout('done', 'a'.repeat(40));
    expect(kinds([view({ asked: 'bbbb', rollout: old })], [READ, event('desired')])).toEqual([
      ['web', 'moving'],
    ]);
    expect(kinds([view({ rollout: old })], [READ, event('desired')])).toEqual([['web', 'done']]);
  });

  test('is moving while it waits for an approval that is given, and held before', () => {
    const old = rollout('done', 'a'.repeat(40));
    const pending = [READ, event('pending')];
    expect(kinds([view({ rollout: old, ...wait('approval') })], pending)).toEqual([['web', 'held']]);
    expect(kinds([view({ rollout: old, ...wait('approval') })], pending, { isApproved: true })).toEqual([
      ['web', 'moving'],
    ]);
    expect(kinds([view({ rollout: old })], pending, { isApproved: true })).toEqual([['web', 'moving']]);
    expect(kinds([view({ rollout: old })], [...pending, event('admitted', 'web', NEWER)])).toEqual([
      ['web', 'done'],
    ]);
  });

  test.each(['window', 'budget', 'deletion-budget', 'suspended'])('that waits for a %s is held', (reason) => {
    const held = view({ asked: 'bbbb', ...wait(reason) });
    expect(progress([held], [READ, event('pending')], { isApproved: true })).toEqual({
      kind: 'read',
      services: [{ service: 'web', kind: 'held', detail: `by ${reason}` }],
    });
  });

  test('of a commit that has just been approved is not judged before that is applied', () => {
    const events = [READ, event('pending', ''), event('approved', '')];
    expect(kinds([view()], events, { isApproved: true })).toBe('unread');
    expect(kinds([view()], [...events, event('admitted', '')], { isApproved: true })).toEqual([]);
    expect(kinds([view()], events, { isApproved: true, commit: NEWER })).toEqual([]);
  });

  test('that has just been approved has not failed because what was there before did', () => {
    const quarantined = view({ asked: 'bbbb', ...wait('quarantine') });
    const seen = progress([quarantined], [READ, event('pending')], { isApproved: true });
    expect(seen).toMatchObject({ services: [{ kind: 'moving' }] });
    expect(kinds([quarantined], [READ, event('pending'), event('admitted')])).toEqual([['web', 'failed']]);
  });

  test('of a quarantined revision has failed, and so has one with a problem', () => {
    expect(kinds([view({ asked: 'bbbb', ...wait('quarantine') })], [READ, event('desired')])).toEqual([
      ['web', 'failed'],
    ]);
    const problem = {
      file: 'web.dstack.yml',
      line: 4,
      column: 1,
      path: '',
      message: 'no',
      fix: '',
      severity: 'error',
    } as const;
    expect(progress([view({ problems: [problem] })], [READ, event('invalid')])).toMatchObject({
      services: [{ kind: 'failed', detail: 'web.dstack.yml:4: no' }],
    });
  });

  test('of a first deployment that fails again and again has failed', () => {
    const crashing = view({ status: 'failed', rollout: rollout('rolling'), ...wait('backoff') });
    expect(kinds([crashing], [READ, event('desired')])).toEqual([['web', 'failed']]);
  });

  test('removes a service: it is moving until that is gone', () => {
    expect(kinds([view({ status: 'removing', asked: null })], [READ, event('removed')])).toEqual([
      ['web', 'moving'],
    ]);
    expect(kinds([], [READ, event('removed')])).toEqual([['web', 'done']]);
  });

  test('removes more than it may: those services are held', () => {
    const held = ['web', 'db'];
    expect(kinds([view()], [READ, event('deletions-held', '')], { held })).toEqual([
      ['web', 'held'],
      ['db', 'held'],
    ]);
  });

  test('goes on under a newer one that touches something else, and is superseded by one that does not', () => {
    const events = [READ, event('desired'), event('commit', '', NEWER)];
    expect(kinds([view({ rollout: rollout('rolling') })], events, { commit: NEWER })).toEqual([
      ['web', 'moving'],
    ]);
    expect(progress([view({ rollout: rollout('rolling', NEWER) })], events, { commit: NEWER })).toMatchObject(
      {
        services: [{ kind: 'superseded', by: NEWER }],
      },
    );
  });
});
