// The replica groups of a service, under whichever of their two spellings they were written.
import type { Group, Service } from './service.ts';

/** The groups of a service under either of their names, each with a name of its own; null when it has none. */
export function groupsOf({ replicas, groups: named }: Partial<Service>): readonly Group[] | null {
  const found = named ?? (Array.isArray(replicas) ? replicas : null);
  return found?.map((item, index) => ({ ...item, name: item?.name ?? String(index) })) ?? null;
}
