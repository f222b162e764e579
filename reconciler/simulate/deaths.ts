// When the simulated reconciler dies at every single step: at each boundary once in each situation, so that the same
// situation, met again by its successor, is got through.
import type { FleetState } from '../../schemas/fleet.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { VolumeState } from '../../schemas/volume.ts';
import type { Scenario } from './scenario/read.ts';
import { EVERY_STEP } from './scenario/schema.ts';
import type { Crossing } from './world.ts';

export interface Deaths {
  /** How long it is dead, if it dies there; null: it lives on. */
  readonly at: (crossing: Crossing) => number | null;
}

/** `newest`: the number of the newest commit, which is part of every situation. */
export function createDeaths(crashes: Scenario['crashes'], newest: () => number): Deaths {
  const met = new Set<string>();
  if (crashes !== EVERY_STEP) return { at: () => null };
  return {
    at({ boundary, key, state }) {
      const situation = JSON.stringify([boundary, key, newest(), situationOf(key, state)]);
      if (met.has(situation)) return null;
      met.add(situation);
      return 0;
    },
  };
}

// Private

/** What of a record says where things stand; what only time changes is left out. */
function situationOf(key: string, state: unknown): unknown {
  if (state === null) return null;
  switch (aroundOf(key.slice(key.indexOf('/') + 1))?.kind) {
    case 'fleet':
      return machinesOf(state as FleetState);
    case 'volume':
      return (state as VolumeState).phase;
    default:
      return standOf(state as ServiceState);
  }
}

function machinesOf({ machines, refusals }: FleetState): unknown {
  const phases = machines.map(({ name, phase, instance, guest }) => [
    name,
    phase,
    instance !== null,
    guest?.replica,
  ]);
  return [refusals.length, phases];
}

function standOf({ target, good, rollout, route, replicas, quarantine }: ServiceState): unknown {
  const phases = replicas.map(({ name, phase, instance, trial }) => [
    name,
    phase,
    instance !== null,
    trial !== null,
  ]);
  return [target, good, rollout?.outcome, route?.version, quarantine !== null, phases];
}
