// The pass of a project as a daemon makes it, for measuring: the real sync, with nothing behind it that takes time.
import type { BoundaryHook } from '../../reconciler/boundary.ts';
import { createVault } from '../../reconciler/secrets.ts';
import type { Source } from '../../reconciler/source/git.ts';
import type { Claim, Store } from '../../reconciler/store/store.ts';
import { createSync } from '../../reconciler/sync.ts';
import { PROJECT } from './services.ts';

/** Makes one pass over the project: what is new in the repository becomes desired state. Gives its milliseconds. */
export type Load = () => Promise<number>;

export async function createLoad(source: Source, store: Store, boundary: BoundaryHook): Promise<Load> {
  await store.ensureProject(PROJECT);
  const sync = createSync({
    project: PROJECT,
    source,
    store,
    secrets: () => null,
    vault: createVault(Buffer.from('a key for measuring, and no secret')),
    refusal: () => null,
    apply: 'auto',
    approved: async () => null,
    priceOf: async () => ({ steadyMax: 0 }),
    priceOfMachine: async () => 0,
    pollMs: 60_000,
    random: Math.random,
    boundary,
  });
  return async () => {
    const claim = await claimProject(store);
    const started = performance.now();
    const settlement = await sync(claim);
    const ms = performance.now() - started;
    await store.settle([settlement]);
    return ms;
  };
}

// Private

async function claimProject(store: Store): Promise<Claim> {
  await store.wake([PROJECT]);
  const [claim] = await store.claim({
    holder: 'bench',
    machine: 'bench',
    limit: 1,
    leaseMs: 60_000,
    keys: [PROJECT],
  });
  if (!claim) throw new Error('the project cannot be claimed');
  return claim;
}
