// Which fleets a service asks for its machines.
import type { Placement, ServiceSpec } from '../../../schemas/desired.ts';
import { IDLE_POOL } from '../../../schemas/fleet.ts';

/** null: none; each replica gets a machine of its own, which ends with it. */
export function fleetsAsked(
  { fleets }: Pick<Placement, 'fleets'>,
  { idleMs, isReuseOnly }: Pick<ServiceSpec, 'idleMs' | 'isReuseOnly'>,
): readonly string[] | null {
  if (fleets) return fleets;
  return (idleMs !== undefined && idleMs !== 0) || isReuseOnly ? [IDLE_POOL] : null;
}
