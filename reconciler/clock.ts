// Time inside a process: monotonic, so that a clock that is set does not shorten a wait. Tests bring a virtual one.

export interface Clock {
  /** Milliseconds since some fixed instant. */
  now(): number;
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Node fires a timer of more than 2^31-1 ms at once. */
const MAX_TIMER_MS = 2_000_000_000;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.max(0, Math.min(ms, MAX_TIMER_MS)));
    return () => clearTimeout(timer);
  },
};
