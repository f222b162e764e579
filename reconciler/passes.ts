// Which pass a key gets: a project's own is a sync with git, a fleet's looks after its machines, a
// volume's after the volume, a service's reconciles.
import { aroundOf } from '../schemas/keys.ts';
import { type FleetPassDeps, passFleet } from './fleet-pass.ts';
import { readFleets } from './fleets.ts';
import { type ReconcileDeps, reconcile } from './reconcile.ts';
import type { Claim, Settlement, Store } from './store/store.ts';
import { createSuccessors } from './successor.ts';
import { passVolume } from './volume-pass.ts';
import { createVolumes } from './volumes.ts';

export interface PassesDeps
  extends Omit<ReconcileDeps, 'fleets' | 'volumes' | 'successor' | 'store' | 'queue' | 'find'> {
  readonly project: string;
  readonly store: Pick<Store, 'settle' | 'users' | 'load'>;
  readonly find: FleetPassDeps['find'];
  /** Services that wait for capacity, and their keys. */
  readonly queue: {
    readonly waiting: NonNullable<ReconcileDeps['queue']>;
    readonly keys: () => readonly string[];
  };
  readonly wake: (key: string) => void;
  /** Of the project's own key. */
  readonly sync: (claim: Claim) => Promise<Settlement>;
}

export function createPasses(deps: PassesDeps): (claim: Claim) => Promise<Settlement> {
  const { sync, queue } = deps;
  const [volumes, successor] = [createVolumes(deps), createSuccessors(deps)];
  const service = { ...deps, volumes, successor, queue: queue.waiting };
  const around = { ...deps, waiting: queue.keys };
  return (claim) => {
    const { service: name } = claim.record;
    if (name === '') return sync(claim);
    switch (aroundOf(name)?.kind) {
      case 'fleet':
        return passFleet(around, claim);
      case 'volume':
        return passVolume(around, claim);
      default:
        return reconcile({ ...service, fleets: readFleets(deps) }, claim);
    }
  };
}
