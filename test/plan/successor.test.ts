// What a service that is called otherwise goes by: how many replicas stand for its own, and how many lack room.
import { describe, expect, test } from 'vitest';
import { heirOf, successorOf, wantedBeside } from '../../reconciler/plan/successor.ts';
import type { Actual } from '../../schemas/actual.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { deployment, group, replica, service, state } from './samples.ts';

const NOW = 1_000_000;
const three = group({ replicas: { min: 3, max: 3 } });
const named = (name: string) => service(name, {}, { groups: [three] });
const shape = named('web').shapes['0'] ?? '';
const short: ServiceState['waiting'] = [
  { reason: 'capacity', subject: '0', since: 0, until: null, detail: '' },
];

/** A service of so many ready replicas of three. */
function of(name: string, ready: number, more: Partial<ServiceState> = {}): ServiceState {
  const replicas = Array.from({ length: ready }, (_, i) => replica(`${name}-${i + 1}`, { shape }));
  return state(named(name), { replicas, ...more });
}

/** A first deployment under way, of which so many have ended. */
const rolling = (exits: number = 0): Partial<ServiceState> => ({
  good: null,
  rollout: {
    from: null,
    to: 1,
    commit: '',
    startedAt: 0,
    endedAt: null,
    outcome: 'rolling',
    reason: '',
    exits,
    unready: 0,
  },
});

const seen = (own: ServiceState, next: ServiceState, isRouted = true, former = [own]) => {
  const successor = successorOf(own, next, former, isRouted);
  const actual: Actual = {
    replicas: {},
    offers: {},
    probes: {},
    published: 0,
    inflight: {},
    ...(successor && { successor }),
  };
  return heirOf(actual, '0', NOW);
};

const kept = (own: ServiceState, next: ServiceState) => wantedBeside(own, three, seen(own, next));

describe('a replica of the new name stands for one of the old', () => {
  const readyAt = (at: number): Replica => replica('site-1', { shape, readyAt: at });

  test('once proxies know them', () => {
    expect(seen(of('web', 3), of('site', 2), true)?.ready).toBe(2);
    expect(seen(of('web', 3), of('site', 2), false)?.ready).toBe(0);
  });

  test('once the first of them has held out for a moment', () => {
    expect(seen(of('web', 3), of('site', 0, { ...rolling(), replicas: [readyAt(NOW - 9_999)] }))?.ready).toBe(
      0,
    );
    expect(
      seen(of('web', 3), of('site', 0, { ...rolling(), replicas: [readyAt(NOW - 10_000)] }))?.ready,
    ).toBe(1);
  });

  test('while they do not end one after the other', () => {
    expect(seen(of('web', 3), of('site', 2, rolling(3)))).toBeNull();
  });
});

describe('an old name', () => {
  test('keeps all it has while there is room for both', () => {
    expect(kept(of('web', 3), of('site', 1))).toBe(3);
  });

  test('lets go of as many as lack room and are stood for, but for those that are ending already', () => {
    expect(kept(of('web', 3), of('site', 1, { waiting: short }))).toBe(2);
    expect(kept(of('web', 3), of('site', 2, { waiting: short }))).toBe(2);
    const ending = replica('web-3', { shape, phase: 'terminating' });
    const web = of('web', 2);
    expect(kept({ ...web, replicas: [...web.replicas, ending] }, of('site', 2, { waiting: short }))).toBe(2);
  });

  test('makes no new ones as long as both together have enough', () => {
    expect(kept(of('web', 1), of('site', 2))).toBe(1);
    expect(kept(of('web', 0), of('site', 2))).toBe(1);
  });

  test('is as it was before anything has come of the new one', () => {
    expect(seen(of('web', 3), of('site', 0))).toBeNull();
    expect(seen(of('web', 3), of('site', 0, { target: null, waiting: short }))).toBeNull();
  });

  test('lets go one after the other with another that becomes the same', () => {
    const [web, site, page] = [of('web', 1), of('site', 1), of('page', 0, { waiting: short })];
    expect(seen(web, page, true, [web, site])).toMatchObject({ short: 3, beside: 1 });
    expect(seen(site, page, true, [web, site])).toMatchObject({ short: 0, beside: 1 });
    const empty = of('web', 0);
    expect(seen(site, page, true, [empty, site])).toMatchObject({ short: 3, beside: 0 });
  });

  test('goes on with its groups by what they are called there', () => {
    const other = service('site', {}, { groups: [{ ...three, name: 'main' }] });
    const replicas = [replica('site-1', { shape, group: 'main' })];
    const site = state(other, { replicas, deployments: [deployment(other)] });
    expect(seen(of('web', 3), site)).toMatchObject({ wanted: 3, ready: 1 });
  });
});
