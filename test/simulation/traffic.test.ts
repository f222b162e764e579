// Clients of the simulated world: who takes a request, and which fail.
import { expect, test } from 'vitest';
import { createTraffic, type Flow } from '../../reconciler/simulate/traffic.ts';
import type { ServiceRoute } from '../../schemas/routes.ts';

function clients(flow: Partial<Flow>, names: readonly string[], more: Partial<ServiceRoute> = {}) {
  let open = names;
  const route = (): ServiceRoute => ({
    project: 'main',
    service: 'web',
    version: 1,
    auth: true,
    stripPrefix: true,
    model: null,
    replicas: open.map((name) => ({ name, group: 'g', endpoint: { kind: 'tcp', host: name, port: 1 } })),
    ...more,
  });
  const traffic = createTraffic({
    flows: [{ key: 'main/web', from: 0, to: 10_000, rps: [10, 10], requestMs: 1_000, ...flow }],
    routeOf: route,
    accepts: ({ name }) => open.includes(name),
    isDaemonUp: () => true,
  });
  return {
    traffic,
    counts: () => traffic.counts('main/web'),
    become: (next: readonly string[]) => {
      open = next;
    },
    settle: (now: number) => traffic.settle(now, ({ name }) => open.includes(name)),
  };
}

test('requests are spread over the least busy', () => {
  const { traffic } = clients({}, ['a', 'b', 'c']);
  traffic.advance(2_000);
  expect(['a', 'b', 'c'].map(traffic.inflight).toSorted()).toEqual([3, 3, 4]);
});

test('what dies takes its requests with it, and no others', () => {
  const { traffic, become, settle, counts } = clients({}, ['a', 'b']);
  traffic.advance(2_000);
  const doomed = traffic.inflight('b');
  become(['a']);
  settle(2_000);
  traffic.advance(20_000);
  expect(counts()).toEqual({ ok: 100 - doomed, failed: doomed });
});

test('a rate that rises in a straight line sends the integral of it', () => {
  const { traffic, counts } = clients({ rps: [0, 20] }, ['a']);
  traffic.advance(5_000);
  expect(traffic.fact('main/web', 'g', 5_000, 60_000).requests).toBe(26);
  traffic.advance(20_000);
  expect(counts()).toEqual({ ok: 100, failed: 0 });
});

test('requests for a sleeping service are held until it has woken, and so many only', () => {
  const { traffic, become, settle, counts } = clients({ rps: [30, 30] }, [], { wakes: 'g', replicas: [] });
  expect(traffic.nextWakingAt()).toBe(0);
  traffic.advance(5_000);
  settle(5_000);
  expect(traffic.held()).toEqual(['main/web']);
  expect(traffic.fact('main/web', 'g', 5_000, 10_000)).toMatchObject({
    requests: 151,
    held: 100,
    quietMs: 0,
  });
  expect(counts()).toEqual({ ok: 0, failed: 51 });
  become(['a']);
  expect(traffic.nextWakingAt()).toBeNull();
});

test('counts are of the window that is asked for', () => {
  const { traffic } = clients({ to: 100_000 }, ['a']);
  traffic.advance(100_000);
  expect(traffic.fact('main/web', 'g', 100_000, 30_000).requests).toBe(300);
  expect(traffic.fact('main/web', 'g', 100_000, 600_000).requests).toBe(1_000);
  expect(traffic.fact('main/web', 'other', 100_000, 30_000)).toMatchObject({ requests: 0, quietMs: null });
});
