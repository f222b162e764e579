// The loop on virtual time and a store in memory.
import { expect, test } from 'vitest';
import { createLoop, LEASE_MS } from '../../reconciler/loop.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Claim, Settlement, Store } from '../../reconciler/store/store.ts';
import { settled, virtualClock } from '../clock.ts';

const START = 1_700_000_000_000;

function world(pass: (claim: Claim) => Promise<Settlement>, answerMs = 0) {
  const clock = virtualClock(START);
  const memory = openMemory({ now: () => clock.now() });
  const store: Store = {
    ...memory,
    async claim(request) {
      const claims = await memory.claim(request);
      if (answerMs > 0) await new Promise<void>((resolve) => clock.after(answerMs, resolve));
      return claims;
    },
  };
  const loop = createLoop({
    store,
    clock,
    holder: 'me',
    machine: 'here',
    pass,
    onFailure: () => {},
    onRecovery: () => {},
  });
  /** Moves in small steps, so that what a step starts can go on before the next. */
  const run = async (ms: number) => {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      await clock.moveTo(Math.min(end, clock.now() + 50));
      await settled();
    }
  };
  return { clock, store, loop, run };
}

const done = ({ lease, now }: Claim, wakeIn: number | null): Settlement => ({
  lease,
  wakeAt: wakeIn === null ? null : now + wakeIn,
  events: [],
  release: true,
});

test('a pass that takes long does not hold up the others', async () => {
  const quick: number[] = [];
  let slow = 0;
  const { store, loop, run, clock } = world(async (claim) => {
    if (claim.record.key === 'quick') {
      quick.push(clock.now() - START);
      return done(claim, 1_000);
    }
    slow += 1;
    if (slow > 1) await new Promise(() => {});
    return done(claim, 900);
  });
  await store.ensureProject('quick');
  await store.ensureProject('slow');
  loop.start();
  await run(4_000);
  expect(slow).toBe(2);
  expect(quick.length).toBeGreaterThanOrEqual(4);
});

test('a key woken during its own pass gets another one', async () => {
  let passes = 0;
  const { store, loop, run } = world(async (claim) => {
    passes += 1;
    if (passes === 1) loop.wake(claim.record.key);
    return done(claim, null);
  });
  await store.ensureProject('main');
  loop.start();
  await run(500);
  expect(passes).toBe(2);
});

test('a pass that throws is tried again later, and nobody else suffers', async () => {
  const passes: string[] = [];
  const { store, loop, run } = world(async (claim) => {
    passes.push(claim.record.key);
    if (claim.record.key === 'bad') throw new Error('a bug of ours');
    return done(claim, 1_000);
  });
  await store.ensureProject('bad');
  await store.ensureProject('good');
  loop.start();
  await run(8_000);
  const bad = passes.filter((key) => key === 'bad').length;
  expect(bad).toBeGreaterThan(1);
  expect(bad).toBeLessThan(6);
  expect(passes.filter((key) => key === 'good').length).toBeGreaterThan(6);
});

test('a key that was claimed anew while its pass slept is written twice, one after the other', async () => {
  const ends: (() => void)[] = [];
  const failures: string[] = [];
  const clock = virtualClock(START);
  const store = openMemory({ now: () => clock.now() });
  const loop = createLoop({
    store,
    clock,
    holder: 'me',
    machine: 'here',
    pass: (claim) => new Promise((resolve) => ends.push(() => resolve(done(claim, null)))),
    onFailure: (_, { message }) => failures.push(message),
    onRecovery: () => {},
  });
  await store.ensureProject('main');
  loop.start();
  await settled();
  clock.sleep(60_000);
  loop.wake('main');
  await clock.moveTo(clock.now() + 50);
  await settled();
  expect(ends).toHaveLength(2);
  for (const end of ends) end();
  await settled();
  expect(failures).toEqual([]);
  expect(await store.nextWake('here')).toBeNull();
});

test('a pass that takes long sees its lease as it was last renewed', async () => {
  const left: number[] = [];
  const { store, loop, run, clock } = world(async (claim) => {
    for (let look = 0; look < 4; look++) {
      await new Promise<void>((resolve) => clock.after(20_000, resolve));
      left.push(claim.lease.until - clock.now());
    }
    return done(claim, null);
  });
  await store.ensureProject('main');
  loop.start();
  await run(100_000);
  expect(left).toHaveLength(4);
  expect(Math.min(...left)).toBeGreaterThan(15_000);
  expect(Math.max(...left)).toBeLessThanOrEqual(30_000);
});

test('a pass knows how much of its lease was gone before it heard of it', async () => {
  const seen: Claim[] = [];
  const { store, loop, run } = world(async (claim) => {
    seen.push(claim);
    return done(claim, null);
  }, 20_000);
  await store.ensureProject('main');
  loop.start();
  await run(25_000);
  const [claim] = seen;
  const { now = 0, lease } = claim ?? {};
  expect(now - START).toBeGreaterThanOrEqual(20_000);
  expect((lease?.until ?? 0) - now).toBeLessThanOrEqual(LEASE_MS - 20_000);
});
