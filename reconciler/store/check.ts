// What a caller must keep to, checked alike on every store. Breaking it is our own mistake.
import { Failure } from '../../schemas/errors.ts';
import type { DesiredChange, Lease, Settlement } from './store.ts';

/** A pass ends once: two settlements of one key in one batch have no order. */
export function checkSettlements(settlements: readonly Settlement[]): void {
  checkDistinct(settlements.map((settlement) => settlement.lease.key));
}

/** The holder of a project's lease writes keys of that project. */
export function checkChanges(lease: Lease, changes: readonly DesiredChange[]): void {
  checkDistinct(changes.map((change) => change.key));
  const stray = changes.find((change) => !change.key.startsWith(`${lease.key}/`));
  if (stray !== undefined) throw new Failure('bug', `the lease of ${lease.key} does not cover ${stray.key}`);
}

// Private

function checkDistinct(keys: readonly string[]): void {
  const seen = new Set<string>();
  for (const key of keys) {
    if (seen.has(key)) throw new Failure('bug', `${key} is written twice in one batch`);
    seen.add(key);
  }
}
