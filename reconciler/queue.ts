// Which services wait for capacity or ask for it, as their last passes left it.
import type { ServiceState } from '../schemas/rollout.ts';
import type { Clock } from './clock.ts';
import { type Queued, queuedOf } from './plan/queue.ts';

export interface Queue {
  note(key: string, state: ServiceState | null): void;
  waiting(): readonly Queued[];
  /** Of services that wait for capacity, or for something around them. */
  keys(): readonly string[];
}

export function createQueue(clock: Clock): Queue {
  const entries = new Map<string, { readonly at: number; readonly queued: Queued }>();
  return {
    note(key, state) {
      const queued = state && queuedOf(state);
      if (queued) entries.set(key, { at: clock.now(), queued });
      else entries.delete(key);
    },
    waiting() {
      return [...entries.values()].flatMap(({ at, queued }) => (clock.now() - at < STALE_MS ? [queued] : []));
    },
    keys: () => [...entries.keys()],
  };
}

// Private

/** Longer than a service that waits goes without a look. What is older is another reconciler's by now. */
const STALE_MS = 600_000;
