// Who gets which machine, which are made, and which are given back.
//
//   lend    whoever asks gets an idle machine of the kind it was placed on, else a new one, else a refusal
//   keep    as many as `nodes` asks for are there, whether or not anybody uses them
//   release what nobody uses and nothing keeps is ended: for too long idle, more than `nodes.max`, not as asked any more
import {
  type DesiredFleet,
  type FleetSpec,
  type FleetState,
  type Guest,
  IDLE_POOL,
  type Machine,
  type Refusal,
} from '../../../schemas/fleet.ts';
import type { Offer } from '../../../schemas/offer.ts';
import { durationText } from '../../../schemas/units.ts';
import { satisfies } from '../fits.ts';
import { place } from '../place.ts';
import type { FleetPart } from './advance.ts';
import { type FleetActual, type GuestFact, isGuest, isSameKind, machineEvent } from './facts.ts';

export function lend(
  { state, events }: FleetPart,
  desired: DesiredFleet | null,
  actual: FleetActual,
  now: number,
) {
  const asking = actual.guests
    .filter((guest) => guest.wish === 'asking' && !isAnswered(state, guest))
    .toSorted(firstServed);
  return asking.reduce((part, guest) => answer(part, desired, guest, now), { state, events });
}

/** How many machines are to be there for nobody in particular. */
export function keptCount({ nodes }: FleetSpec, { isBegun }: Pick<FleetState, 'isBegun'>): number {
  return isBegun ? nodes.min : Math.max(nodes.min, nodes.target);
}

export function lackOf(
  desired: DesiredFleet | null,
  state: Pick<FleetState, 'isBegun' | 'machines'>,
): number {
  if (!desired || desired.spec.refusal !== null) return 0;
  return Math.max(0, keptCount(desired.spec, state) - state.machines.filter(isStaying).length);
}

export function keep(
  part: FleetPart,
  desired: DesiredFleet | null,
  actual: FleetActual,
  now: number,
): FleetPart {
  const { state } = part;
  const lack = lackOf(desired, state);
  if (!desired || lack === 0) return part;
  const number = Math.min(lack, roomIn(desired.spec, state));
  const choice = place(actual.offers ?? undefined, state.setAside, now);
  if (choice.kind === 'none') return part;
  return Array.from({ length: number }).reduce<FleetPart>(
    (before) => made(before, choice.offer, null, null, now),
    part,
  );
}

/** Once there are as many as are wanted at first, only the least number is kept. */
export function begun({ state, events }: FleetPart, desired: DesiredFleet | null): FleetPart {
  const isOpen = desired === null || desired.spec.refusal !== null || lackOf(desired, state) > 0;
  return state.isBegun || isOpen ? { state, events } : { state: { ...state, isBegun: true }, events };
}

export function release({ state, events }: FleetPart, desired: DesiredFleet | null, now: number): FleetPart {
  const idle = state.machines.filter((machine) => isStaying(machine) && machine.guest === null);
  const reasons = new Map<string, string>();
  let left = state.machines.filter(isStaying).length;
  for (const machine of idle.toSorted(longestIdle)) {
    const why = whyReleased(machine, desired, left, now);
    if (why === null) continue;
    reasons.set(machine.name, why);
    left -= 1;
  }
  if (reasons.size === 0) return { state, events };
  const ended = (machine: Machine): Machine => {
    const leaving = reasons.get(machine.name);
    return leaving === undefined
      ? machine
      : { ...machine, phase: 'ending', leaving, stageMs: 0, tries: 0, retryAt: 0 };
  };
  const told = idle.flatMap((machine) => {
    const why = reasons.get(machine.name);
    return why === undefined
      ? []
      : [machineEvent(state, 'machine-ending', `${machine.name} is given back: ${why}`, machine)];
  });
  return { state: { ...state, machines: state.machines.map(ended) }, events: [...events, ...told] };
}

/** It stays a machine of the fleet. */
export function isStaying({ phase }: Machine): boolean {
  return phase !== 'ending';
}

/** Machines that somebody may have now: those of which nothing is the matter. */
export function isIdle({ phase, guest, detail }: Machine): boolean {
  return phase === 'ready' && guest === null && detail === '';
}

/** When an idle machine is no longer kept, unless it is one of the least number; null: it is used, or kept for ever. */
export function idleEndOf({ phase, idleSince, keepMs }: Machine, { spec }: DesiredFleet): number | null {
  const ms = shorter(spec.idleMs, keepMs);
  return phase === 'ready' && idleSince !== null && ms !== null ? idleSince + ms : null;
}

/** How many more machines the fleet may have; what is on its way out still counts. */
export function roomIn({ nodes }: FleetSpec, { machines }: Pick<FleetState, 'machines'>): number {
  return Math.max(0, (nodes.max ?? Number.POSITIVE_INFINITY) - machines.length);
}

export function fullText({ name, nodes }: FleetSpec, { machines }: Pick<FleetState, 'machines'>): string {
  const used = machines.filter(({ guest }) => guest !== null).length;
  return `fleet ${name} is full: ${used} of its ${nodes.max ?? machines.length} machines are in use`;
}

// Private

function isAnswered({ machines, refusals }: FleetState, guest: Guest): boolean {
  return (
    machines.some((machine) => machine.guest !== null && isGuest(machine.guest, guest)) ||
    refusals.some((refusal) => isGuest(refusal, guest))
  );
}

/** By priority, then who has asked longest; a total order. */
function firstServed(a: GuestFact, b: GuestFact): number {
  return b.priority - a.priority || a.since - b.since || (a.replica < b.replica ? -1 : 1);
}

function answer(part: FleetPart, desired: DesiredFleet | null, guest: GuestFact, now: number): FleetPart {
  const { state, events } = part;
  const { service, replica, attempt, offer } = guest;
  const own: Guest = { service, replica, attempt };
  const free = state.machines.filter((machine) => isLendable(machine) && isSameKind(machine.offer, offer));
  const [machine] = free.toSorted(readyFirst);
  if (!desired) return refused(part, own, `the fleet ${state.fleet} is being given up`);
  if (desired.spec.refusal !== null) return refused(part, own, desired.spec.refusal);
  if (!satisfies(offer, desired.spec.placement))
    return refused(part, own, `${offer.instance} is not what the fleet ${state.fleet} asks for any more`);
  if (machine) {
    // One that is used again is kept for as long as the fleet says; in the pool, as who uses it does.
    const keepMs = state.fleet === IDLE_POOL ? guest.keepMs : null;
    const lent: Machine = { ...machine, guest: own, idleSince: null, keepMs };
    return {
      state: { ...state, machines: state.machines.map((each) => (each === machine ? lent : each)) },
      events: [
        ...events,
        machineEvent(state, 'machine-lent', `${machine.name} is ${replica}'s now`, machine),
      ],
    };
  }
  if (offer.isIdleOnly) return refused(part, own, `no idle machine of fleet ${state.fleet} is left`);
  if (roomIn(desired.spec, state) === 0) return refused(part, own, fullText(desired.spec, state));
  return made(part, offer, own, guest.keepMs, now);
}

/** One that is on its way comes sooner than one that is not asked for yet. */
function isLendable(machine: Machine): boolean {
  return isIdle(machine) || (machine.phase === 'creating' && machine.guest === null);
}

function readyFirst(a: Machine, b: Machine): number {
  return Number(b.phase === 'ready') - Number(a.phase === 'ready') || a.number - b.number;
}

function refused({ state, events }: FleetPart, guest: Guest, message: string): FleetPart {
  const refusal: Refusal = { ...guest, kind: 'no-capacity', message };
  return { state: { ...state, refusals: [...state.refusals, refusal] }, events };
}

function made(
  { state, events }: FleetPart,
  { fleet: _, isIdleOnly: __, mounted: ___, ...offer }: Offer,
  guest: Guest | null,
  keepMs: number | null,
  now: number,
): FleetPart {
  const number = state.lastMachine + 1;
  const machine: Machine = {
    name: `${state.fleet}-m${number}`,
    number,
    attempt: state.firstAttempt,
    phase: 'creating',
    offer: { ...offer, availability: 'unknown' },
    instance: null,
    guest,
    keepMs,
    idleSince: null,
    stageMs: 0,
    leaving: '',
    createdAt: now,
    tries: 0,
    retryAt: 0,
    detail: '',
  };
  const whom = guest ? `for ${guest.replica}` : 'to be kept';
  const reason = `${machine.name} on ${offer.backend} (${offer.region}, ${offer.instance}) ${whom}`;
  return {
    state: { ...state, lastMachine: number, machines: [...state.machines, machine] },
    events: [...events, machineEvent(state, 'machine-created', reason, machine)],
  };
}

/** null is for ever; of two, the shorter counts. */
function shorter(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function whyReleased(
  machine: Machine,
  desired: DesiredFleet | null,
  left: number,
  now: number,
): string | null {
  if (!desired) return 'its fleet is given up';
  const { nodes, placement } = desired.spec;
  if (left > (nodes.max ?? Number.POSITIVE_INFINITY)) return 'there are more than `nodes` allows';
  if (machine.phase === 'clearing') return null;
  if (!satisfies(machine.offer, placement)) return 'it is not what the fleet asks for any more';
  const idleMs = machine.idleSince === null ? 0 : now - machine.idleSince;
  const isOver = now >= (idleEndOf(machine, desired) ?? Number.POSITIVE_INFINITY);
  return isOver && left > nodes.min ? `nobody has used it for ${durationText(idleMs / 1000)}` : null;
}

function longestIdle(a: Machine, b: Machine): number {
  const since = ({ idleSince }: Machine) => idleSince ?? Number.POSITIVE_INFINITY;
  return since(a) - since(b) || b.number - a.number;
}
