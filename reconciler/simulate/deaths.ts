// When the simulated reconciler dies at every single step: at each boundary once in each situation, so that the same
// situation, met again by its successor, is got through.
import type { ServiceState } from '../../schemas/rollout.ts';
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
      const situation = JSON.stringify([boundary, key, newest(), situationOf(state as ServiceState | null)]);
      if (met.has(situation)) return null;
      met.add(situation);
      return 0;
    },
  };
}

// Private

/** What of a record says where things stand; what only time changes is left out. */
function situationOf(state: ServiceState | null): unknown {
  if (state === null) return null;
  const { target, good, rollout, route, replicas, quarantine } = state;
  const phases = replicas.map(({ name, phase, instance, trial }) => [
    name,
    phase,
    instance !== null,
    trial !== null,
  ]);
  return [target, good, rollout?.outcome, route?.version, quarantine !== null, phases];
}
