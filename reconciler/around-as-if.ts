// What is around services as if it had all come to be, for plans without a server: what fleets keep is there and idle
// beyond what services use, and volumes are made.
import type { Around, AroundStates, DesiredAround } from '../schemas/around.ts';
import type { DesiredService } from '../schemas/desired.ts';
import type { DesiredFleet, FleetState, Machine } from '../schemas/fleet.ts';
import type { Market, Offer } from '../schemas/offer.ts';
import type { DesiredVolume, VolumeState } from '../schemas/volume.ts';
import { occupancyIn } from './plan/around-changes.ts';
import { demandOf } from './plan/fleet/kept.ts';
import { place } from './plan/place.ts';
import { wantedReplicas } from './plan/scale.ts';

export function aroundAsIf(
  around: Around,
  services: ReadonlyMap<string, DesiredService>,
  marketOf: (fleet: string) => Market | undefined,
): AroundStates {
  const demands = [...services.values()].flatMap(({ spec }) =>
    demandOf(spec, (group) => wantedReplicas(group)),
  );
  const occupancy = occupancyIn(around, demands);
  const stateOf = (desired: DesiredAround): FleetState | VolumeState => {
    if (!('nodes' in desired.spec)) return madeVolume(desired as DesiredVolume);
    const { name } = desired.spec;
    const { used = 0, spare = 0 } = occupancy.get(name) ?? {};
    const choice = place({ kind: 'offers', offers: marketOf(name)?.offers ?? [] });
    const offer = choice.kind === 'offer' ? choice.offer : null;
    return runningFleet(desired as DesiredFleet, offer, used, offer ? spare : 0);
  };
  return new Map([...around].map(([key, desired]) => [key, stateOf(desired)]));
}

// Private

/** Which replica it is, nobody knows. */
const GUEST = { service: '', replica: '', attempt: 1 };

function runningFleet({ spec }: DesiredFleet, offer: Offer | null, used: number, spare: number): FleetState {
  const machines = Array.from({ length: used + spare }, (_, index): Machine => {
    const isUsed = index < used;
    return {
      name: `${spec.name}-m${index + 1}`,
      number: index + 1,
      attempt: 1,
      phase: 'ready',
      offer: offer ?? NOWHERE,
      instance: '',
      guest: isUsed ? GUEST : null,
      keepMs: spec.idleMs,
      idleSince: isUsed ? null : 0,
      stageMs: 0,
      leaving: '',
      createdAt: 0,
      tries: 0,
      retryAt: 0,
      detail: '',
    };
  });
  return {
    format: 1,
    project: '',
    fleet: spec.name,
    lastMachine: machines.length,
    firstAttempt: 1,
    isBegun: true,
    machines,
    refusals: [],
    setAside: [],
    observedAt: 0,
    waiting: [],
  };
}

/** Of machines that services run on, whose price those have. */
const NOWHERE: Offer = {
  backend: '',
  region: '',
  instance: '',
  resources: { cpus: 0, arch: 'x86', memoryGib: 0, diskGib: 0, gpus: [] },
  spot: false,
  price: 0,
  availability: 'unknown',
};

function madeVolume({ spec, commit }: DesiredVolume): VolumeState {
  return {
    format: 1,
    project: '',
    volume: spec.name,
    spec,
    commit,
    phase: 'ready',
    id: spec.existing ?? spec.name,
    zone: spec.zone,
    tries: 0,
    retryAt: 0,
    detail: '',
    observedAt: 0,
    waiting: [],
  };
}
