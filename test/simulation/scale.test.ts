// Days of services whose number of replicas is not fixed: what clients ask for comes and goes, and so do replicas.
import { describe, expect, test } from 'vitest';
import type { GroupSpec } from '../../schemas/desired.ts';
import { drive, START } from '../plan/drive.ts';
import { group, service } from '../plan/samples.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const SCALING = {
  metric: 'rps',
  target: 10,
  windowMs: MINUTE,
  upDelayMs: 5 * MINUTE,
  downDelayMs: 10 * MINUTE,
} as const;

function web(min: number, max: number, version = 'one') {
  const one: GroupSpec = group({ replicas: { min, max }, scaling: SCALING }, { commands: [version] });
  return service('web', { commands: [version], replicas: `${min}..${max}` }, { groups: [one] });
}

/** Office hours: from 8 to 18 up to 35 requests per second, most of them at 13; nothing at night. */
function officeHours(at: number): number {
  const hour = ((at - START) % (24 * HOUR)) / HOUR;
  return hour < 8 || hour > 18 ? 0 : Math.max(1, Math.round(35 * Math.sin(((hour - 8) / 10) * Math.PI)));
}

test('a service of office hours sleeps at night, follows the day, and is never short of replicas for long', () => {
  const driven = drive(web(0, 5));
  driven.rate(officeHours);
  const counts = new Map<number, number>();
  let shortMs = 0;
  let before = START;
  driven.pass(48 * HOUR, (state, now) => {
    const count = state.scale?.['0']?.count ?? 0;
    counts.set(Math.floor((now - START) / HOUR), count);
    if (officeHours(now) / SCALING.target > count) shortMs += now - before;
    before = now;
  });
  const hours = [3, 7, 9, 13, 19, 27, 37].map((hour) => counts.get(hour) ?? 0);
  expect(hours).toEqual([0, 0, 3, 4, 0, 0, 4]);
  expect(shortMs / HOUR).toBeLessThan(1);
  const changes = driven.events.filter((text) => text.startsWith('scaled'));
  expect(changes.length).toBeLessThanOrEqual(20);
  expect(driven.events.some((text) => text.startsWith('replica-failed'))).toBe(false);
});

describe('a new version', () => {
  test('of a service at four replicas is rolled out at four', () => {
    const driven = drive(web(1, 5));
    driven.rate(() => 35);
    driven.pass(HOUR);
    expect(driven.live()).toHaveLength(4);
    driven.commit(web(1, 5, 'two'));
    let least = 9;
    driven.pass(HOUR, ({ replicas }) => {
      least = Math.min(least, replicas.filter(({ phase }) => phase === 'ready').length);
    });
    expect(least).toBe(4);
    expect(driven.state()).toMatchObject({ status: 'running', good: 2 });
    expect(driven.live()).toHaveLength(4);
  });

  test('of a service that sleeps starts nothing, and is what the next request wakes', () => {
    const driven = drive(web(0, 2));
    driven.rate((at) => (at === START + 2 * HOUR ? 1 : 0));
    driven.pass(HOUR);
    driven.commit(web(0, 2, 'two'));
    driven.pass(30 * MINUTE);
    expect(driven.state()).toMatchObject({ status: 'scaled-to-zero', replicas: [] });
    expect(driven.events).toContain('rollout-done deployment 2 is done: nothing is to run now');
    driven.pass(31 * MINUTE);
    expect(driven.state()).toMatchObject({ status: 'running', replicas: [{ deployment: 2 }] });
  });
});

test('a service goes to sleep only when its last answers are given', () => {
  const driven = drive(web(0, 2));
  driven.rate((at) => (at === START + MINUTE ? 1 : 0));
  driven.pass(2 * MINUTE);
  expect(driven.live()).toEqual(['web-1']);
  driven.inflight({ 'web-1': 1 });
  driven.pass(HOUR);
  expect(driven.live()).toEqual(['web-1']);
  driven.inflight({});
  driven.pass(MINUTE);
  expect(driven.state().status).toBe('scaled-to-zero');
});

test('a daemon that was away goes on where it was, and acts by the traffic of now', () => {
  const driven = drive(web(1, 5));
  driven.rate((at) => (at < START + 2 * HOUR ? 45 : 5));
  driven.pass(HOUR);
  expect(driven.live()).toHaveLength(5);
  driven.away(3 * HOUR);
  driven.pass(MINUTE);
  expect(driven.live()).toHaveLength(1);
});
