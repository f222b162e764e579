// What a commit asks to be changed, service by service, beside what is in force.
import type { DesiredRecord, DesiredService, Pending } from '../../schemas/desired.ts';
import { isRunningTheSame, sameShapes } from './deployments.ts';
import { isSameValue } from './same.ts';

export type Records = ReadonlyMap<string, DesiredRecord>;

/** One change of one service. */
export interface Ask {
  readonly name: string;
  /** null: its removal. */
  readonly service: DesiredService | null;
  /** What is in force; null: nothing. */
  readonly inForce: DesiredService | null;
  /** What waited until now, if it is the same that is asked for; null: nothing did. */
  readonly waited: Pending | null;
  /** Whether the commit that is judged brought it; else an earlier one did. */
  readonly isNew: boolean;
}

/** What `commit` asks to be different, new and changed services only: removals are told apart by `planDeletions`. */
export function updatesAsked(known: Records, next: Records, commit: string): Ask[] {
  return [...next].flatMap(([name, { service }]) => {
    const inForce = known.get(name)?.service ?? null;
    const isAsked = service !== null && service.digest !== inForce?.digest;
    return isAsked ? [askOf(known, name, service, commit)] : [];
  });
}

export function askOf(known: Records, name: string, service: DesiredService | null, commit: string): Ask {
  const record = known.get(name);
  const pending = record?.pending ?? null;
  const waited = pending && pending.service?.digest === service?.digest ? pending : null;
  const isNew = waited === null || waited.unapproved === true || waited.commit === commit;
  return { name, service, inForce: record?.service ?? null, waited, isNew };
}

/** Nothing that runs or is routed would differ: comments, spelling, the policy of its rollouts. */
export function isQuiet({ service, inForce }: Ask): boolean {
  return service !== null && inForce !== null && isRunningTheSame(inForce, service);
}

/** It may cost something else than what is in force: other replicas, elsewhere, or more of them. */
export function isCostly({ service, inForce }: Ask): boolean {
  if (service === null) return false;
  if (inForce === null || !sameShapes(inForce, service)) return true;
  return !isSameValue(sizeOf(inForce), sizeOf(service));
}

// Private

function sizeOf({ spec }: DesiredService) {
  return spec.groups.map(({ name, replicas, placement }) => ({ name, replicas, placement }));
}
