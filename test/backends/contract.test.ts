import { openFake } from '../../backends/fake.ts';
import { processSpec } from './builders.ts';
import { backendContract } from './contract.ts';
import { openWorld, server, until } from './slots.ts';

backendContract('local', async () => {
  const { backend, close } = await openWorld();
  return { backend, server: () => server(), until, close };
});

backendContract('fake', async () => {
  let now = 1_000_000;
  const backend = openFake({
    seed: 1,
    now: () => now,
    offers: [
      {
        backend: 'fake',
        region: 'eu-1',
        instance: 'small',
        resources: { cpus: 2, arch: 'x86', memoryGib: 8, diskGib: 100, gpus: [] },
        spot: false,
        price: 0.5,
        availability: 'available',
      },
    ],
    bootMs: 30_000,
    endMs: 5_000,
    listLagMs: 2_000,
    diskMs: 4_000,
    behaviour: () => ({ prints: ({ env }) => ['started', ...(env.TOLD === undefined ? [] : [env.TOLD])] }),
  });
  return {
    backend,
    server: () => ({ spec: processSpec(), mounts: [] }),
    async until(look) {
      const end = now + 600_000;
      for (;;) {
        const found = await look();
        if (found !== null) return found;
        if (now > end) throw new Error(`waited in vain for: ${look}`);
        now += 100;
        backend.tick();
      }
    },
    close: () => backend.close(),
  };
});
