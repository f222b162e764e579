// How long to wait before trying a replica again.

const FIRST_MS = 1_000;
/** While a good deployment serves, waiting longer than this only delays the verdict on the new one. */
const CAP_ROLLING_MS = 10_000;
/** With nothing good to return to, or outside a rollout. */
const CAP_MS = 600_000;
/** A replica that was ready for this long did not crash because it cannot start. */
export const HEALTHY_MS = 60_000;

/** Delay before try number `failures` + 1; doubles from 1 s up to the cap. */
export function backoffMs(failures: number, rolling: boolean): number {
  const cap = rolling ? CAP_ROLLING_MS : CAP_MS;
  return failures <= 0 ? 0 : Math.min(cap, FIRST_MS * 2 ** Math.min(failures - 1, 20));
}

/**
 * How long an offer is left alone that failed `failures` times in a row: dstack's steps, up to 5 minutes. A service of
 * higher priority (0 to 100) looks again more often, up to once a minute.
 */
export function pauseMs(failures: number, priority: number = 0): number {
  const cap = 300_000 - 2_400 * Math.min(100, Math.max(0, priority));
  return Math.min(cap, 15_000 * 2 ** Math.min(failures - 1, 10));
}
