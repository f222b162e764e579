// What the outcome of an effect changes in a fleet's record at once; all else is left to the next observation.
import type { Instance } from '../../../schemas/actual.ts';
import type { Failure } from '../../../schemas/errors.ts';
import type { FleetState, Machine } from '../../../schemas/fleet.ts';
import { backoffMs } from '../backoff.ts';
import { withSetAside } from '../place.ts';
import type { FleetPart } from './advance.ts';
import type { FleetStep } from './decide.ts';
import { machineEvent } from './facts.ts';

export function foldMachine(state: FleetState, name: string, { id }: Instance): FleetPart {
  const known = { instance: id, tries: 0, retryAt: 0, detail: '' };
  return { state: update(state, name, (machine) => ({ ...machine, ...known })), events: [] };
}

/** The failure's kind alone decides: after a definite refusal there is no machine, and whoever waited for it hears so. */
export function foldMachineFailure(
  state: FleetState,
  step: FleetStep,
  failure: Failure,
  now: number,
): FleetPart {
  const machine = state.machines.find(({ name }) => name === step.machine);
  if (!machine || failure.kind === 'not-found') return { state, events: [] };
  const text = `${step.kind} of ${machine.name}: ${failure.message}${failure.fix ? `; ${failure.fix}` : ''}`;
  const events = machine.detail === failure.message ? [] : [machineEvent(state, 'failure', text, machine)];
  const { kind, message } = failure;
  if (step.kind === 'create' && isDefinite(kind))
    return { state: refused(state, machine, kind, message, now), events };
  const tries = machine.tries + 1;
  const retryAt = failure.retryAt ?? now + Math.min(backoffMs(tries, false), MOST_PAID_MS);
  return {
    state: update(state, machine.name, (each) => ({ ...each, tries, retryAt, detail: message })),
    events,
  };
}

// Private

/** Somebody waits for it, or it is paid for: the longest pause before it is tried again. */
const MOST_PAID_MS = 60_000;

type Definite = 'no-capacity' | 'quota' | 'unauthorized' | 'invalid';

function isDefinite(kind: Failure['kind']): kind is Definite {
  return kind === 'no-capacity' || kind === 'quota' || kind === 'unauthorized' || kind === 'invalid';
}

function refused(
  state: FleetState,
  machine: Machine,
  kind: Definite,
  message: string,
  now: number,
): FleetState {
  return {
    ...state,
    machines: state.machines.filter((each) => each !== machine),
    refusals: machine.guest ? [...state.refusals, { ...machine.guest, kind, message }] : state.refusals,
    setAside: withSetAside(state.setAside, machine.offer, { kind, message }, 0, now),
  };
}

function update(state: FleetState, name: string, change: (machine: Machine) => Machine): FleetState {
  return {
    ...state,
    machines: state.machines.map((machine) => (machine.name === name ? change(machine) : machine)),
  };
}
