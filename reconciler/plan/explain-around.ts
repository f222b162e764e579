// What people are told about one fleet or one volume: how it is, who uses what of it, what it waits for and what would
// end that. Decides nothing: it puts the stored records into words.
import type { AroundStatus, FleetView, MachineView, VolumeView } from '../../schemas/api-around.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { DesiredFleet, FleetState, Machine } from '../../schemas/fleet.ts';
import type { Waiting, WaitingReason } from '../../schemas/rollout.ts';
import type { DesiredVolume, VolumeState } from '../../schemas/volume.ts';
import { MEND, type Spell, waitingView } from './explain.ts';
import { isIdle, isStaying, roomIn } from './fleet/lend.ts';
import type { User } from './named.ts';

interface Subject {
  readonly name: string;
  /** The services that name it. */
  readonly services: readonly User[];
}

export interface FleetSubject extends Subject {
  readonly desired: DesiredFleet | null;
  /** null: no pass has looked at it yet. */
  readonly state: FleetState | null;
}

export interface VolumeSubject extends Subject {
  readonly desired: DesiredVolume | null;
  readonly state: VolumeState | null;
  readonly heldBy: VolumeView['heldBy'];
}

export function fleetView(subject: FleetSubject, spell: Spell): FleetView {
  const { name, desired, state, services } = subject;
  const { min = 0, max = null } = desired?.spec.nodes ?? {};
  const due = givenBack(state, min);
  const machines = state?.machines ?? [];
  return {
    kind: 'fleet',
    name,
    status: fleetStatus(subject),
    ...common(desired, state, services, spell),
    nodes: { min, max },
    machines: machines.map((machine) => machineView(machine, due.get(machine.name), spell)),
  };
}

export function volumeView(subject: VolumeSubject, spell: Spell): VolumeView {
  const { name, desired, state, services, heldBy } = subject;
  const spec = state?.spec ?? desired?.spec;
  return {
    kind: 'volume',
    name,
    status: volumeStatus(subject),
    ...common(desired, state, services, spell),
    phase: state?.phase ?? 'creating',
    backend: spec?.backend ?? '',
    region: spec?.region ?? '',
    zone: state?.zone ?? spec?.zone ?? null,
    sizeGib: spec?.sizeGib || null,
    id: state?.id ?? spec?.existing ?? null,
    heldBy: heldBy.map(({ service, replica }) => ({ service, replica })),
  };
}

/** What happens next, in one sentence. */
export function nextOfFleet(subject: FleetSubject): string {
  const { desired, state } = subject;
  const reason = firstOf(state?.waiting ?? [], FLEET_NEXT);
  if (reason) return FLEET_NEXT[reason] ?? '';
  if (isFullFor(subject))
    return 'It may have no more machines: raise `nodes`, or let a service that uses it ask for less.';
  const due = [...givenBack(state, desired?.spec.nodes.min ?? 0).keys()];
  if (fleetStatus(subject) === 'creating') return 'The next pass orders the machines that it keeps.';
  if (due.length === 0) return 'Nothing: its machines are as its file asks.';
  const [are, them] = due.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return `${due.join(', ')} ${are} given back unless somebody takes ${them} before; else nothing.`;
}

export function nextOfVolume({ desired, state }: VolumeSubject): string {
  const reason = firstOf(state?.waiting ?? [], VOLUME_NEXT);
  if (reason) return VOLUME_NEXT[reason] ?? '';
  if (state === null) return 'The next pass orders it, or looks for it.';
  if (desired === null)
    return 'Nothing: its file is gone, and it stays, with what is on it. Only a person deletes it, where it is.';
  return 'Nothing: it is there, for one machine at a time.';
}

// Private

/** What a person can act on comes first. */
const FLEET_NEXT: { readonly [reason in WaitingReason]?: string } = {
  problem: MEND,
  dependency: 'A commit that mends its file is applied at once.',
  capacity: 'Offers are read again; a change of its resources, regions or price is tried at once.',
  backend: 'Once the backend answers again, the fleet is looked at anew.',
  instance: 'Once the backend has given the machine, it is for whoever asked, else it is kept.',
  stop: 'Once what ran on it has ended, the machine is idle.',
  terminate: 'Once the backend confirms that the machine is gone, it is forgotten.',
  drain: 'Once nobody uses its machines any more, they are given back and the fleet is forgotten.',
};

const VOLUME_NEXT: { readonly [reason in WaitingReason]?: string } = {
  problem: MEND,
  dependency: 'It is looked for again and again; a commit that mends its file is applied at once.',
  hold: 'Nothing until its file changes: a volume is neither changed nor made anew by itself.',
  backend: 'Once the backend answers again, the volume is looked at anew.',
  instance: 'Once the backend has made it, services that name it go on.',
};

function firstOf(
  waiting: readonly Waiting[],
  words: { readonly [reason in WaitingReason]?: string },
): WaitingReason | undefined {
  return (Object.keys(words) as WaitingReason[]).find((reason) =>
    waiting.some((each) => each.reason === reason),
  );
}

function common(
  desired: { readonly file: string; readonly problems: readonly Problem[] } | null,
  state: { readonly waiting: readonly Waiting[] } | null,
  services: readonly User[],
  spell: Spell,
) {
  const waiting = state?.waiting ?? [];
  return {
    file: desired?.file || null,
    services,
    ...(waiting.length > 0 ? { waiting: waiting.map((item) => waitingView(item, spell)) } : {}),
    problems: desired?.problems ?? [],
  };
}

function hasErrors({ problems }: { readonly problems: readonly Problem[] }): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

const OUT_OF_REACH: ReadonlySet<WaitingReason> = new Set(['capacity', 'dependency', 'backend']);

function fleetStatus({ desired, state }: FleetSubject): AroundStatus {
  if (!desired) return 'removing';
  if (hasErrors(desired)) return 'invalid';
  if (state?.waiting.some(({ reason }) => OUT_OF_REACH.has(reason))) return 'waiting';
  const there = state?.machines.filter(({ phase }) => phase === 'ready' || phase === 'clearing') ?? [];
  return state && there.length >= desired.spec.nodes.min ? 'ready' : 'creating';
}

/** Somebody waits for it, and it can neither lend nor make a machine. */
function isFullFor({ desired, state, services }: FleetSubject): boolean {
  if (!desired || !state || !services.some(({ waits }) => waits)) return false;
  return roomIn(desired.spec, state) === 0 && !state.machines.some(isIdle);
}

function volumeStatus({ desired, state }: VolumeSubject): AroundStatus {
  if (state?.phase === 'lost') return 'lost';
  if (!desired) return 'kept';
  if (hasErrors(desired)) return 'invalid';
  if (state?.phase === 'ready') return 'ready';
  const isInVain = state?.waiting.some(({ reason }) => OUT_OF_REACH.has(reason)) || (state?.tries ?? 0) > 0;
  return isInVain ? 'waiting' : 'creating';
}

/** Idle machines that are given back if nobody takes them, and when (epoch ms): those beyond the ones that are kept. */
function givenBack(state: FleetState | null, min: number): ReadonlyMap<string, number> {
  const machines = state?.machines ?? [];
  const spare = Math.max(0, machines.filter(isStaying).length - min);
  const due = machines
    .filter(isIdle)
    .flatMap(({ name, idleSince, keepMs }) =>
      idleSince === null || keepMs === null ? [] : [[name, idleSince + keepMs] as const],
    );
  return new Map(due.toSorted(([, a], [, b]) => a - b).slice(0, spare));
}

function machineView(machine: Machine, until: number | undefined, spell: Spell): MachineView {
  const { name, phase, guest, offer, idleSince, leaving, detail } = machine;
  return {
    name,
    phase,
    guest: guest && { service: guest.service, replica: guest.replica },
    backend: offer.backend,
    region: offer.region,
    instance: offer.instance,
    pricePerHour: offer.price,
    idleSince: idleSince === null ? null : spell(idleSince),
    idleUntil: until === undefined ? null : spell(until),
    detail: leaving || detail,
  };
}
