// Folds what was observed into a fleet's machines, and takes them from guests that have left.
import type { Instance, ReplicaFact } from '../../../schemas/actual.ts';
import type { NewEvent } from '../../../schemas/events.ts';
import type { FleetState, Machine, Refusal } from '../../../schemas/fleet.ts';
import { chargeMs } from '../advance.ts';
import { hiddenMs, provisionMs, STOP_GRACE_MS } from '../deadlines.ts';
import { withoutSetAside, withSetAside } from '../place.ts';
import { type FleetActual, type GuestFact, isGuest, machineEvent } from './facts.ts';

export interface FleetPart {
  readonly state: FleetState;
  readonly events: readonly NewEvent[];
}

export function advanceFleet(before: FleetState, actual: FleetActual, now: number): FleetPart {
  const elapsed = chargeMs(before.observedAt, now);
  const start: FleetPart = {
    state: {
      ...before,
      machines: [],
      refusals: before.refusals.filter((each) => isStillAsked(each, actual)),
    },
    events: [],
  };
  return before.machines.reduce((part, machine) => {
    const fact = actual.machines[machine.name] ?? { kind: 'unknown', reason: 'not observed yet' };
    const known = identified(freed(machine, fact, actual, now), fact);
    const isGivenBack = guestOf(known, actual)?.wish === 'done';
    return advanceMachine(part, known, { fact, isGivenBack, elapsed, now });
  }, start);
}

// Private

function isStillAsked(refusal: Refusal, { guests }: FleetActual): boolean {
  return guests.some((guest) => isGuest(guest, refusal));
}

/** The answer to `create` may have been lost: what was found by its tags is known by its id from then on. */
function identified(machine: Machine, fact: ReplicaFact): Machine {
  return fact.kind === 'present' && machine.instance === null
    ? { ...machine, instance: fact.instance.id }
    : machine;
}

function guestOf({ guest }: Machine, { guests }: FleetActual): GuestFact | undefined {
  return guest ? guests.find((each) => isGuest(each, guest)) : undefined;
}

/** Its guest is gone, or gives it back and has ended: what is left of it is removed before anybody else comes. */
function freed(machine: Machine, fact: ReplicaFact, actual: FleetActual, now: number): Machine {
  const own = guestOf(machine, actual);
  if (!machine.guest || (own && (own.wish !== 'done' || runs(fact)))) return machine;
  return { ...machine, guest: null, idleSince: now };
}

/** What cannot be seen may run. */
function runs(fact: ReplicaFact): boolean {
  if (fact.kind === 'present') return fact.process.kind !== 'absent' && fact.process.kind !== 'exited';
  return fact.kind === 'unknown';
}

interface Look {
  readonly fact: ReplicaFact;
  /** By its guest, whose process still runs there. */
  readonly isGivenBack: boolean;
  readonly elapsed: number;
  readonly now: number;
}

function advanceMachine(
  { state, events }: FleetPart,
  machine: Machine,
  { fact, isGivenBack, elapsed, now }: Look,
): FleetPart {
  const keep = (change: Partial<Machine>, told: readonly NewEvent[] = []): FleetPart => ({
    state: { ...state, machines: [...state.machines, { ...machine, ...change }] },
    events: [...events, ...told],
  });
  const tell = (event: NewEvent['event'], reason: string) => machineEvent(state, event, reason, machine);
  const drop = (event: NewEvent['event'], reason: string): FleetPart => ({
    state,
    events: [...events, tell(event, reason)],
  });
  const { name, phase, offer, leaving } = machine;
  const stageMs = machine.stageMs + elapsed;
  if (fact.kind === 'unknown') return keep({ detail: fact.reason });
  switch (phase) {
    case 'creating': {
      if (fact.kind === 'present' && fact.instance.status !== 'provisioning') {
        const setAside = withoutSetAside(state.setAside, offer, now) ?? [];
        const idleSince = machine.guest ? null : now;
        const detail = takenText(fact.instance);
        const ready = keep({ ...RESTED, phase: 'ready', idleSince, detail }, [
          tell('machine-ready', `${name} is there`),
        ]);
        return { ...ready, state: { ...ready.state, setAside } };
      }
      if (stageMs >= provisionMs(offer)) return tooSlow({ state, events }, machine, stageMs, now);
      const isThere = fact.kind === 'present';
      return keep({ stageMs, ...(isThere ? { detail: 'the instance is being provisioned' } : {}) });
    }
    case 'ready':
      if (fact.kind === 'missing') return drop('machine-lost', `${name}: its instance is gone`);
      // Somebody ran something there, or left it.
      if (machine.guest === null && fact.process.kind !== 'absent')
        return keep({ phase: 'clearing', stageMs: 0 });
      if (!isGivenBack) return keep({ stageMs: 0, detail: takenText(fact.instance) });
      return stageMs < STOP_GRACE_MS
        ? keep({ stageMs })
        : keep({ phase: 'ending', guest: null, stageMs: 0, leaving: STUCK });
    case 'clearing':
      if (fact.kind === 'missing') return drop('machine-lost', `${name}: its instance is gone`);
      return fact.process.kind === 'absent'
        ? keep({ ...RESTED, phase: 'ready', idleSince: now, detail: takenText(fact.instance) }, [
            tell('machine-idle', `${name} is idle`),
          ])
        : keep(stageMs < CLEAR_MS ? { stageMs } : { phase: 'ending', stageMs: 0, leaving: STUCK });
    case 'ending': {
      const isGone = fact.kind === 'missing' && (machine.instance !== null || stageMs >= hiddenMs(offer));
      return isGone ? drop('machine-stopped', `${name} is gone: ${leaving}`) : keep({ stageMs });
    }
  }
}

/** Nobody is to have one that its cloud is about to take away. */
function takenText({ status }: Instance): string {
  return status === 'stopping' ? 'its cloud takes it away' : '';
}

const STUCK = 'what ran on it does not end';
/** As long as what nobody owns any more may take to end. */
const CLEAR_MS = 600_000;

const RESTED = { stageMs: 0, tries: 0, retryAt: 0, detail: '' };

/** What gave no machine in time is ended and left alone for a while; who waited for it hears so. */
function tooSlow({ state, events }: FleetPart, machine: Machine, stageMs: number, now: number): FleetPart {
  const message = `${machine.offer.backend}: ${machine.name} was not there within ${Math.round(stageMs / 60_000)} min`;
  const setAside = withSetAside(state.setAside, machine.offer, { kind: 'no-capacity', message }, 0, now);
  const ending: Machine = { ...machine, phase: 'ending', guest: null, stageMs: 0, leaving: message };
  const refusals = machine.guest
    ? [...state.refusals, { ...machine.guest, kind: 'no-capacity' as const, message }]
    : state.refusals;
  return {
    state: { ...state, setAside, refusals, machines: [...state.machines, ending] },
    events: [...events, machineEvent(state, 'failure', message, machine)],
  };
}
