// When a service is looked at again although nothing has told us to.
import { describe, expect, test } from 'vitest';
import { type Decision, decide } from '../../reconciler/plan/decide.ts';
import type { Actual } from '../../schemas/actual.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { LOCAL, replica, service, state } from './samples.ts';

const web = service('web');
const NOW = 1_700_000_000_000;

const nothing: Actual = { replicas: {}, offers: {}, probes: {}, published: NOW * 2, inflight: {} };

function pass(before: ServiceState | null, desired: DesiredService, actual: Partial<Actual>, now: number) {
  return decide({
    project: 'main',
    service: 'web',
    desired: { service: desired, removed: false, problems: [] },
    state: before,
    actual: { ...nothing, ...actual },
    now,
  });
}

/** How many passes there are in the hour from `NOW`, if only time wakes. */
function passesInAnHour(first: ServiceState | null, actual: Partial<Actual>): [number, Decision] {
  let passes = 0;
  let decision = pass(first, web, actual, NOW);
  for (; decision.wakeAt < NOW + 3_600_000; passes++)
    decision = pass(decision.state, web, actual, decision.wakeAt);
  return [passes, decision];
}

describe('the next look', () => {
  test('is soon while something moves', () => {
    const offers = { '0': { kind: 'offers' as const, offers: [LOCAL] } };
    expect(pass(null, web, { offers }, NOW).wakeAt).toBe(NOW + 1_000);
  });

  test('comes ever later while all that could run it is taken', () => {
    const taken = { ...LOCAL, availability: 'not-available' as const };
    const [passes, { state: after }] = passesInAnHour(null, {
      offers: { '0': { kind: 'offers', offers: [taken] } },
    });
    expect(passes).toBeLessThan(100);
    expect(after?.waiting).toMatchObject([
      {
        reason: 'capacity',
        detail: expect.stringMatching(/^local has .* nothing of it is free/),
        since: NOW,
      },
    ]);
  });

  test('comes ever later while a backend cannot be seen, and its replicas stay as they are', () => {
    const shapes = web.shapes;
    const before = state(web, {
      replicas: [replica('web-0', { shape: shapes['0'] ?? '', endpoint: { kind: 'unix', path: '/x' } })],
    });
    const [passes, { state: after }] = passesInAnHour(before, {
      replicas: { 'web-0': { kind: 'unknown', reason: 'away' } },
    });
    expect(passes).toBeLessThan(100);
    expect(after?.waiting).toMatchObject([{ reason: 'backend', detail: 'away' }]);
    expect(after?.route?.replicas.map(({ name }) => name)).toEqual(['web-0']);
  });

  test('replaces a replica whose process left no trace', () => {
    const before = state(web, { replicas: [replica('web-0', { shape: web.shapes['0'] ?? '' })] });
    const instance = {
      id: 'web-0',
      backend: 'local',
      region: 'local',
      instance: 'local',
      status: 'running' as const,
      tags: {
        owner: 'me',
        project: 'main',
        service: 'web',
        group: '0',
        replica: 'web-0',
        attempt: 1,
        shape: '',
        deployment: 1,
      },
      pricePerHour: 0,
      createdAt: 0,
    };
    const { steps } = pass(
      before,
      web,
      { replicas: { 'web-0': { kind: 'present', instance, process: { kind: 'absent' } } } },
      NOW,
    );
    expect(steps.map(({ kind }) => kind)).toEqual(['terminate']);
  });
});
