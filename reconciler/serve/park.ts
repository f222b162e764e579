// After everything was ended by a person: notes that no replica is there any more. The next start then makes them
// anew, instead of finding them lost.
import type { ServiceState } from '../../schemas/rollout.ts';
import type { Claim, Settlement, Store } from '../store/store.ts';

const LEASE_MS = 10_000;
const BATCH = 256;

/** Services of other reconcilers, whose leases cannot be had, are left alone. */
export async function parkServices(
  store: Store,
  projects: readonly string[],
  machine: string,
): Promise<void> {
  for (const project of projects) {
    const records = await store.list(project);
    const keys = records
      .filter(({ state, service }) => service !== '' && state !== null && replicasOf(state).length > 0)
      .map(({ key }) => key);
    await store.wake(keys);
    const request = { holder: machine, machine, limit: BATCH, leaseMs: LEASE_MS, keys };
    for (;;) {
      const claims = keys.length > 0 ? await store.claim(request) : [];
      if (claims.length === 0) break;
      await store.settle(claims.map(parked));
    }
  }
}

// Private

function replicasOf(state: unknown): ServiceState['replicas'] {
  return (state as ServiceState).replicas;
}

/** Due at the next start, not before: a key that is due now would be claimed again and again. */
function parked({ record, lease, now }: Claim): Settlement {
  const before = record.state as ServiceState;
  const route = before.route && { ...before.route, version: before.route.version + 1, replicas: [] };
  const state: ServiceState = {
    ...before,
    replicas: [],
    backoff: {},
    route,
    status: 'starting',
    waiting: [],
    observedAt: now,
  };
  return { lease, state, machine: null, wakeAt: now + LEASE_MS, events: [], release: true };
}
