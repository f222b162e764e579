// Decides which services whose files are gone may be removed. Deleting is the one thing that cannot be taken back, so
// a commit may delete only so much, and what lives on under another name goes last.
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { Rename } from '../../schemas/project.ts';

export type DeletionPolicy = Pick<Policy, 'prune' | 'deletionBudget'>;

export interface Deletions {
  readonly removed: readonly string[];
  /** Kept although their files are gone. */
  readonly held: readonly string[];
  readonly renames: readonly Rename[];
}

/**
 * `known` is what was desired before, `next` what is now; `policy` is null while it cannot be read; `isServing(name)`
 * tells whether a service's new name has been rolled out. Over the budget nothing is removed at all: half of a mistake
 * is still one.
 */
export function planDeletions(
  known: ReadonlyMap<string, DesiredRecord>,
  next: ReadonlyMap<string, DesiredRecord>,
  policy: DeletionPolicy | null,
  renamesBefore: readonly Rename[],
  isServing: (name: string) => boolean,
): Deletions {
  const gone = [...known.keys()].filter((name) => !next.has(name));
  const empty = gone.filter((name) => known.get(name)?.service === null);
  const renames = gone.flatMap((from) => renameOf(from, known, next, renamesBefore));
  const done = renames.filter(({ to }) => isServing(to)).map(({ from }) => from);
  const others = gone.filter((name) => !empty.includes(name) && !renames.some(({ from }) => from === name));
  const allowed = others.filter((name) => isAllowed(name, others.length, known.size, policy));
  return {
    removed: [...empty, ...done, ...allowed],
    held: others.filter((name) => !allowed.includes(name)),
    renames: renames.filter(({ to }) => !isServing(to)),
  };
}

/** Services that one commit may remove. */
export function deletionsAllowed(services: number, { deletionBudget }: DeletionPolicy): number {
  return Math.max(deletionBudget.services, Math.floor((services * deletionBudget.percent) / 100));
}

// Private

function isAllowed(
  name: string,
  deletions: number,
  services: number,
  policy: DeletionPolicy | null,
): boolean {
  if (policy === null) return false;
  const { prune } = policy;
  if (typeof prune === 'object' && prune.allow.includes(name)) return true;
  return prune !== false && deletions <= deletionsAllowed(services, policy);
}

/** A service that vanished while a new one made of the very same shapes came is the same service under a new name. */
function renameOf(
  from: string,
  known: ReadonlyMap<string, DesiredRecord>,
  next: ReadonlyMap<string, DesiredRecord>,
  before: readonly Rename[],
): Rename[] {
  const earlier = before.find((rename) => rename.from === from && next.has(rename.to));
  if (earlier) return [earlier];
  const shapes = shapesOf(known.get(from));
  const twins = [...next].filter(
    ([name, record]) => !known.get(name)?.service && shapes !== '' && shapesOf(record) === shapes,
  );
  const [twin] = twins;
  return twin && twins.length === 1 ? [{ from, to: twin[0] }] : [];
}

function shapesOf(record: DesiredRecord | undefined): string {
  return Object.entries(record?.service?.shapes ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, shape]) => `${group}=${shape}`)
    .join(',');
}
