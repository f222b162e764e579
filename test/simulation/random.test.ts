// A few hundred random worlds; `npm run campaign` lives through as many as one likes.
import fc from 'fast-check';
import { test } from 'vitest';
import { live, randomWorld } from './random-worlds.ts';

test('whatever happens, the rules hold; and when it ends, what was asked last runs', async () => {
  const world = fc.asyncProperty(randomWorld, async (each) => {
    await live(each);
  });
  await fc.assert(world, {
    numRuns: Number(process.env.TRUEUP_WORLDS ?? 200),
    seed: Number(process.env.TRUEUP_SEED ?? 20_261_121),
    endOnFailure: true,
  });
}, 240_000);

test('a replica that fails its probes at this very look is not sent away by the same', async () => {
  await live({
    seed: 0,
    clouds: ['local', 'small'],
    traffic: 'steady',
    happenings: [
      { kind: 'commit', version: 26 },
      { kind: 'deaf', is: true },
      { kind: 'wait', ms: 52_020 },
      { kind: 'kill', after: 34 },
      { kind: 'commit', version: 0 },
      { kind: 'unreliable', percent: 0 },
      { kind: 'unreliable', percent: 0 },
    ],
  });
});
