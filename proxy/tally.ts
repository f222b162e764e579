// What all proxies of this machine have counted, those that have ended since included.
import { type Arrivals, openArrivals, serviceOf } from './arrivals.ts';

export interface Tally {
  /** The arrivals of one more proxy. */
  open(): Arrivals;
  /** That proxy has ended: what it counted stays counted. */
  end(arrivals: Arrivals): void;
  /** In the `seconds` that end with `now`. */
  sum(key: string, seconds: number, now: number): number;
  /** The second of the last one; null: none is known. */
  last(key: string): number | null;
  /** Drops all services but these. */
  retain(services: ReadonlySet<string>): void;
}

export function openTally(): Tally {
  const ended = openArrivals();
  const all = new Set([ended]);
  return {
    open() {
      const arrivals = openArrivals();
      all.add(arrivals);
      return arrivals;
    },
    end(arrivals) {
      if (!all.delete(arrivals)) return;
      for (const [key, entries] of Object.entries(arrivals.since(0))) {
        for (const [second, requests] of entries) ended.add(key, second, requests);
      }
    },
    sum: (key, seconds, now) => [...all].reduce((sum, arrivals) => sum + arrivals.sum(key, seconds, now), 0),
    last(key) {
      const seconds = [...all].flatMap((arrivals) => arrivals.last(key) ?? []);
      return seconds.length === 0 ? null : Math.max(...seconds);
    },
    retain(services) {
      for (const arrivals of all) arrivals.retain((key) => services.has(serviceOf(key)));
    },
  };
}
