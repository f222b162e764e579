// The deadlines that hold a replica back, or no longer do, in the decision alone.
import { describe, expect, test } from 'vitest';
import type { DesiredService, RolloutPolicy } from '../../schemas/desired.ts';
import { drive } from './drive.ts';
import { group, service, spec } from './samples.ts';

const MINUTE = 60_000;

function web(version: string, policy: Partial<RolloutPolicy> = {}): DesiredService {
  const one = group({ replicas: { min: 1, max: 1 } }, { commands: [version] });
  const base = spec('web').policy;
  return service(
    'web',
    { version, policy: JSON.stringify(policy) },
    { groups: [one], policy: { ...base, ...policy } },
  );
}

describe('a replica that leaves', () => {
  test('finishes what it is answering', () => {
    const driven = drive(web('one', { drainMs: 10 * MINUTE }));
    driven.pass(MINUTE);
    driven.commit(web('two', { drainMs: 10 * MINUTE }));
    driven.inflight({ 'web-1': 3 });
    driven.pass(5 * MINUTE);
    expect(driven.state().replicas.map(({ name, phase }) => [name, phase])).toContainEqual([
      'web-1',
      'draining',
    ]);
    expect(driven.state().waiting).toContainEqual(
      expect.objectContaining({ reason: 'drain', detail: '3 requests in flight' }),
    );
    driven.inflight({});
    driven.pass(MINUTE);
    expect(driven.live()).toEqual(['web-2']);
  });

  test('takes no longer for that than `drain`', () => {
    const driven = drive(web('one', { drainMs: 2 * MINUTE }));
    driven.pass(MINUTE);
    driven.commit(web('two', { drainMs: 2 * MINUTE }));
    driven.inflight({ 'web-1': 3 });
    driven.pass(3 * MINUTE);
    expect(driven.state().replicas.map(({ name }) => name)).toEqual(['web-2']);
  });

  test('is not charged for the time in which nobody looked', () => {
    const driven = drive(web('one', { drainMs: 2 * MINUTE }));
    driven.pass(MINUTE);
    driven.commit(web('two', { drainMs: 2 * MINUTE }));
    driven.inflight({ 'web-1': 3 });
    driven.pass(MINUTE);
    driven.away(60 * MINUTE);
    driven.pass(1);
    expect(driven.state().replicas.map(({ name }) => name)).toContain('web-1');
  });
});

test('looking twice at the same world changes nothing', () => {
  const driven = drive(web('one'));
  driven.pass(MINUTE);
  const { version } = driven.state().route ?? {};
  const events = driven.events.length;
  driven.pass(60 * MINUTE);
  expect(driven.state().route?.version).toBe(version);
  expect(driven.events.length).toBe(events);
});
