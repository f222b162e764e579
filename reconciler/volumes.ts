// Volumes as services see them: where their machines must be so that the volumes they name can be attached, and which are
// free. One machine at a time can hold a volume.
import type { OffersFact } from '../schemas/actual.ts';
import type { Placement, ProcessSpec } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import { nameAround } from '../schemas/keys.ts';
import type { Replica, ServiceState } from '../schemas/rollout.ts';
import type { DesiredVolume, Mounted, VolumeState } from '../schemas/volume.ts';
import { ANYWHERE, combine } from './plan/combine.ts';
import { isNetworkVolume, namesOf, volumesOf } from './plan/mounts.ts';
import type { Store } from './store/store.ts';

export interface VolumesOptions {
  readonly project: string;
  readonly store: Pick<Store, 'load' | 'users'>;
}

export interface Volumes {
  /** What `ask` offers where all volumes of the process are, and free for `state`'s service; as they are if it names none. */
  offers(
    process: Pick<ProcessSpec, 'volumes'>,
    placement: Placement,
    state: ServiceState | null,
    ask: (placement: Placement) => Promise<OffersFact>,
  ): Promise<OffersFact>;
  /**
   * Throws `no-capacity` where another service took one of its volumes at the same moment, and goes before it: intents
   * are on record before anything is made of them.
   */
  claim(service: string, replica: Replica): Promise<void>;
}

export function createVolumes({ project, store }: VolumesOptions): Volumes {
  async function read(name: string): Promise<Known> {
    const key = nameAround('volume', name);
    const [record, holders] = await Promise.all([store.load(`${project}/${key}`), holdersOf(name)]);
    return {
      name,
      desired: (record?.desired ?? null) as DesiredVolume | null,
      state: (record?.state ?? null) as VolumeState | null,
      holders: holders.map(({ replica }) => replica),
    };
  }
  async function holdersOf(volume: string): Promise<Holder[]> {
    const users = await store.users(project, nameAround('volume', volume));
    return users.flatMap(({ service, state }) => {
      const replicas = (state as ServiceState | null)?.replicas ?? [];
      return replicas
        .filter((replica) => volumesOf(replica).includes(volume))
        .map((replica) => ({ service, replica }));
    });
  }
  return {
    async claim(service, replica) {
      for (const volume of volumesOf(replica)) {
        const first = (await holdersOf(volume)).find((each) => goesBefore(each, { service, replica }));
        if (first) throw new Failure('no-capacity', heldText(volume, [first.replica]));
      }
    },
    async offers({ volumes }, placement, state, ask) {
      const mounts = volumes.filter(isNetworkVolume);
      if (mounts.length === 0) return ask(placement);
      const names = [...new Set(mounts.flatMap(namesOf))];
      const known = await Promise.all(names.map(read));
      const own = state?.replicas ?? [];
      const byName = new Map(known.map((each) => [each.name, { ...each, holders: holdersNow(each, own) }]));
      const wishes = mounts.map((mount) => ({
        path: String(mount.path),
        any: namesOf(mount).flatMap((name) => byName.get(name) ?? []),
      }));
      const blocked = wishes.flatMap(({ any }) => (any.some(isFree) ? [] : [any]));
      const [first] = blocked;
      if (first)
        return first.some(isHeld) ? { kind: 'offers', offers: [], why: allHeldText(first) } : awaits(first);
      return together(await Promise.all(placesOf(wishes).map((place) => offersAt(place, placement, ask))));
    },
  };
}

// Private

interface Known {
  readonly name: string;
  readonly desired: DesiredVolume | null;
  readonly state: VolumeState | null;
  /** Replicas whose machines hold it. */
  readonly holders: readonly Pick<Replica, 'name'>[];
}

interface Wish {
  readonly path: string;
  readonly any: readonly Known[];
}

interface Place {
  readonly backend: string;
  readonly region: string;
  readonly zone: string | null;
  readonly mounted: readonly Mounted[];
}

/** What the newest record of the service itself says counts before what was last written. */
function holdersNow({ name, holders }: Known, own: readonly Replica[]): readonly Pick<Replica, 'name'>[] {
  const names = new Set(own.map((replica) => replica.name));
  return [
    ...holders.filter((each) => !names.has(each.name)),
    ...own.filter((replica) => volumesOf(replica).includes(name)),
  ];
}

function isThere({ state }: Known): boolean {
  return state?.phase === 'ready';
}

function isFree(volume: Known): boolean {
  return isThere(volume) && volume.holders.length === 0;
}

function isHeld(volume: Known): boolean {
  return isThere(volume) && volume.holders.length > 0;
}

function allHeldText(any: readonly Known[]): string {
  return any
    .filter(isHeld)
    .map(({ name, holders }) => heldText(name, holders))
    .join('; ');
}

function heldText(volume: string, holders: Known['holders']): string {
  const names = holders.map(({ name }) => name).join(', ');
  return `volume ${volume} is held by ${names}: one machine at a time can hold it`;
}

interface Holder {
  readonly service: string;
  readonly replica: Replica;
}

/** Of two services. A total order, so that one of them goes on. */
function goesBefore(a: Holder, b: Holder): boolean {
  if (a.service === b.service) return false;
  const [one, other] = [a.replica.createdAt, b.replica.createdAt];
  return one < other || (one === other && a.service < b.service);
}

function awaits(any: readonly Known[]): OffersFact {
  const texts = any.map(({ name, desired, state }) => {
    if (!desired && !state) return `no file declares the volume \`${name}\``;
    const why = state?.waiting[0]?.detail;
    return `volume ${name} is not there yet${why ? `: ${why}` : ''}`;
  });
  return { kind: 'awaits', reason: texts.join('; ') };
}

/** Where a free one of each wish is. */
function placesOf([first, ...others]: readonly Wish[]): Place[] {
  if (!first) return [];
  return first.any.filter(isFree).flatMap((volume) => {
    const place = placeAt(first.path, volume);
    const beside = others.map(({ path, any }) => {
      const fit = any.find((each) => isFree(each) && isSamePlace(placeAt(path, each), place));
      return fit ? placeAt(path, fit) : null;
    });
    if (beside.includes(null)) return [];
    return [
      {
        ...place,
        mounted: [place, ...beside.flatMap((each) => each ?? [])].flatMap(({ mounted }) => mounted),
      },
    ];
  });
}

function placeAt(path: string, { name, state }: Known): Place {
  const { spec, zone = null, id } = state ?? {};
  const mounted = [{ volume: name, id: id ?? '', path }];
  return { backend: spec?.backend ?? '', region: spec?.region ?? '', zone, mounted };
}

function isSamePlace(a: Place, b: Place): boolean {
  return (
    a.backend === b.backend &&
    a.region === b.region &&
    (a.zone === b.zone || a.zone === null || b.zone === null)
  );
}

async function offersAt(
  { backend, region, zone, mounted }: Place,
  placement: Placement,
  ask: (placement: Placement) => Promise<OffersFact>,
): Promise<OffersFact> {
  const there: Placement = {
    ...ANYWHERE,
    backends: [backend],
    regions: region === '' ? null : [region],
    availabilityZones: zone === null ? null : [zone],
  };
  const combined = combine(placement, there);
  const why = `its volume ${mounted.map(({ volume }) => volume).join(', ')} is in ${backend} (${region}), where it may not run`;
  if (!combined) return { kind: 'offers', offers: [], why };
  const fact = await ask({ ...combined, fleets: placement.fleets });
  return fact.kind === 'offers'
    ? { ...fact, offers: fact.offers.map((offer) => ({ ...offer, mounted })) }
    : fact;
}

/** Of the first place that has something to offer comes all; where none has, the first reason counts. */
function together(facts: readonly OffersFact[]): OffersFact {
  const offers = facts.flatMap((fact) => (fact.kind === 'offers' ? fact.offers : []));
  if (offers.length > 0) return { kind: 'offers', offers };
  return (
    facts[0] ?? {
      kind: 'offers',
      offers: [],
      why: 'its volumes are in different places: no machine can hold them together',
    }
  );
}
