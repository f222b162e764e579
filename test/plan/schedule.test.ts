import { describe, expect, test } from 'vitest';
import { whyOf } from '../../reconciler/plan/explain.ts';
import { keepTerm } from '../../reconciler/plan/schedule.ts';
import type { ServiceSpec } from '../../schemas/desired.ts';
import { type Drive, drive, START } from './drive.ts';
import { group, replica, service, state } from './samples.ts';

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(`2026-01-${text}Z`);
/** From the first of January, a Thursday, at midnight. */
const EIGHT = { cron: ['0 8 * * mon-fri'] };

function job(fields: Partial<ServiceSpec>, version = 'one') {
  return service(
    'job',
    { commands: [version], life: JSON.stringify(fields) },
    { groups: [group({}, { commands: [version] })], ...fields },
  );
}

const kinds = ({ events }: Drive) =>
  events
    .filter((text) => /^(started|stopped|status)/.test(text))
    .map((text) => text.replace(/^status .* → /, ''));

function why(driven: Drive) {
  const state = driven.state();
  const record = { service: job({}), removed: false, problems: [] };
  return whyOf({ name: 'job', record, state, url: '', now: driven.now() }, (ms) =>
    new Date(ms).toISOString(),
  );
}

describe('a service with a schedule', () => {
  test('is not started by its commit, and says what it waits for', () => {
    const driven = drive(job({ schedule: EIGHT, maxDurationMs: 9 * HOUR }));
    driven.pass(7 * HOUR);
    expect(driven.state()).toMatchObject({ status: 'scheduled', replicas: [] });
    expect(why(driven).waiting).toMatchObject([
      {
        reason: 'schedule',
        until: '2026-01-01T08:00:00.000Z',
        detail:
          'its schedule `0 8 * * mon-fri` starts it at 2026-01-01 08:00 UTC; `max_duration` ends it after 9h',
      },
    ]);
  });

  test('is started when its time comes, and ended when its time is over, every working day', () => {
    const driven = drive(job({ schedule: EIGHT, maxDurationMs: 9 * HOUR }));
    const running: string[] = [];
    driven.pass(at('07T00:00:00') - START, (state, now) => {
      const hour = new Date(now).toISOString().slice(5, 13);
      if (state.status === 'running' && running.at(-1) !== hour) running.push(hour);
    });
    const days = [...new Set(running.map((hour) => hour.slice(0, 5)))];
    expect(days).toEqual(['01-01', '01-02', '01-05', '01-06']);
    expect(kinds(driven).slice(0, 7)).toEqual([
      'scheduled',
      'started its schedule `0 8 * * mon-fri` fired at 2026-01-01 08:00 UTC',
      'starting',
      'running',
      'stopped max_duration reached: it ran for 9h; its schedule `0 8 * * mon-fri` starts it at 2026-01-02 08:00 UTC',
      'stopped',
      'started its schedule `0 8 * * mon-fri` fired at 2026-01-02 08:00 UTC',
    ]);
  });

  test('that was missed is started late, and once', () => {
    const driven = drive(job({ schedule: EIGHT, maxDurationMs: HOUR }));
    driven.pass(HOUR);
    driven.away(at('05T20:00:00') - driven.now());
    driven.pass(2 * HOUR);
    expect(kinds(driven)).toEqual([
      'scheduled',
      'started its schedule `0 8 * * mon-fri` fired at 2026-01-01 08:00 UTC',
      'starting',
      'running',
      expect.stringMatching(/^stopped .* starts it at 2026-01-06 08:00 UTC$/),
      'stopped',
    ]);
  });

  test('that runs is not touched by the next start, and says that nothing ends it', () => {
    const driven = drive(job({ schedule: EIGHT }));
    driven.pass(at('03T00:00:00') - START);
    expect(driven.live()).toEqual(['job-1']);
    expect(why(driven)).toMatchObject({ status: 'running', waiting: [] });
    expect(why(driven).next).toContain('nothing ends it: set `max_duration`');
  });

  test('that never comes says so, and starts nothing', () => {
    const driven = drive(job({ schedule: { cron: ['0 0 30 2 *'] } }));
    driven.pass(HOUR);
    expect(driven.state()).toMatchObject({ status: 'scheduled', replicas: [] });
    expect(why(driven).waiting).toMatchObject([{ until: null }]);
    expect(why(driven).waiting[0]?.detail).toContain('no day fits its schedule `0 0 30 2 *`');
  });

  test('goes by the new schedule when its file gives another, and starts when it no longer has one', () => {
    const driven = drive(job({ schedule: EIGHT }));
    driven.pass(HOUR);
    driven.commit(job({ schedule: { cron: ['30 1 * * *'] } }, 'two'));
    driven.pass(1_000);
    expect(why(driven).waiting).toMatchObject([{ reason: 'schedule', until: '2026-01-01T01:30:00.000Z' }]);
    driven.commit(job({}, 'three'));
    driven.pass(1_000);
    expect(driven.state().status).toBe('running');
    expect(driven.state().term).toBeUndefined();
  });

  test('that is new to a service which runs leaves it running', () => {
    const driven = drive(job({}));
    driven.pass(1_000);
    driven.commit(job({ schedule: EIGHT }));
    driven.pass(10_000);
    expect(driven.live()).toEqual(['job-1']);
    expect(driven.state()).toMatchObject({ status: 'running', term: { kind: 'started' } });
  });
});

describe('a service with a longest duration', () => {
  test('is ended when that is over, and stays so until its file changes', () => {
    const driven = drive(job({ maxDurationMs: 2 * HOUR }));
    driven.pass(2 * HOUR - 1_000);
    expect(driven.state().status).toBe('running');
    expect(why(driven).next).toContain('`max_duration` ends it at 2026-01-01 02:00 UTC');
    driven.pass(24 * HOUR);
    expect(driven.state()).toMatchObject({ status: 'stopped', replicas: [] });
    expect(why(driven).waiting).toMatchObject([
      {
        reason: 'stopped',
        until: null,
        detail: 'max_duration reached: it ran for 2h; a change of its file starts it again',
      },
    ]);
    driven.commit(job({ maxDurationMs: 2 * HOUR }, 'two'));
    driven.pass(HOUR);
    expect(driven.state()).toMatchObject({ status: 'running', term: { kind: 'started' } });
    driven.pass(HOUR);
    expect(driven.state().status).toBe('stopped');
  });

  test('has the time of its processes counted, not that of the wait for a machine and its image', () => {
    const desired = job({ maxDurationMs: HOUR });
    const waiting = state(desired, { replicas: [replica('job-1', { phase: 'creating', everReady: false })] });
    const later = keepTerm(waiting, false, START).state;
    expect(later.term).toEqual({ kind: 'started', since: null });
    for (const stage of ['provision', 'pull'] as const) {
      const fetching = [replica('job-1', { phase: 'starting', stage, everReady: false })];
      expect(keepTerm({ ...later, replicas: fetching }, false, START + HOUR).state.term).toEqual(later.term);
    }
    const begun = { ...later, replicas: [replica('job-1', { phase: 'starting', everReady: false })] };
    expect(keepTerm(begun, false, START + 3 * HOUR).state.term).toEqual({
      kind: 'started',
      since: START + 3 * HOUR,
    });
  });
});

describe('a service with a utilization policy', () => {
  const MINUTE = 60_000;
  const utilization = { minGpuPercent: 10, windowMs: 30 * MINUTE };

  test('is ended when one of its GPUs had nothing to do for all of the time, and says so', () => {
    const driven = drive(job({ utilization }));
    driven.gpus({ 'job-1': [90, 9] });
    driven.pass(29 * MINUTE);
    expect(driven.state().status).toBe('running');
    expect(why(driven).next).toContain(
      '`utilization_policy` ends it when a GPU was used less than 10% for 30m',
    );
    driven.pass(2 * MINUTE);
    expect(driven.state()).toMatchObject({ status: 'stopped', replicas: [] });
    expect(why(driven).waiting).toMatchObject([
      {
        reason: 'stopped',
        detail:
          'utilization_policy: a GPU of job-1 was used less than 10% for 30m; a change of its file starts it again',
      },
    ]);
    driven.pass(24 * HOUR);
    expect(driven.state().status).toBe('stopped');
    driven.commit(job({ utilization }, 'two'));
    driven.pass(MINUTE);
    expect(driven.state().status).toBe('running');
  });

  test('goes on as long as each of them is used now and then', () => {
    const driven = drive(job({ utilization }));
    for (let round = 0; round < 20; round++) {
      driven.gpus({ 'job-1': [5, 5] });
      driven.pass(25 * MINUTE);
      driven.gpus({ 'job-1': [10, 70] });
      driven.pass(MINUTE);
    }
    expect(driven.state().status).toBe('running');
  });

  test('is not ended for the time in which nobody looked, or could', () => {
    const driven = drive(job({ utilization }));
    driven.gpus({ 'job-1': [0] });
    driven.pass(20 * MINUTE);
    driven.away(8 * HOUR);
    driven.pass(MINUTE);
    expect(driven.state().status).toBe('running');
    driven.gpus({});
    driven.pass(24 * HOUR);
    expect(driven.state().status).toBe('running');
    driven.gpus({ 'job-1': [0] });
    driven.pass(12 * MINUTE);
    expect(driven.state().status).toBe('stopped');
  });

  test('says with its schedule when it starts again', () => {
    const driven = drive(job({ utilization, schedule: EIGHT }));
    driven.pass(8 * HOUR);
    driven.gpus({ 'job-1': [0] });
    driven.pass(HOUR);
    expect(driven.state()).toMatchObject({ status: 'stopped', term: { at: at('02T08:00:00') } });
    driven.gpus({ 'job-2': [50] });
    driven.pass(24 * HOUR);
    expect(driven.state().status).toBe('running');
  });
});
