// Which replica takes a request: the less busy of two drawn at random, which keeps load even without any ordering.

export interface Candidate {
  /** Requests of this proxy that it is answering now. */
  readonly inflight: number;
  /** Until then (ms of `performance.now()`) it refused connections, and others go first. */
  readonly downUntil: number;
}

/** Picks among those not in `tried`; null when there is none. `random` gives [0, 1). */
export function pick<T extends Candidate>(
  candidates: readonly T[],
  tried: readonly T[],
  now: number,
  random: () => number = Math.random,
): T | null {
  if (candidates.length === 1 && tried.length === 0) return candidates[0] ?? null;
  const untried =
    tried.length === 0 ? candidates : candidates.filter((candidate) => !tried.includes(candidate));
  const up = untried.filter((candidate) => candidate.downUntil <= now);
  return lessBusyOfTwo(up.length > 0 ? up : untried, random);
}

// Private

function lessBusyOfTwo<T extends Candidate>(from: readonly T[], random: () => number): T | null {
  const first = Math.floor(random() * from.length);
  const second = (first + 1 + Math.floor(random() * (from.length - 1))) % from.length;
  const a = from[first];
  const b = from[second] ?? a;
  if (a === undefined || b === undefined) return null;
  return b.inflight < a.inflight ? b : a;
}
