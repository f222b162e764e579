// What groups of services could run on, with what is around them as files ask for it: idle machines of the fleets that
// they name, what those may buy, and only where their volumes are. For plans and budgets; replicas are placed by `fleets.ts`.
import type { Around, AroundStates, DesiredAround } from '../schemas/around.ts';
import type { GroupSpec, Placement, ServiceSpec } from '../schemas/desired.ts';
import type { FleetSpec, FleetState } from '../schemas/fleet.ts';
import { canonical } from '../schemas/json.ts';
import { nameAround } from '../schemas/keys.ts';
import { compareOffers, type Market } from '../schemas/offer.ts';
import type { VolumeSpec } from '../schemas/volume.ts';
import type { Ask } from './markets.ts';
import { ANYWHERE, combine } from './plan/combine.ts';
import { fleetsAsked } from './plan/fleet/asked.ts';
import { isIdle, roomIn } from './plan/fleet/lend.ts';
import { idleOffers } from './plan/fleet/offered.ts';
import { isNetworkVolume, namesOf } from './plan/mounts.ts';
import type { KeyRecord } from './store/store.ts';

/** What is asked for around services, and what is there of it. */
export interface Standing {
  readonly around: Around;
  readonly states: AroundStates;
}

export interface Lasting {
  /** Whether machines of a backend outlive what runs on them; only such can be a fleet's. */
  readonly lasts: (backend: string) => boolean;
}

export interface Supply extends Standing, Lasting {
  /** Of files that are not all that there are: what they name may be declared elsewhere, and then bounds nothing. */
  readonly isAlone?: boolean;
}

/** Of the store's records of them. */
export function standingOf(records: readonly Pick<KeyRecord, 'service' | 'desired' | 'state'>[]): Standing {
  const of = (document: 'desired' | 'state') =>
    records.filter((record) => record[document] !== null).map((record) => [record.service, record[document]]);
  return {
    around: new Map(of('desired') as [string, DesiredAround][]),
    states: new Map(of('state') as [string, FleetState][]),
  };
}

/** What one group of a service could run on. */
export async function marketFor(
  group: GroupSpec,
  spec: Pick<ServiceSpec, 'idleMs' | 'isReuseOnly'>,
  ask: Ask,
  supply: Supply,
): Promise<Market> {
  const placement = { ...group.placement, fleets: null };
  const places = placesOf(group, supply.around);
  if (places.length === 0) return without('volumes', await ask(placement, group.process));
  const asked = fleetsAsked(group.placement, spec);
  const isKnown = (name: string) => supply.around.has(nameAround('fleet', name));
  const names = supply.isAlone && !asked?.some(isKnown) ? null : asked;
  const fleetsAt = (place: Placement) =>
    (names ?? []).map((name) => fleetMarket(name, place, group, spec.isReuseOnly === true, ask, supply));
  const answers = places.flatMap((place): (Market | null | Promise<Market | null>)[] =>
    names ? fleetsAt(place) : [ask(place, group.process)],
  );
  const found = (await Promise.all(answers)).filter((market) => market !== null);
  return found.length > 0 ? together(found) : without('fleets', await ask(placement, group.process));
}

/** What a fleet could buy machines of its own from. */
export async function marketOfFleet(spec: FleetSpec, ask: Ask, { lasts }: Lasting): Promise<Market> {
  const market = await ask(spec.placement, MACHINE);
  const offers = market.offers.filter(({ backend }) => lasts(backend));
  return { ...market, offers, total: market.total - (market.offers.length - offers.length) };
}

// Private

/** What will run there is not known: no image is taken for granted. */
const MACHINE: Parameters<Ask>[1] = { image: '', docker: false, privileged: false, volumes: [] };

/** Where the machine of a replica may be, by each way to choose its volumes; what no file declares bounds nothing. */
function placesOf({ placement, process }: GroupSpec, around: Around): Placement[] {
  const own: Placement = { ...placement, fleets: null };
  const places = process.volumes.filter(isNetworkVolume).reduce<Placement[]>(
    (before, mount) => {
      const known = namesOf(mount).flatMap((name) => around.get(nameAround('volume', name)) ?? []);
      if (known.length === 0) return before;
      return before.flatMap((place) =>
        known.flatMap(({ spec }) => combine(place, placeOf(spec as VolumeSpec)) ?? []),
      );
    },
    [own],
  );
  return [...new Map(places.map((place) => [canonical(place), place])).values()];
}

function placeOf({ backend, region, zone }: VolumeSpec): Placement {
  return {
    ...ANYWHERE,
    backends: [backend],
    regions: region === '' ? null : [region],
    availabilityZones: zone === null ? null : [zone],
  };
}

/** null: it is not there, or nothing can be what both ask for. */
async function fleetMarket(
  name: string,
  placement: Placement,
  { process }: GroupSpec,
  isReuseOnly: boolean,
  ask: Ask,
  { around, states }: Supply,
): Promise<Market | null> {
  const key = nameAround('fleet', name);
  const spec = around.get(key)?.spec as FleetSpec | undefined;
  const wish = spec && spec.refusal === null ? combine(placement, spec.placement) : null;
  if (!spec || !wish) return null;
  const state = (states.get(key) ?? null) as FleetState | null;
  const idle = state ? idleOffers(name, state, wish, false) : [];
  const sold = await ask(wish, process);
  const room = isReuseOnly ? 0 : roomIn(spec, state ?? { machines: [] });
  const spare = state?.machines.filter(isIdle).length ?? 0;
  return {
    ...sold,
    offers: [...idle, ...sold.offers.map((offer) => ({ ...offer, fleet: name }))],
    total: idle.length + sold.total,
    ...(room === Number.POSITIVE_INFINITY ? {} : { room: room + Math.min(spare, idle.length) }),
  };
}

function together(markets: readonly Market[]): Market {
  const rooms = markets.map(({ room }) => room ?? Number.POSITIVE_INFINITY);
  const room = rooms.reduce((sum, each) => sum + each, 0);
  const failures = markets.flatMap((market) => market.failures);
  const [only] = markets;
  if (only && markets.length === 1) return { ...only, offers: only.offers.toSorted(compareOffers) };
  return {
    offers: markets.flatMap(({ offers }) => offers).toSorted(compareOffers),
    total: markets.reduce((sum, { total }) => sum + total, 0),
    excluded: markets.flatMap(({ excluded }) => excluded),
    failures: [...new Map(failures.map((failure) => [failure.backend, failure])).values()],
    ...(room === Number.POSITIVE_INFINITY ? {} : { room }),
  };
}

/** Nothing is left, because of what it names. */
function without(requirement: 'fleets' | 'volumes', market: Market): Market {
  const excluded = market.total > 0 ? [{ requirement, rows: market.total, nearest: '' }] : market.excluded;
  return { offers: [], total: 0, excluded, failures: market.failures };
}
