// What a pass does whose lease is lost, or nearly over: nothing that another could be doing as well.

import { expect, test } from 'vitest';
import { openFake } from '../../backends/fake.ts';
import { readFleets } from '../../reconciler/fleets.ts';
import { EFFECT_MS } from '../../reconciler/pass.ts';
import { type ReconcileDeps, reconcile } from '../../reconciler/reconcile.ts';
import { virtualClock } from '../../reconciler/simulate/clock.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import { createVolumes } from '../../reconciler/volumes.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';
import { web } from './services.ts';

async function open() {
  const clock = virtualClock(1_700_000_000_000);
  const store = openMemory({ now: clock.now });
  const cloud = openFake({ seed: 1, now: clock.now, name: 'local', offers: [LOCAL] });
  const deps: ReconcileDeps = {
    owner: 'me',
    machine: 'here',
    backends: new Map([['local', cloud]]),
    takeProbes: () => ({}),
    published: () => -1,
    inflight: () => 0,
    publish: () => {},
    processOf: () => {
      throw new Error('nothing is started here');
    },
    fleets: readFleets({ project: 'main', store, wake: () => {} }),
    volumes: createVolumes({ project: 'main', store }),
    store,
    clock,
    boundary: () => {},
    noteState: () => {},
  };
  await store.ensureProject('main');
  const claim = async (key: string, leaseMs: number) => {
    const [claimed] = await store.claim({ holder: 'me', machine: 'here', limit: 1, leaseMs, keys: [key] });
    if (!claimed) throw new Error(`${key} is held by somebody else`);
    return claimed;
  };
  const project = await claim('main', 30_000);
  const desired = { service: web('one', 1), removed: false, problems: [] };
  await store.putDesired(project.lease, [{ key: 'main/web', desired }], {}, []);
  const stateOf = async () => ((await store.load('main/web'))?.state ?? null) as ServiceState | null;
  return { clock, store, cloud, deps, claim: (leaseMs: number) => claim('main/web', leaseMs), stateOf };
}

test('a pass whose lease was lost does nothing to the world', async () => {
  const { clock, cloud, deps, claim, stateOf } = await open();
  const first = await claim(20_000);
  await clock.moveTo(clock.now() + 21_000);
  await claim(20_000);
  await expect(reconcile(deps, first)).rejects.toThrow(/the lease went to another reconciler/);
  expect(cloud.machines()).toEqual([]);
  expect(await stateOf()).toBeNull();
});

test('a pass of whose lease little is left records what is to be done, and leaves it to the next', async () => {
  const { store, cloud, deps, claim, stateOf } = await open();
  const settlement = await reconcile(deps, await claim(EFFECT_MS - 1));
  expect(cloud.machines()).toEqual([]);
  expect((await stateOf())?.replicas.map(({ phase }) => phase)).toEqual(['creating']);
  await store.settle([settlement]);
  await store.wake(['main/web']);
  await store.settle([await reconcile(deps, await claim(30_000))]);
  expect(cloud.machines()).toHaveLength(1);
});
