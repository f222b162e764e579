// What must hold of any decision of a fleet, beside what `plan/fleet/check` says: that is run before each decision is
// carried out, this in tests alone, so it may take its time.
import { checkFleet } from '../../reconciler/plan/fleet/check.ts';
import { decideFleet, type FleetDecision } from '../../reconciler/plan/fleet/decide.ts';
import type { FleetInput, GuestFact } from '../../reconciler/plan/fleet/facts.ts';
import type { Guest, Machine } from '../../schemas/fleet.ts';

/** Throws what is wrong with it. */
export function judgeFleet(input: FleetInput, decision: FleetDecision): void {
  const broken = [
    ...checkFleet(input, decision),
    ...machinesOf(decision).flatMap((machine) => wrongWith(machine, input)),
    ...forgottenBy(input, decision),
    ...surplus(input, decision),
    ...restless(input, decision),
    ...careless(input, decision),
  ];
  if (broken.length > 0) throw new Error(broken.join('; '));
}

// Private

function machinesOf({ state }: Pick<FleetDecision, 'state'>): readonly Machine[] {
  return state?.machines ?? [];
}

function wrongWith(machine: Machine, { state, actual, desired }: FleetInput): string[] {
  const { name, phase, guest } = machine;
  const before = state?.machines.find((each) => each.name === name);
  const fact = actual.machines[name];
  const broken: string[] = [];
  if (guest && !before?.guest) {
    const asked = actual.guests.find((each) => isSame(each, guest));
    if (asked?.wish !== 'asking') broken.push(`${name} is given to ${guest.replica}, which does not ask`);
    if (!desired) broken.push(`${name} is given to ${guest.replica} by a fleet that is given up`);
    if (before && phase === 'ready' && !(fact?.kind === 'present' && fact.process.kind === 'absent'))
      broken.push(`${name} is given to ${guest.replica}, and nobody knows that nothing runs there`);
    if (before && (phase === 'ending' || phase === 'clearing'))
      broken.push(`${name} is given to ${guest.replica}, and is ${phase}`);
  }
  if (before?.guest && guest && !isSame(before.guest, guest))
    broken.push(`${name} goes from ${before.guest.replica} to ${guest.replica} at once`);
  if (phase === 'ready' && (guest === null) !== (machine.idleSince !== null))
    broken.push(`${name} says that it is idle since ${machine.idleSince}, and belongs to ${guest?.replica}`);
  return broken;
}

/** A refusal is kept while its guest asks, and no longer; whoever asks has an answer, or a machine is on its way. */
function forgottenBy({ actual, desired }: FleetInput, decision: FleetDecision): string[] {
  const refusals = decision.state?.refusals ?? [];
  const isThere = (guest: Guest) => actual.guests.some((each) => isSame(each, guest));
  const isAnswered = (guest: GuestFact) =>
    refusals.some((each) => isSame(each, guest)) ||
    machinesOf(decision).some((machine) => machine.guest && isSame(machine.guest, guest));
  const kept = refusals
    .filter((refusal) => !isThere(refusal))
    .map(({ replica }) => `a refusal of ${replica} is kept, which does not ask`);
  const unheard = actual.guests
    .filter((guest) => guest.wish === 'asking' && !isAnswered(guest))
    .map(({ replica }) => `${replica} asks and is not answered`);
  return [...kept, ...(desired && decision.state ? unheard : [])];
}

/** Idle machines beyond what is kept end when their time is over; all of them when there are more than may be. */
function surplus({ desired, now }: FleetInput, decision: FleetDecision): string[] {
  if (!desired || !decision.state) return [];
  const { min, max } = desired.spec.nodes;
  const staying = machinesOf(decision).filter(({ phase }) => phase !== 'ending');
  const idle = staying.filter(({ guest, phase }) => guest === null && phase === 'ready');
  const longest = (keepMs: number | null) =>
    Math.min(keepMs ?? Number.POSITIVE_INFINITY, desired.spec.idleMs ?? Number.POSITIVE_INFINITY);
  const over = idle.filter(({ idleSince, keepMs }) => now - (idleSince ?? now) >= longest(keepMs));
  const broken: string[] = [];
  if (over.length > 0 && staying.length > min) broken.push(`${over[0]?.name} is idle for too long`);
  if (idle.length > 0 && staying.length > (max ?? staying.length))
    broken.push(`${idle[0]?.name} is kept, above ${max}`);
  return broken;
}

/** The same facts give the same decision; and where that changes nothing and does nothing, looking again tells nothing. */
function restless(input: FleetInput, decision: FleetDecision): string[] {
  if (JSON.stringify(decideFleet(input)) !== JSON.stringify(decision))
    return ['it is decided otherwise the second time'];
  const isResting = decision.steps.length === 0 && stagesOf(decision) === stagesOf(input);
  if (!isResting || decision.state === null) return [];
  const again = decideFleet({ ...input, state: decision.state });
  return again.events.length === 0 ? [] : [`it does not rest: ${again.events[0]?.reason}`];
}

/** What was not seen yet is looked at soon. */
function careless({ actual, now }: FleetInput, { state, wakeAt }: FleetDecision): string[] {
  const unseen = state?.machines.find(({ name }) => actual.machines[name] === undefined);
  return unseen && wakeAt > now + 1_000 ? [`nobody looks at ${unseen.name} for ${wakeAt - now} ms`] : [];
}

function stagesOf({ state }: Pick<FleetInput, 'state'>): string {
  return JSON.stringify(state?.machines.map(({ name, phase, guest }) => [name, phase, guest]));
}

function isSame(a: Guest, b: Guest): boolean {
  return a.service === b.service && a.replica === b.replica && a.attempt === b.attempt;
}
