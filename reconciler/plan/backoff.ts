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
