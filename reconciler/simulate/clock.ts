// Virtual time: timers run when the clock is moved, in order, and nothing waits for real.
import { setImmediate } from 'node:timers/promises';
import { Failure } from '../../schemas/errors.ts';
import type { Clock } from '../clock.ts';
import { createHeap } from './heap.ts';

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
  const timers = createHeap<Timer>((a, b) => a.at < b.at || (a.at === b.at && a.number < b.number));
  const first = (): Timer | null => {
    while (timers.peek()?.isCancelled) timers.pop();
    return timers.peek() ?? null;
  };
  return {
    now: () => now,
    after(ms, run) {
      const timer: Timer = { at: now + Math.max(0, ms), number: sequence++, run, isCancelled: false };
      timers.push(timer);
      return () => {
        timer.isCancelled = true;
      };
    },
    nextAt: () => first()?.at ?? null,
    async moveTo(at) {
      let still = 0;
      for (let next = first(); next !== null && next.at <= at; next = first()) {
        still = next.at > now ? 0 : still + 1;
        if (still > MOST_AT_ONCE)
          throw new Failure('bug', `time does not pass: ${still} timers fired at one instant`);
        now = Math.max(now, next.at);
        timers.pop();
        next.run();
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

// Private

/** Far more than any world needs; without a bound, what wakes itself at once would go on for ever. */
const MOST_AT_ONCE = 200_000;

interface Timer {
  readonly at: number;
  readonly number: number;
  readonly run: () => void;
  isCancelled: boolean;
}
