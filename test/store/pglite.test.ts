import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPglite } from '../../reconciler/store/pglite.ts';
import { elapse, storeContract } from './contract.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trueup-pglite-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the PGlite store', () => {
  storeContract(async () => {
    const dir = join(folder, 'db');
    let store = await openPglite(dir);
    return {
      store,
      peer: store,
      elapse: (ms) => elapse(store, ms),
      reopen: async () => {
        await store.close();
        store = await openPglite(dir);
        return store;
      },
      close: () => store.close(),
    };
  });

  it('says which folder it cannot open, and what to do', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const opening = openPglite(join(file, 'db'));
    await expect(opening).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining(join(file, 'db')),
      fix: expect.stringContaining('folder'),
    });
  });
});
