import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scale, wantedReplicas } from '../../reconciler/plan/scale.ts';
import type { TrafficFact } from '../../schemas/actual.ts';
import type { GroupSpec, ScalingSpec } from '../../schemas/desired.ts';
import type { GroupScale } from '../../schemas/rollout.ts';
import { drive, START } from './drive.ts';
import { group, replica, service, state } from './samples.ts';

const MINUTE = 60_000;
const SCALING: ScalingSpec = {
  metric: 'rps',
  target: 10,
  windowMs: MINUTE,
  upDelayMs: 5 * MINUTE,
  downDelayMs: 10 * MINUTE,
};

function scaled(min: number, max: number, scaling: Partial<ScalingSpec> = {}): GroupSpec {
  return group({ replicas: { min, max }, scaling: { ...SCALING, ...scaling } });
}

const web = (...groups: readonly GroupSpec[]) =>
  service(
    'web',
    { groups: groups.map(({ name, replicas, scaling }) => ({ name, replicas, scaling: { ...scaling } })) },
    { groups },
  );

/** The count after one look; `rps` null: nobody knows. */
function countAfter(
  spec: GroupSpec,
  before: GroupScale,
  rps: number | null,
  more: Partial<TrafficFact> = {},
) {
  const fact: TrafficFact = { requests: (rps ?? 0) * 60, windowMs: MINUTE, held: 0, quietMs: null, ...more };
  const traffic = rps === null ? {} : { '0': fact };
  const actual = { replicas: {}, offers: {}, probes: {}, published: 0, inflight: {}, traffic };
  const after = scale(state(web(spec), { replicas: [], scale: { '0': before } }), actual, START).state;
  return after.scale?.['0']?.count;
}

const ago = (count: number, minutes: number): GroupScale => ({ count, since: START - minutes * MINUTE });

describe('the count follows the traffic', () => {
  test.each<[what: string, group: GroupSpec, before: GroupScale, rps: number | null, count: number]>([
    ['nothing is known of it: it stays', scaled(0, 5), ago(3, 60), null, 3],
    ['it is as meant: it stays', scaled(1, 5), ago(2, 60), 20, 2],
    ['a little more: one more', scaled(1, 5), ago(2, 60), 20.5, 3],
    ['much more: straight to what is needed', scaled(1, 5), ago(1, 60), 50, 5],
    ['more than can be: the most there may be', scaled(1, 5), ago(1, 60), 1000, 5],
    ['more, just after a change: it stays', scaled(1, 5), ago(1, 4.99), 50, 1],
    ['more, and the delay is over: it grows', scaled(1, 5), ago(1, 5), 50, 5],
    ['any, and there is none: one at once', scaled(0, 5), ago(0, 0), 0.1, 1],
    ['much, and there is none: as many as are needed at once', scaled(0, 5), ago(0, 0), 35, 4],
    ['less: it shrinks', scaled(1, 5), ago(5, 60), 20, 2],
    ['none: the least there may be', scaled(1, 5), ago(5, 60), 0, 1],
    ['none, and none need be there: none', scaled(0, 5), ago(5, 60), 0, 0],
    ['less, just after a change: it stays', scaled(1, 5), ago(5, 9.99), 20, 5],
    ['less, and the delay is over: it shrinks', scaled(1, 5), ago(5, 10), 20, 2],
    ['a fraction of a request per second', scaled(0, 5, { target: 0.05 }), ago(1, 60), 0.1, 2],
    ['without a delay', scaled(1, 5, { upDelayMs: 0 }), ago(1, 0), 50, 5],
  ])('%s', (_what, spec, before, rps, count) => {
    expect(countAfter(spec, before, rps)).toBe(count);
  });
});

describe('the bounds of the file', () => {
  test.each<[what: string, group: GroupSpec, before: GroupScale, rps: number | null, count: number]>([
    ['are kept at once when more must be there', scaled(2, 5), ago(1, 0), null, 2],
    ['are kept at once when fewer may be there', scaled(1, 4), ago(9, 0), 1000, 4],
  ])('%s', (_what, spec, before, rps, count) => {
    expect(countAfter(spec, before, rps)).toBe(count);
  });

  test('give the first count: the least', () => {
    const driven = drive(web(scaled(2, 4)));
    driven.traffic(0);
    driven.pass(MINUTE);
    expect(driven.live()).toEqual(['web-1', 'web-2']);
    expect(driven.state().status).toBe('running');
  });

  test('do not touch what runs already when a fixed number becomes a range', () => {
    const driven = drive(web(group({ replicas: { min: 3, max: 3 } })));
    driven.pass(1_000);
    driven.commit(web(scaled(1, 5)));
    driven.pass(1_000);
    expect(driven.live()).toEqual(['web-1', 'web-2', 'web-3']);
  });
});

describe('requests in flight', () => {
  test('that the window has forgotten keep their replicas', () => {
    const busy = { inflight: { 'web-1': 2, 'web-2': 1 } };
    const spec = scaled(0, 5);
    const service = web(spec);
    const before = state(service, {
      replicas: ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'].map((name) => replica(name)),
      scale: { '0': ago(5, 60) },
    });
    const quiet = { requests: 0, windowMs: MINUTE, held: 0, quietMs: 11 * MINUTE };
    const actual = { replicas: {}, offers: {}, probes: {}, published: 0, ...busy, traffic: { '0': quiet } };
    expect(scale(before, actual, START).state.scale?.['0']?.count).toBe(3);
  });

  test('decide who leaves: whoever answers least', () => {
    const driven = drive(web(scaled(1, 3)));
    driven.traffic(30 * 60);
    driven.pass(6 * MINUTE);
    expect(driven.live()).toEqual(['web-1', 'web-2', 'web-3']);
    driven.traffic(20 * 60);
    driven.inflight({ 'web-1': 4, 'web-2': 1, 'web-3': 9 });
    driven.pass(11 * MINUTE);
    expect(driven.live()).toEqual(['web-1', 'web-3']);
  });
});

describe('a replica that traffic no longer asks for', () => {
  /** Three replicas of which one is asked for; all of them still answer. */
  function shrinking() {
    const driven = drive(web(scaled(1, 3)));
    driven.traffic(30 * 60);
    driven.pass(6 * MINUTE);
    driven.inflight({ 'web-1': 9, 'web-2': 1, 'web-3': 2 });
    driven.traffic(5 * 60);
    driven.pass(11 * MINUTE);
    expect(driven.live()).toEqual(['web-1']);
    return driven;
  }
  const phases = (driven: ReturnType<typeof drive>) =>
    driven.state().replicas.map(({ name, phase }) => [name, phase]);

  test('answers its last request to the end, however long that takes', () => {
    const driven = shrinking();
    driven.pass(60 * MINUTE);
    expect(phases(driven)).toEqual([
      ['web-1', 'ready'],
      ['web-2', 'draining'],
      ['web-3', 'draining'],
    ]);
    expect(driven.state().waiting).toContainEqual(
      expect.objectContaining({ reason: 'drain', subject: 'web-3', until: null }),
    );
    driven.inflight({});
    driven.pass(MINUTE);
    expect(driven.state().replicas.map(({ name }) => name)).toEqual(['web-1']);
  });

  test('takes requests again when it is asked for after all, and no other is made', () => {
    const driven = shrinking();
    driven.traffic(20 * 60);
    driven.pass(6 * MINUTE);
    expect(phases(driven)).toEqual([
      ['web-1', 'ready'],
      ['web-2', 'ready'],
      ['web-3', 'draining'],
    ]);
    expect(driven.events).toContain('replica-ready web-2 takes requests again: it is wanted after all');
    expect(driven.state().route?.replicas.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
  });

  test('has `drain` to finish once another version is asked for', () => {
    const driven = shrinking();
    driven.pass(60 * MINUTE);
    driven.commit({ ...web(scaled(1, 3)), shapes: { '0': 'other' }, revision: 'other', digest: 'other' });
    driven.pass(30_000);
    expect(phases(driven)).toContainEqual(['web-3', 'draining']);
    driven.pass(60_000);
    expect(phases(driven)).not.toContainEqual(['web-3', 'draining']);
  });
});

describe('a service that may have none', () => {
  test('starts with none, wakes at once, and sleeps again when nobody has asked for the delay', () => {
    const driven = drive(web(scaled(0, 2)));
    driven.traffic(0);
    driven.pass(MINUTE);
    expect(driven.state()).toMatchObject({ status: 'scaled-to-zero', replicas: [], route: { wakes: '0' } });
    driven.traffic(1, { held: 1 });
    driven.pass(0);
    expect(driven.live()).toEqual(['web-1']);
    expect(driven.state().status).toBe('running');
    driven.traffic(0, { quietMs: 0 });
    driven.pass(10 * MINUTE - 1);
    expect(driven.live()).toEqual(['web-1']);
    expect(driven.state().waiting).toMatchObject([
      { reason: 'scaling', subject: '0', detail: expect.stringMatching(/^1 → 0: 0 rps over 1m/) },
    ]);
    driven.traffic(0, { quietMs: 10 * MINUTE });
    driven.pass(1_000);
    expect(driven.state()).toMatchObject({ status: 'scaled-to-zero', replicas: [] });
    expect(driven.events).toContain('scaled 0 → 1 replica: 0.02 rps over 1m, 1 held, target 10 per replica');
    expect(driven.events).toContain('scaled 1 → 0 replicas: 0 rps over 1m, target 10 per replica');
  });

  test('wakes for a request that has waited longer than the window is long', () => {
    expect(countAfter(scaled(0, 2), ago(0, 0), 0, { held: 1 })).toBe(1);
  });

  test('stays awake while somebody asks now and then, though the window is empty in between', () => {
    expect(countAfter(scaled(0, 2), ago(1, 60), 0, { quietMs: 9 * MINUTE })).toBe(1);
    expect(countAfter(scaled(0, 2), ago(1, 60), 0, { quietMs: 10 * MINUTE })).toBe(0);
  });

  test('that failed before it slept is started at once when it is asked again', () => {
    const driven = drive(web(scaled(0, 2)));
    driven.traffic(0);
    driven.pass(MINUTE);
    const asleep = { ...driven.state(), backoff: { '0': { failures: 9, until: START + 3_600_000 } } };
    const actual = {
      replicas: {},
      offers: {},
      probes: {},
      published: 0,
      inflight: {},
      traffic: { '0': { requests: 1, windowMs: MINUTE, held: 1, quietMs: 0 } },
    };
    expect(scale(asleep, actual, driven.now()).state.backoff).toEqual({});
  });
});

test('groups go by their own traffic', () => {
  const groups = [scaled(1, 5), { ...scaled(1, 5), name: 'big' }];
  const busy: TrafficFact = { requests: 40 * 60, windowMs: MINUTE, held: 0, quietMs: 0 };
  const idle: TrafficFact = { ...busy, requests: 0 };
  const before = state(web(...groups), { replicas: [], scale: { '0': ago(1, 60), big: ago(1, 60) } });
  const actual = {
    replicas: {},
    offers: {},
    probes: {},
    published: 0,
    inflight: {},
    traffic: { '0': idle, big: busy },
  };
  const after = scale(before, actual, START);
  expect(after.state.scale).toEqual({ '0': ago(1, 60), big: { count: 4, since: START } });
  expect(after.events.map(({ reason }) => reason)).toEqual([
    'group big: 1 → 4 replicas: 40 rps over 1m, target 10 per replica',
  ]);
});

test('a state from before there was autoscaling counts what runs', () => {
  const old = state(web(scaled(0, 4)), { replicas: [replica('web-1'), replica('web-2')] });
  expect(wantedReplicas(scaled(0, 4), old)).toBe(2);
  expect(wantedReplicas(scaled(0, 4))).toBe(0);
});

test('while it grows it runs; it is degraded when what it has is not as it was', () => {
  const driven = drive(web(scaled(1, 3)));
  driven.traffic(30 * 60);
  driven.pass(6 * MINUTE);
  expect(driven.events.filter((text) => text.startsWith('status'))).toEqual(['status starting → running']);
});

describe('whatever the traffic is', () => {
  const moment = fc.record({
    rps: fc.constantFrom(null, 0, 0, 4, 15, 25, 70),
    inflight: fc.array(fc.nat(30), { maxLength: 6 }),
    ms: fc.constantFrom(5_000, 20_000, 2 * MINUTE, 12 * MINUTE),
  });
  const bounds = fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 }));

  test('the count stays within its bounds, changes no faster than the delays allow, and keeps what still answers', () => {
    fc.assert(
      fc.property(bounds, fc.array(moment, { minLength: 4, maxLength: 10 }), ([min, more], moments) => {
        const spec = scaled(min, min + more);
        const driven = drive(web(spec));
        let last: GroupScale | undefined;
        for (const { rps, inflight, ms } of moments) {
          const requests = rps === null ? null : Math.round(rps * 60);
          const busy = Object.fromEntries(inflight.map((count, i) => [`web-${i + 1}`, count]));
          driven.traffic(requests);
          driven.inflight(busy);
          driven.pass(ms, (now) => {
            const next = now.scale?.['0'];
            if (!next) throw new Error('no count is kept');
            expect(next.count).toBeGreaterThanOrEqual(min);
            expect(next.count).toBeLessThanOrEqual(min + more);
            if (last && next.count !== last.count) {
              const waited = next.since - last.since;
              if (next.count > last.count && last.count > 0)
                expect(waited).toBeGreaterThanOrEqual(SCALING.upDelayMs);
              if (next.count < last.count) {
                expect(waited).toBeGreaterThanOrEqual(SCALING.downDelayMs);
                const answering = now.replicas.reduce((sum, { name }) => sum + (busy[name] ?? 0), 0);
                const unseen = Math.max(answering - (requests ?? 0), Math.min(answering, 1));
                expect(next.count).toBeGreaterThanOrEqual(Math.min(last.count, unseen));
              }
            }
            last = next;
          });
        }
      }),
      { numRuns: 25 },
    );
  });
});
