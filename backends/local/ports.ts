// Chooses the `$PORT` of a replica.
import { createHash } from 'node:crypto';
import { Failure } from '../../schemas/errors.ts';

/** Below the range from which Linux takes the ports of outgoing connections, so that none of those is in the way. */
const FIRST = 20_000;
const COUNT = 12_000;

/**
 * A port that is in none of `taken`. The search begins at a place that depends on the slot's path: two data directories
 * on one machine, which know nothing of each other, seldom choose the same.
 */
export function choosePort(slot: string, taken: ReadonlySet<number>): number {
  const start = createHash('sha256').update(slot).digest().readUInt32BE() % COUNT;
  for (let step = 0; step < COUNT; step++) {
    const port = FIRST + ((start + step) % COUNT);
    if (!taken.has(port)) return port;
  }
  throw new Failure('no-capacity', `no port from ${FIRST} to ${FIRST + COUNT - 1} is free on this machine`);
}
