// The prober by itself; what comes of its answers is in test/simulation.
import { expect, test } from 'vitest';
import { createProber } from '../../reconciler/probe.ts';
import { virtualClock } from '../../reconciler/simulate/clock.ts';
import { replica, service, state } from '../plan/samples.ts';
import { PROBE } from '../simulation/services.ts';

test('the sealed values of a deployment are opened once for all of its replicas', () => {
  const clock = virtualClock(0);
  let opened = 0;
  const prober = createProber({
    clock,
    now: clock.now,
    probesOf: ({ spec: { probes } }) => {
      opened += 1;
      return probes;
    },
    wake: () => {},
    send: async () => ({ ok: true, detail: '200' }),
  });
  const endpoint = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const replicas = ['web-1', 'web-2', 'web-3'].map((name) =>
    replica(name, { phase: 'ready', endpoint, probes: [{ streak: 1, failures: 0, detail: '' }] }),
  );
  prober.watch('main/web', state(service('web', {}, { probes: [PROBE] }), { replicas }));
  expect(opened).toBe(1);
  prober.close();
});
