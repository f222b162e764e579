// From what a fleet's file says to the spec that is decided by: every default filled in.
import { FLEET_IDLE_MS, type FleetSpec, IDLE_POOL } from './fleet.ts';
import { requirementOf } from './resolve.ts';
import { sparseResources } from './sparse.ts';
import type { Fleet } from './surroundings.ts';

export function fleetSpecOf(fleet: Fleet, name: string): FleetSpec {
  const { nodes, resources, idle_duration } = fleet;
  const min = nodes?.min ?? 0;
  return {
    name,
    nodes: { min, target: nodes?.target ?? min, max: nodes?.max ?? null },
    placement: {
      requirement: requirementOf(resources ? sparseResources(resources) : undefined, false),
      backends: fleet.backends ?? null,
      regions: fleet.regions ?? null,
      availabilityZones: fleet.availability_zones ?? null,
      instanceTypes: fleet.instance_types ?? null,
      spotPolicy: fleet.spot_policy ?? 'on-demand',
      maxPrice: fleet.max_price ?? null,
      reservation: fleet.reservation ?? null,
      fleets: null,
    },
    idleMs: idle_duration == null ? FLEET_IDLE_MS : idle_duration < 0 ? null : idle_duration * 1000,
    refusal: refusalOf(fleet, name),
  };
}

/** The pool that no file declares: whatever its services leave, for as long as they say. */
export const IDLE_POOL_SPEC: FleetSpec = {
  name: IDLE_POOL,
  nodes: { min: 0, target: 0, max: null },
  placement: {
    requirement: { cpu: null, memoryGib: null, diskGib: null, gpu: null },
    backends: null,
    regions: null,
    availabilityZones: null,
    instanceTypes: null,
    spotPolicy: 'auto',
    maxPrice: null,
    reservation: null,
    fleets: null,
  },
  idleMs: null,
  refusal: null,
};

// Private

function refusalOf({ nodes, ssh_config }: Fleet, name: string): string | null {
  if (name === IDLE_POOL)
    return `the name \`${IDLE_POOL}\` is that of the pool of idle machines; choose another`;
  if (ssh_config) return 'machines that are there already (`ssh_config`) cannot be used yet';
  return nodes ? null : 'it needs `nodes`: how many machines it may have';
}
