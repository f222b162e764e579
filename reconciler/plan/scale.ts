// How many replicas a group wants.
import type { GroupSpec } from '../../schemas/desired.ts';

/**
 * The first count of a range is its minimum, but never 0 where the range allows more: nothing can wake a service
 * that has no replica as long as its traffic is not watched for that.
 */
export function wantedReplicas(group: GroupSpec): number {
  const { min, max } = group.replicas;
  return Math.min(max, Math.max(min, 1));
}
