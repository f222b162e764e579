// The decision of a fleet: what its file asks for, its record and what was observed, at one instant, give the next record,
// the steps to take and the reasons to wait. Pure, like a service's (`../decide.ts`), and much smaller: a machine has no
// revision, so there is nothing to roll out.
import type { ProcessOwner, ReplicaFact } from '../../../schemas/actual.ts';
import type { NewEvent } from '../../../schemas/events.ts';
import type { DesiredFleet, FleetState, Machine } from '../../../schemas/fleet.ts';
import type { Waiting } from '../../../schemas/rollout.ts';
import { askedText } from '../asked.ts';
import { provisionMs } from '../deadlines.ts';
import { RESYNC_MS } from '../decide.ts';
import { place } from '../place.ts';
import { advanceFleet, type FleetPart } from './advance.ts';
import { type FleetActual, type FleetInput, isProcessOf } from './facts.ts';
import { begun, idleEndOf, isStaying, keep, keptCount, lackOf, lend, release, roomIn } from './lend.ts';
import { foundFleet } from './rebuild.ts';

/** One idempotent effect on a machine. `clear` ends and removes what somebody left running on it. */
export interface FleetStep {
  readonly kind: 'create' | 'clear' | 'terminate';
  readonly id: string;
  readonly machine: string;
  readonly reason: string;
  /** Whose process is cleared away; absent: whoever's it is. */
  readonly of?: ProcessOwner;
}

export interface FleetDecision {
  /** null: nothing is left of it. */
  readonly state: FleetState | null;
  readonly steps: readonly FleetStep[];
  readonly events: readonly NewEvent[];
  readonly wakeAt: number;
}

export function decideFleet({ project, fleet, desired, state, actual, now }: FleetInput): FleetDecision {
  // Not even the names that may be given are known; or what those have that bear them.
  const isOpen = actual.found === null || (actual.found.length > 0 && actual.offers?.kind !== 'offers');
  if (state === null && isOpen) return { state, steps: [], events: [], wakeAt: now + POLL_MS };
  const before = state ?? foundFleet(project, fleet, actual, now);
  const advanced = advanceFleet(before, actual, now);
  const lent = lend(advanced, desired, actual, now);
  const kept = begun(keep(lent, desired, actual, now), desired);
  const released = release(kept, desired, now);
  return settle(released, desired, actual, now);
}

// Private

/** While something is under way, look again this often even if no event comes. */
const POLL_MS = 1_000;
const PATIENCE_MS = 60_000;

function settle(
  { state, events }: FleetPart,
  desired: DesiredFleet | null,
  actual: FleetActual,
  now: number,
): FleetDecision {
  if (desired === null && state.machines.length === 0)
    return { state: null, steps: [], events, wakeAt: now + RESYNC_MS };
  const steps = state.machines.flatMap((machine) => stepsFor(machine, actual.machines[machine.name], now));
  const waiting = reasonsOf(state, desired, actual, now).map((reason) => ({
    ...reason,
    since:
      state.waiting.find((each) => each.reason === reason.reason && each.subject === reason.subject)?.since ??
      now,
  }));
  const next = { ...state, observedAt: now, waiting };
  return { state: next, steps, events, wakeAt: wakeAt(next, steps, desired, actual, now) };
}

function stepsFor(
  { name, attempt, phase, leaving, retryAt, instance, guest }: Machine,
  fact: ReplicaFact | undefined,
  now: number,
): FleetStep[] {
  const step = (kind: FleetStep['kind'], reason: string, of?: ProcessOwner): FleetStep[] => [
    { kind, id: `${name}/${attempt}/${kind}`, machine: name, reason, ...(of && { of }) },
  ];
  // What cannot be seen is not touched; a machine decided on in this very pass has no fact yet.
  if (fact?.kind === 'unknown' || now < retryAt) return [];
  const of = fact?.kind === 'present' && fact.process.kind !== 'absent' ? fact.process.of : undefined;
  switch (phase) {
    case 'creating':
      return fact?.kind === 'present' ? [] : step('create', 'somebody asks for it, or it is kept');
    case 'ready':
      return of && guest && !isProcessOf(guest, of) ? step('clear', 'it is in the way of its guest', of) : [];
    case 'clearing':
      return fact?.kind === 'present' ? step('clear', 'its guest has left', of) : [];
    case 'ending':
      return fact?.kind === 'missing' && instance === null ? [] : step('terminate', leaving);
  }
}

type Reason = Omit<Waiting, 'since'>;

function reasonsOf(
  state: FleetState,
  desired: DesiredFleet | null,
  actual: FleetActual,
  now: number,
): Reason[] {
  return [
    ...state.machines.flatMap((machine) => machineReasons(machine, actual.machines[machine.name], now)),
    ...(desired ? fleetReasons(state, desired, actual, now) : leftReasons(state)),
  ];
}

function machineReasons(machine: Machine, fact: ReplicaFact | undefined, now: number): Reason[] {
  const { name, phase, stageMs, offer, detail, leaving } = machine;
  const retryAt = machine.retryAt > now ? machine.retryAt : null;
  if (fact?.kind === 'unknown') return [wait('backend', name, null, fact.reason)];
  switch (phase) {
    case 'creating': {
      const late = now + Math.max(0, provisionMs(offer) - stageMs);
      return [wait('instance', name, retryAt ?? late, detail || 'its instance is being created')];
    }
    case 'ready':
      return [];
    case 'clearing':
      return [wait('stop', name, retryAt, detail || 'what ran on it is ended and removed')];
    case 'ending':
      return [wait('terminate', name, retryAt, detail || `its instance is being given back: ${leaving}`)];
  }
}

function fleetReasons(
  state: FleetState,
  desired: DesiredFleet,
  { offers }: FleetActual,
  now: number,
): Reason[] {
  const { spec, problems } = desired;
  const [problem] = problems.filter(({ severity }) => severity === 'error');
  const found = problem
    ? [
        wait(
          'problem',
          '',
          null,
          `${problem.file}:${problem.line}:${problem.column} ${problem.message}; the last good spec stays`,
        ),
      ]
    : [];
  if (spec.refusal !== null) return [...found, wait('dependency', '', null, spec.refusal)];
  const lack = lackOf(desired, state);
  if (lack === 0) return found;
  if (roomIn(spec, state) === 0)
    return [...found, wait('terminate', '', null, 'until machines that end make room for others')];
  const choice = place(offers ?? undefined, state.setAside, now);
  if (choice.kind !== 'none') return found;
  const isNowhere = offers?.kind === 'offers' && offers.offers.length === 0;
  const what = isNowhere ? `: ${askedText(spec)}` : '';
  const text = `${lack} of ${keptCount(spec, state)} kept machines are missing: ${choice.reason}${what}`;
  return [...found, wait('capacity', '', choice.until, text)];
}

/** Its file is gone: it ends once nobody uses it. */
function leftReasons({ machines }: FleetState): Reason[] {
  const used = machines.filter((machine) => isStaying(machine) && machine.guest !== null);
  const guests = used.map(({ guest }) => guest?.replica).join(', ');
  return used.length > 0
    ? [wait('drain', '', null, `its file is gone; ${guests} still run on its machines`)]
    : [];
}

function wait(reason: Waiting['reason'], subject: string, until: number | null, detail: string): Reason {
  return { reason, subject, until, detail };
}

function wakeAt(
  state: FleetState,
  steps: readonly FleetStep[],
  desired: DesiredFleet | null,
  { guests, machines }: FleetActual,
  now: number,
): number {
  const timers = state.waiting.flatMap(({ until }) => (until !== null && until > now ? [until] : []));
  const isUnseen = state.machines.some(({ name }) => machines[name] === undefined);
  const isMoving = isUnseen || steps.length > 0 || guests.some(({ wish }) => wish !== 'staying');
  const ends = state.machines.flatMap((machine) => (desired && idleEndOf(machine, desired)) ?? []);
  const polls = [...(isMoving ? [POLL_MS] : []), ...state.waiting.map((each) => pollMs(each, now))];
  return Math.min(now + Math.min(RESYNC_MS, ...polls), ...timers, ...ends.filter((at) => at > now));
}

function pollMs({ reason, since }: Waiting, now: number): number {
  if (reason === 'problem' || reason === 'dependency') return RESYNC_MS;
  const isPatient = reason === 'capacity' || reason === 'backend' || reason === 'drain';
  return isPatient ? Math.min(Math.max(POLL_MS, (now - since) / 4), PATIENCE_MS) : POLL_MS;
}
