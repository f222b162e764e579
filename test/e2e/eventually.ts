// Waiting without sleeping: asks again until there is an answer, and says what it waited for when none came.

/** `shown` tells, at the end, what was there instead. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  ms = LONG_MS,
  shown: () => string = () => '',
): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}\n${shown()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

// Private

/** Far more than anything here takes on an idle machine; tests have yet more, so that this is what ends a vain wait. */
const LONG_MS = 40_000;

/** A status takes the daemon about a millisecond; the two cores have better things to do than to answer more often. */
const PAUSE_MS = 50;
