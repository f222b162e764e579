// Virtual time: timers run when the clock is moved, in order, and nothing waits for real.
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../reconciler/clock.ts';

export interface VirtualClock extends Clock {
  /** When the next timer is due; null: none is. */
  nextAt(): number | null;
  /** Moves to `at`, running every timer on the way; promises that a timer started are let run after each. */
  moveTo(at: number): Promise<void>;
  /** Time passes, but nothing runs: a machine asleep. Its timers run late, at the next move. */
  sleep(ms: number): void;
}

export function virtualClock(start: number): VirtualClock {
  let now = start;
  let sequence = 0;
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  const first = () =>
    [...timers].reduce<[number, { at: number; run: () => void }] | null>(
      (best, each) => (best === null || each[1].at < best[1].at ? each : best),
      null,
    );
  return {
    now: () => now,
    after(ms, run) {
      const id = sequence++;
      timers.set(id, { at: now + Math.max(0, ms), run });
      return () => timers.delete(id);
    },
    nextAt: () => first()?.[1].at ?? null,
    async moveTo(at) {
      for (let next = first(); next !== null && next[1].at <= at; next = first()) {
        now = Math.max(now, next[1].at);
        timers.delete(next[0]);
        next[1].run();
        await settled();
      }
      now = Math.max(now, at);
    },
    sleep(ms) {
      now += ms;
    },
  };
}

/** Lets every promise that can go on without time go on. */
export async function settled(): Promise<void> {
  await setImmediate();
}
