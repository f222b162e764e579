// Fleets and volumes and their records for tests of what people see; everything defaulted but what matters.
import type { DesiredFleet, FleetSpec, FleetState, Machine } from '../../schemas/fleet.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { DesiredVolume, VolumeSpec, VolumeState } from '../../schemas/volume.ts';
import { group, LOCAL } from './samples.ts';

export const H100: Offer = {
  ...LOCAL,
  backend: 'aws',
  region: 'us',
  instance: 'h100',
  resources: { ...LOCAL.resources, gpus: [{ name: 'H100', vendor: 'nvidia', memoryGib: 80 }] },
  price: 2.5,
};

export function fleetSpec(overrides: Partial<FleetSpec> = {}): FleetSpec {
  return {
    name: 'pool',
    nodes: { min: 0, target: 0, max: null },
    placement: { ...group().placement, spotPolicy: 'auto' },
    idleMs: 300_000,
    refusal: null,
    ...overrides,
  };
}

export function fleet(overrides: Partial<FleetSpec> = {}, record: Partial<DesiredFleet> = {}): DesiredFleet {
  const spec = fleetSpec(overrides);
  return { file: `${spec.name}.dstack.yml`, commit: 'c0ffee00', spec, problems: [], ...record };
}

export function machine(number: number, overrides: Partial<Machine> = {}): Machine {
  const name = `pool-m${number}`;
  return {
    name,
    number,
    attempt: 1,
    phase: 'ready',
    offer: H100,
    instance: name,
    guest: null,
    keepMs: 300_000,
    idleSince: overrides.guest || overrides.phase === 'creating' ? null : 0,
    stageMs: 0,
    leaving: '',
    createdAt: 0,
    tries: 0,
    retryAt: 0,
    detail: '',
    ...overrides,
  };
}

/** A machine that `web-1` has. */
export function used(number: number, replica = 'web-1'): Machine {
  const service = replica.slice(0, replica.lastIndexOf('-'));
  return machine(number, { guest: { service, replica, attempt: 1 } });
}

export function fleetState(machines: readonly Machine[], overrides: Partial<FleetState> = {}): FleetState {
  return {
    format: 1,
    project: 'main',
    fleet: 'pool',
    lastMachine: machines.length,
    firstAttempt: 1,
    isBegun: true,
    machines,
    refusals: [],
    setAside: [],
    observedAt: 0,
    waiting: [],
    ...overrides,
  };
}

export function volume(
  overrides: Partial<VolumeSpec> = {},
  record: Partial<DesiredVolume> = {},
): DesiredVolume {
  const spec: VolumeSpec = {
    name: 'models',
    backend: 'aws',
    region: 'us',
    zone: null,
    sizeGib: 100,
    existing: null,
    refusal: null,
    ...overrides,
  };
  return { file: `${spec.name}.dstack.yml`, commit: 'c0ffee00', spec, problems: [], ...record };
}

export function volumeState(
  { spec, commit }: DesiredVolume,
  overrides: Partial<VolumeState> = {},
): VolumeState {
  return {
    format: 1,
    project: 'main',
    volume: spec.name,
    spec,
    commit,
    phase: 'ready',
    id: 'vol-1',
    zone: null,
    tries: 0,
    retryAt: 0,
    detail: '',
    observedAt: 0,
    waiting: [],
    ...overrides,
  };
}
