// How many requests came lately, by replica group: what autoscaling goes by.

export interface RequestCounter {
  arrived(group: string, at: number): void;
  /** In the last `windowMs` before `now`; at most `KEPT_MS` are remembered. */
  sum(group: string, now: number, windowMs: number): number;
  /** Since the last one; null: none is remembered. */
  quietMs(group: string, now: number): number | null;
}

/** As long as the reference keeps its frames (services.md 6). */
const KEPT_MS = 300_000;
const FRAME_MS = 1_000;

export function createCounter(): RequestCounter {
  /** Requests per frame, newest last. */
  const frames = new Map<string, Frame[]>();
  const lastAt = new Map<string, number>();

  return {
    arrived(group, at) {
      lastAt.set(group, at);
      const counted = frames.get(group) ?? [];
      frames.set(group, counted);
      const from = Math.floor(at / FRAME_MS) * FRAME_MS;
      const newest = counted.at(-1);
      if (newest?.from === from) newest.count += 1;
      else counted.push({ from, count: 1 });
      if (counted.length > KEPT_MS / FRAME_MS) counted.shift();
    },
    sum(group, now, windowMs) {
      const since = now - Math.min(windowMs, KEPT_MS);
      const counted = frames.get(group) ?? [];
      return counted.filter(({ from }) => from >= since).reduce((sum, { count }) => sum + count, 0);
    },
    quietMs(group, now) {
      const at = lastAt.get(group);
      return at === undefined ? null : Math.max(0, now - at);
    },
  };
}

// Private

interface Frame {
  /** Epoch ms of its beginning. */
  readonly from: number;
  count: number;
}
