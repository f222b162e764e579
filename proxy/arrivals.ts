// How many requests came in each of the last ten minutes' seconds, by key. Bounded: a fixed number of counters per key.

/** Of what the daemon asks for, five minutes are the longest. */
export const KEPT_SECONDS = 600;

/** `[second, requests]` of seconds in which there were any. */
export type Counts = { readonly [key: string]: readonly (readonly [second: number, requests: number])[] };

export interface Arrivals {
  /** One more in this second, or so many. */
  add(key: string, second: number, requests?: number): void;
  /** What somebody else has counted so far; takes the place of what was noted for these seconds before. */
  note(counts: Counts): void;
  /** All that is known of this second and later ones. */
  since(second: number): Counts;
  /** In the `seconds` that end with `now`. */
  sum(key: string, seconds: number, now: number): number;
  /** The second of the last one; null: none is known. */
  last(key: string): number | null;
  /** Drops the keys that are not to be kept. */
  retain(isKept: (key: string) => boolean): void;
}

/** Seconds since the machine started: the same for all its processes, whatever is done to its clock. */
export function machineSecond(): number {
  return process.hrtime()[0];
}

/** The name under which the requests of a replica group are counted. */
export function groupKey(service: string, group: string): string {
  return `${service}/${group}`;
}

/** `<project>/<service>` of a group's key. */
export function serviceOf(key: string): string {
  return key.split('/', 2).join('/');
}

export function openArrivals(): Arrivals {
  const rings = new Map<string, Ring>();

  function put(key: string, second: number, count: (before: number) => number): void {
    const ring = rings.get(key) ?? { counts: new Uint32Array(KEPT_SECONDS), newest: second };
    rings.set(key, ring);
    advance(ring, second);
    const at = second % KEPT_SECONDS;
    if (second > ring.newest - KEPT_SECONDS) ring.counts[at] = count(ring.counts[at] ?? 0);
  }

  return {
    add(key, second, requests = 1) {
      put(key, second, (before) => before + requests);
    },
    note(counts) {
      for (const [key, entries] of Object.entries(counts)) {
        for (const [second, requests] of entries) put(key, second, () => requests);
      }
    },
    since(second) {
      const known = [...rings].map(([key, ring]) => [key, entriesSince(ring, second)] as const);
      return Object.fromEntries(known.filter(([, entries]) => entries.length > 0));
    },
    sum(key, seconds, now) {
      const ring = rings.get(key);
      if (ring === undefined) return 0;
      return entriesSince(ring, now - seconds + 1).reduce((sum, [, requests]) => sum + requests, 0);
    },
    last: (key) => rings.get(key)?.newest ?? null,
    retain(isWanted) {
      for (const key of rings.keys()) if (!isWanted(key)) rings.delete(key);
    },
  };
}

// Private

interface Ring {
  /** The requests of second `s` are at `s % KEPT_SECONDS`. */
  readonly counts: Uint32Array;
  newest: number;
}

/** Makes room for a later second. */
function advance(ring: Ring, second: number): void {
  const from = Math.max(ring.newest + 1, second - KEPT_SECONDS + 1);
  for (let at = from; at <= second; at++) ring.counts[at % KEPT_SECONDS] = 0;
  ring.newest = Math.max(ring.newest, second);
}

function entriesSince({ counts, newest }: Ring, second: number): [number, number][] {
  const entries: [number, number][] = [];
  for (let at = Math.max(second, newest - KEPT_SECONDS + 1, 0); at <= newest; at++) {
    const requests = counts[at % KEPT_SECONDS] ?? 0;
    if (requests > 0) entries.push([at, requests]);
  }
  return entries;
}
