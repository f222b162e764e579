import { describe, expect, it } from 'vitest';
import { openMemory } from '../../reconciler/store/memory.ts';
import { asleep, event, must, storeContract } from './contract.ts';

describe('the memory store', () => {
  storeContract(async () => {
    let now = 1_800_000_000_000;
    const options = { now: () => now, id: 'one' };
    const store = openMemory(options);
    return {
      store,
      peer: store,
      elapse: async (ms) => {
        now += ms;
      },
      reopen: async () => {
        const reopened = openMemory(options);
        reopened.restore(store.snapshot());
        return reopened;
      },
      close: () => store.close(),
    };
  });

  describe('a snapshot', () => {
    const claim = { holder: 'test', machine: 'here', limit: 10, leaseMs: 1_000 };

    it('brings back everything that was stored, and nothing that came later', async () => {
      const store = openMemory({ now: () => 0 });
      await store.ensureProject('main');
      await store.appendEvents('main', [event('web', 'before')]);
      const before = store.snapshot();
      await store.approve('main', { commit: 'c', plan: 'p', by: 'me', at: 0 }, []);
      await store.ensureProject('other');
      await store.appendEvents('main', [event('web', 'after')]);
      await store.nextEpoch();
      store.restore(before);
      expect(await store.projects()).toEqual(['main']);
      expect(await store.events({ project: 'main', limit: 9 })).toMatchObject([{ reason: 'before', seq: 1 }]);
      expect(await store.approval('main')).toBeNull();
      expect(await store.nextEpoch()).toBe(1);
    });

    it('can be returned to more than once', async () => {
      const store = openMemory({ now: () => 0 });
      const empty = store.snapshot();
      for (const project of ['a', 'b']) {
        store.restore(empty);
        await store.ensureProject(project);
        await store.appendEvents(project, [event('web', 'hello')]);
        expect(await store.projects()).toEqual([project]);
      }
    });

    it('makes leases of the time in between worthless', async () => {
      const store = openMemory({ now: () => 0 });
      await store.ensureProject('main');
      const before = store.snapshot();
      const [undone] = await store.claim(claim);
      store.restore(before);
      const [valid] = await store.claim(claim);
      expect(await store.settle([asleep(must(undone).lease)])).toEqual(new Set(['main']));
      expect(await store.settle([asleep(must(valid).lease)])).toEqual(new Set());
    });
  });

  it('gives out frozen documents, as nobody can change those of a database', async () => {
    const store = openMemory();
    await store.ensureProject('main');
    const [own] = await store.claim({ holder: 'test', machine: 'here', limit: 1, leaseMs: 1_000 });
    await store.settle([{ ...asleep(must(own).lease), state: { list: [] } }]);
    const { state } = must(await store.load('main'));
    expect(() => (state as { list: number[] }).list.push(1)).toThrow(TypeError);
  });
});
