// Fleets, volumes and services that use them, for tests that speak of them as values.
import type { DesiredService, GroupSpec, RolloutPolicy, ServiceSpec } from '../../schemas/desired.ts';
import type { DesiredFleet, FleetSpec, FleetState } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { DesiredVolume, VolumeSpec, VolumeState } from '../../schemas/volume.ts';
import { group, service, spec } from '../plan/samples.ts';
import { PROBE } from './services.ts';
import type { World } from './world.ts';

export function fleet(over: Partial<FleetSpec> = {}): DesiredFleet {
  const spec = { ...IDLE_POOL_SPEC, name: 'pool', idleMs: 600_000, ...over };
  return { file: `${spec.name}.dstack.yml`, commit: 'c0ffee', spec, problems: [] };
}

/** On this machine. */
export function volume(over: Partial<VolumeSpec> = {}): DesiredVolume {
  const spec: VolumeSpec = {
    name: 'data',
    backend: 'local',
    region: 'local',
    zone: null,
    sizeGib: 10,
    existing: null,
    refusal: null,
    ...over,
  };
  return { file: `${spec.name}.dstack.yml`, commit: 'c0ffee', spec, problems: [] };
}

export interface Wish {
  readonly name?: string;
  readonly version: string;
  readonly count?: number;
  readonly fleets?: readonly string[] | null;
  /** Names of volumes, any of which will do. */
  readonly volumes?: readonly string[];
  readonly policy?: Partial<RolloutPolicy>;
  readonly more?: Partial<ServiceSpec>;
}

/** A service of one group on the fleet `pool`, unless it says otherwise. */
export function guest(wish: Wish): DesiredService {
  const { name = 'web', version, count = 1, fleets = ['pool'], volumes = [], policy = {}, more = {} } = wish;
  const mounts = volumes.length > 0 ? [{ name: volumes, path: '/data' }] : [];
  const base = group({ replicas: { min: count, max: count } }, { commands: [version], volumes: mounts });
  const groups: GroupSpec[] = [{ ...base, placement: { ...base.placement, fleets } }];
  const fields = { version, count, fleets: [...(fleets ?? [])], volumes: [...volumes], ...policy };
  return service(
    name,
    { ...fields, idle: String(more.idleMs) },
    { groups, probes: [PROBE], policy: { ...spec(name).policy, ...policy }, ...more },
  );
}

export const fleetIn = async (world: World, name = 'pool') =>
  ((await world.store.load(`main/fleet:${name}`))?.state ?? null) as FleetState | null;
export const volumeIn = async (world: World, name = 'data') =>
  ((await world.store.load(`main/volume:${name}`))?.state ?? null) as VolumeState | null;
export const serviceIn = async (world: World, name: string) =>
  ((await world.store.load(`main/${name}`))?.state ?? null) as ServiceState | null;

/** Machines that are there: `pool-m1 web-2`, by what runs on them. */
export function machinesOf(world: World): string[] {
  const live = [...world.clouds.values()].flatMap((cloud) => cloud.live());
  return live.map(({ tags, runs }) => `${tags.replica} ${runs?.replica ?? '-'}`).toSorted();
}
