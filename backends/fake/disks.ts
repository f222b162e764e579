// The volumes of the fake cloud: there from their creation on, for ever.
import { createHash } from 'node:crypto';
import { Failure } from '../../schemas/errors.ts';
import type { Disk } from '../../schemas/volume.ts';
import type { DiskRequest } from '../backend.ts';

export interface DiskOptions {
  readonly now: () => number;
  readonly name: string;
  /** From `create` to ready. */
  readonly diskMs?: number;
  /** Where it has any; absent: everywhere. */
  readonly regions?: readonly string[];
}

export function createDisks({ now, name, diskMs = 0, regions }: DiskOptions) {
  const disks = new Map<string, { readonly request: DiskRequest; readonly readyAt: number }>();
  const describe = (id: string, request: DiskRequest, readyAt: number): Disk => ({
    id,
    region: request.region,
    zone: request.zone,
    sizeGib: request.sizeGib,
    status: now() < readyAt ? 'creating' : 'ready',
    tags: request.tags,
  });
  const find = (id: string): Disk | null => {
    const disk = disks.get(id);
    return disk ? describe(id, disk.request, disk.readyAt) : null;
  };
  return {
    find,
    make(request: DiskRequest): Disk {
      if (regions && !regions.includes(request.region))
        throw new Failure('invalid', `${name}: there is no region ${request.region}`, {
          fix: `use ${regions.join(' or ')}`,
        });
      const id = idOf(request);
      const made = disks.get(id) ?? { request, readyAt: now() + diskMs };
      disks.set(id, made);
      return describe(id, made.request, made.readyAt);
    },
    listed: (owner: string): readonly Disk[] =>
      [...disks].flatMap(([id, { request, readyAt }]) =>
        request.tags.owner === owner ? [describe(id, request, readyAt)] : [],
      ),
    /** It is gone, and what was on it. */
    lose: (id: string): void => void disks.delete(id),
    nextChangeAt(): number | null {
      const times = [...disks.values()].map(({ readyAt }) => readyAt).filter((at) => at > now());
      return times.length > 0 ? Math.min(...times) : null;
    },
  };
}

// Private

/** Equal requests have equal ids: what makes `create` safe to repeat. */
function idOf({ tags: { owner, project, volume } }: DiskRequest): string {
  return `vol-${createHash('sha256')
    .update(JSON.stringify([owner, project, volume]))
    .digest('hex')
    .slice(0, 8)}`;
}
