// What the store knows of fleets and volumes, as what people are told about them.
import type { Why } from '../schemas/api.ts';
import type { AroundView } from '../schemas/api-around.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import type { DesiredFleet, FleetState } from '../schemas/fleet.ts';
import { aroundOf } from '../schemas/keys.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import type { DesiredVolume, VolumeState } from '../schemas/volume.ts';
import type { Spell } from './plan/explain.ts';
import { fleetView, nextOfFleet, nextOfVolume, volumeView } from './plan/explain-around.ts';
import { holdersOf, usersOf } from './plan/named.ts';
import type { KeyRecord } from './store/store.ts';

export interface AroundReading {
  readonly view: AroundView;
  readonly why: Why;
}

/** `services`: all of the project, whose records tell who uses what. */
export function aroundReadings(
  around: readonly KeyRecord[],
  services: readonly KeyRecord[],
  spell: Spell,
): AroundReading[] {
  if (around.length === 0) return [];
  const naming = services
    .filter(({ service }) => service !== '')
    .map(({ service, desired, state }) => ({
      name: service,
      record: desired as DesiredRecord | null,
      state: state as ServiceState | null,
    }));
  const [users, holders] = [usersOf(naming), holdersOf(naming)];
  return around.flatMap(({ service: key, desired, state }) => {
    const { kind, name } = aroundOf(key) ?? {};
    if (kind === undefined || name === undefined) return [];
    const own = { name, services: users.get(key) ?? [] };
    if (kind === 'fleet') {
      const fleet = {
        ...own,
        desired: desired as DesiredFleet | null,
        state: state as FleetState | null,
      };
      return [readingOf(key, fleetView(fleet, spell), nextOfFleet(fleet))];
    }
    const volume = {
      ...own,
      desired: desired as DesiredVolume | null,
      state: state as VolumeState | null,
      heldBy: holders.get(name) ?? [],
    };
    return [readingOf(key, volumeView(volume, spell), nextOfVolume(volume))];
  });
}

// Private

function readingOf(service: string, view: AroundView, next: string): AroundReading {
  const { status, waiting = [], problems } = view;
  return { view, why: { service, status, waiting, next, problems, around: view } };
}
