// The first record of a fleet: empty, or made from the tags of its machines when the database was lost. What runs on them
// is nobody's any more, for the services' records are lost too: it is ended, and the machines are there for whoever asks.
import type { Instance } from '../../../schemas/actual.ts';
import { type FleetState, IDLE_POOL, type Machine, RUN_IDLE_MS } from '../../../schemas/fleet.ts';
import type { Offer } from '../../../schemas/offer.ts';
import type { FleetActual } from './facts.ts';

export function foundFleet(
  project: string,
  fleet: string,
  { found, offers }: Pick<FleetActual, 'found' | 'offers'>,
  now: number,
): FleetState {
  const byName = new Map(
    found?.toSorted((a, b) => a.tags.attempt - b.tags.attempt).map((each) => [each.tags.replica, each]),
  );
  const sold = offers?.kind === 'offers' ? offers.offers : [];
  const keepMs = fleet === IDLE_POOL ? RUN_IDLE_MS : null;
  const machines = [...byName.values()]
    .map((instance) => machineOf(instance, offerOf(instance, sold), keepMs, now))
    .toSorted((a, b) => a.number - b.number);
  return {
    format: 1,
    project,
    fleet,
    lastMachine: Math.max(0, ...machines.map(({ number }) => number)),
    firstAttempt: Math.max(1, Math.floor(now)),
    isBegun: machines.length > 0,
    machines,
    refusals: [],
    setAside: [],
    observedAt: now,
    waiting: [],
  };
}

// Private

/** Proxies may still have the routes of before, and send requests to what is on it: until they have others, it stays. */
const UNTIL_UNROUTED_MS = 10_000;

const NOTHING: Offer['resources'] = { cpus: 0, arch: 'x86', memoryGib: 0, diskGib: 0, gpus: [] };

/** What a machine has its tags do not say; offers of its kind do. null: none is sold that the fleet may have. */
function offerOf(
  { backend, region, instance, pricePerHour }: Instance,
  sold: readonly Offer[],
): Offer | null {
  const alike = sold.filter(
    (each) => each.backend === backend && each.region === region && each.instance === instance,
  );
  return alike.find(({ price }) => price === pricePerHour) ?? alike.find(({ spot }) => !spot) ?? null;
}

function machineOf(
  { id, tags, backend, region, instance, pricePerHour, createdAt }: Instance,
  offer: Offer | null,
  keepMs: number | null,
  now: number,
): Machine {
  const bare = { backend, region, instance, spot: false, resources: NOTHING };
  return {
    name: tags.replica,
    number: Number(tags.replica.slice(tags.replica.lastIndexOf('m') + 1)),
    attempt: tags.attempt,
    phase: offer ? 'ready' : 'ending',
    offer: { ...(offer ?? bare), price: pricePerHour, availability: 'unknown' },
    instance: id,
    guest: null,
    keepMs,
    idleSince: now,
    stageMs: 0,
    leaving: offer ? '' : 'it was found by its tags, and nothing of its kind is sold that the fleet may have',
    createdAt,
    tries: 0,
    retryAt: now + UNTIL_UNROUTED_MS,
    detail: 'it was found by its tags',
  };
}
