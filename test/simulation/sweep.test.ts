// What the sweeper ends, and what it leaves: only instances that surely belong to no service.
import { expect, test } from 'vitest';
import { type Fake, openFake } from '../../backends/fake.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { sweep } from '../../reconciler/sweep.ts';
import { LOCAL } from '../plan/samples.ts';

async function world(): Promise<{ store: Store; left: () => Promise<string[]> }> {
  const store = openMemory();
  const cloud: Fake = openFake({ seed: 1, now: Date.now, name: 'local', offers: [LOCAL] });
  for (const [replica, service, owner] of [
    ['web-1', 'web', 'me'],
    ['gone-1', 'gone', 'me'],
    ['web-1', 'web', 'somebody'],
  ] as const) {
    const tags = {
      owner,
      project: 'main',
      service,
      group: '0',
      replica,
      attempt: 1,
      shape: 's',
      deployment: 1,
    };
    await cloud.create({ tags, offer: LOCAL });
  }
  await store.ensureProject('main');
  return {
    store,
    async left() {
      await sweep({ owner: 'me', backends: new Map([['local', cloud]]), store, projects: ['main'] });
      const alive = cloud.machines().filter(({ endedAt }) => endedAt === null);
      return alive.map(({ tags }) => `${tags.owner} ${tags.replica}`);
    },
  };
}

async function read(store: Store): Promise<void> {
  const [claim] = await store.claim({ holder: 'git', machine: 'here', limit: 1, leaseMs: 30_000 });
  if (!claim) throw new Error('the project is claimed by somebody else');
  const desired = { service: {}, removed: false, problems: [] };
  await store.putDesired(claim.lease, [{ key: 'main/web', desired }], { commit: 'c0ffee' }, []);
}

test('an instance is left alone while it is not known which services there are', async () => {
  const { left } = await world();
  expect(await left()).toEqual(['me web-1', 'me gone-1', 'somebody web-1']);
});

test('one of no service is ended; one of a service without a record is left to be taken up', async () => {
  const { store, left } = await world();
  await read(store);
  expect(await left()).toEqual(['me web-1', 'somebody web-1']);
});
