// What fleets and volumes ask for, in words.
import type { DesiredAround } from '../../schemas/around.ts';
import { type FleetSpec, IDLE_POOL } from '../../schemas/fleet.ts';
import { durationText } from '../../schemas/units.ts';
import type { VolumeSpec } from '../../schemas/volume.ts';

export function aroundText({ spec }: DesiredAround): string {
  return 'nodes' in spec ? fleetText(spec) : volumeText(spec);
}

/** `2 machines are kept`. */
export function keptText(count: number): string {
  return count === 0 ? 'no machine is kept' : `${count} machine${count === 1 ? ' is' : 's are'} kept`;
}

export function mostText(max: number | null): string {
  return max === null ? 'as many as are asked for may be made' : `at most ${max} at once`;
}

export function idleText(idleMs: number | null): string {
  return `idle ones stay ${idleMs === null ? '' : 'for '}${periodText(idleMs)}`;
}

export function periodText(ms: number | null): string {
  return ms === null ? 'for ever' : durationText(ms / 1000);
}

/** `100 GB in aws (us-east-1)`. */
export function volumeText({ sizeGib, existing, ...place }: VolumeSpec): string {
  return `${existing ?? `${sizeGib} GB`} in ${placeText(place)}`;
}

export function placeText({ backend, region }: Pick<VolumeSpec, 'backend' | 'region'>): string {
  return region === '' ? backend : `${backend} (${region})`;
}

// Private

function fleetText({ name, nodes: { min, target, max }, idleMs }: FleetSpec): string {
  if (name === IDLE_POOL) return 'machines that services leave are kept for a while, as their files say';
  const first = target > min ? `, ${target} are made at first` : '';
  return `${keptText(min)}${first}, ${mostText(max)}; ${idleText(idleMs)}`;
}
