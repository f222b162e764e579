// What a fleet goes by: its machines as they were seen, and who asks for one or has one, by the services' own records.
import type { Instance, OffersFact, ProcessOwner, ReplicaFact } from '../../../schemas/actual.ts';
import type { NewEvent } from '../../../schemas/events.ts';
import type { DesiredFleet, FleetState, Guest, Machine } from '../../../schemas/fleet.ts';
import { RUN_IDLE_MS } from '../../../schemas/fleet.ts';
import { nameAround } from '../../../schemas/keys.ts';
import type { Offer } from '../../../schemas/offer.ts';
import type { ServiceState } from '../../../schemas/rollout.ts';
import { deploymentOf } from '../deployments.ts';

export interface FleetActual {
  /** Only where there is no record: instances that bear the fleet's tags; null: some backend could not tell. */
  readonly found: readonly Instance[] | null;
  readonly machines: { readonly [machine: string]: ReplicaFact };
  /** For machines that are to be kept and are not there yet, or were found; null: none is. */
  readonly offers: OffersFact | null;
  readonly guests: readonly GuestFact[];
}

/** A replica that names the fleet, as its service's record has it. */
export interface GuestFact extends Guest {
  /** What it asks for; its machine is of this kind. */
  readonly offer: Offer;
  /** asking: it has none, or does not know of it yet · staying · done: it gives it back once nothing runs there. */
  readonly wish: 'asking' | 'staying' | 'done';
  /** How long a machine that is made for it is kept once it is idle; null: for ever. */
  readonly keepMs: number | null;
  readonly priority: number;
  readonly since: number;
}

export interface FleetInput {
  readonly project: string;
  readonly fleet: string;
  /** null: it is to be given up. */
  readonly desired: DesiredFleet | null;
  readonly state: FleetState | null;
  readonly actual: FleetActual;
  /** Epoch ms, by the store's clock. */
  readonly now: number;
}

/** The replicas of a service that use a fleet, or ask it for a machine. */
export function guestsIn(state: ServiceState, fleet: string): GuestFact[] {
  // Whoever has the machine next listens where it did: no proxy may send it requests any more.
  const isUnrouted = !state.waiting.some(({ reason }) => reason === 'publish');
  return state.replicas.flatMap((replica) => {
    if (replica.offer.fleet !== fleet) return [];
    const spec = deploymentOf(state, replica.deployment)?.spec;
    const { name, attempt, offer, phase, createdAt } = replica;
    return [
      {
        service: state.service,
        replica: name,
        attempt,
        offer,
        wish: phase === 'creating' ? 'asking' : phase === 'terminating' && isUnrouted ? 'done' : 'staying',
        keepMs: spec?.idleMs === undefined ? RUN_IDLE_MS : spec.idleMs,
        priority: spec?.priority ?? 0,
        since: createdAt,
      },
    ];
  });
}

/** The fleets that a service's replicas have something to do with. */
export function fleetsOf(state: ServiceState | null): readonly string[] {
  return [...new Set(state?.replicas.flatMap(({ offer }) => offer.fleet ?? []))].toSorted();
}

export function isGuest(a: Guest, b: Guest): boolean {
  return a.service === b.service && a.replica === b.replica && a.attempt === b.attempt;
}

export function isProcessOf({ replica, attempt }: Guest, of: ProcessOwner): boolean {
  return of.replica === replica && of.attempt === attempt;
}

export function isSameKind(a: Offer, b: Offer): boolean {
  return a.backend === b.backend && a.region === b.region && a.instance === b.instance && a.spot === b.spot;
}

export function machineEvent(
  { fleet }: Pick<FleetState, 'fleet'>,
  event: NewEvent['event'],
  reason: string,
  { name, offer }: Pick<Machine, 'name' | 'offer'>,
): NewEvent {
  return { service: nameAround('fleet', fleet), event, reason, replica: name, backend: offer.backend };
}
