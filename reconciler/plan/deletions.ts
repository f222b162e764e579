// Decides which services whose files are gone may be removed. Deleting is the one thing that cannot be taken back, so
// a commit may delete only so much, and what lives on under another name goes last.
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { Rename } from '../../schemas/project.ts';
import { type Cost, dollars } from './cost.ts';

export type DeletionPolicy = Pick<Policy, 'prune' | 'deletionBudget'>;

export interface Deletions {
  /** Gone at once: they never ran, or run under their new name already. */
  readonly free: readonly string[];
  /** Their files are gone: they are to be removed. */
  readonly asked: readonly string[];
  /** Those of `asked` that are more than may be removed, and why. */
  readonly held: readonly string[];
  readonly why: string;
  readonly renames: readonly Rename[];
}

export interface DeletionRules {
  /** Every one of these must allow it; null: `trueup.yml` has errors. */
  readonly policies: readonly DeletionPolicy[] | null;
  /** What the commit itself says of `prune`: names it allows are removed, whatever the budget says. */
  readonly prune: Policy['prune'];
  /** What a service costs at its highest count. */
  readonly costOf: (service: string) => Cost;
}

type Records = ReadonlyMap<string, DesiredRecord>;

/**
 * `known` is what was desired before, of so many `services`, `next` what is now; `isServing(name)` tells whether a service's new name has been
 * rolled out. Over the budget nothing is removed at all: half of a mistake is still one.
 */
export function planDeletions(
  known: Records,
  next: Records,
  services: number,
  rules: (asked: readonly string[]) => DeletionRules,
  renamesBefore: readonly Rename[],
  isServing: (name: string) => boolean,
): Deletions {
  const gone = [...known.keys()].filter((name) => !next.has(name));
  const empty = gone.filter((name) => known.get(name)?.service === null);
  const full = gone.filter((name) => !empty.includes(name));
  const renames = full.flatMap((from) => renameOf(from, known, next, renamesBefore));
  const done = renames.filter(({ to }) => isServing(to)).map(({ from }) => from);
  const asked = full.filter((name) => !renames.some(({ from }) => from === name));
  return {
    free: [...empty, ...done],
    asked,
    ...heldOf(asked, services, rules(asked)),
    renames: renames.filter(({ to }) => !isServing(to)),
  };
}

/** Services that one commit may remove. */
export function deletionsAllowed(services: number, { deletionBudget }: DeletionPolicy): number {
  return Math.max(deletionBudget.services, Math.floor((services * deletionBudget.percent) / 100));
}

// Private

function heldOf(
  asked: readonly string[],
  services: number,
  { policies, prune, costOf }: DeletionRules,
): Pick<Deletions, 'held' | 'why'> {
  if (policies === null) return { held: asked, why: 'nothing is removed while trueup.yml has errors' };
  const released = typeof prune === 'object' ? prune.allow : [];
  const rest = asked.filter((name) => !released.includes(name));
  if (rest.length === 0) return { held: [], why: '' };
  const costs = rest.map((name) => [name, costOf(name)] as const);
  const why = policies.map((policy) => objection(policy, services, costs)).find((text) => text !== '') ?? '';
  return { held: why === '' ? [] : rest, why };
}

/** What a policy says against removing these; '' when nothing. */
function objection(
  policy: DeletionPolicy,
  services: number,
  costs: readonly (readonly [name: string, cost: Cost])[],
): string {
  if (policy.prune === false) return `\`prune\` is off. ${RELEASE}`;
  const allowed = deletionsAllowed(services, policy);
  if (costs.length > allowed)
    return `${costs.length} of ${services} services are gone, ${allowed} may be removed by one commit. ${RELEASE}`;
  const { perHour } = policy.deletionBudget;
  if (perHour === null) return '';
  const unknown = costs.find(([, cost]) => cost.kind === 'unknown');
  if (unknown) return `what ${unknown[0]} costs is unknown. ${RELEASE}`;
  const total = costs.reduce((sum, [, cost]) => sum + (cost.kind === 'known' ? cost.perHour : 0), 0);
  if (total <= perHour) return '';
  return `what is gone costs ${dollars(total)}, ${dollars(perHour)} may be removed by one commit. ${RELEASE}`;
}

const RELEASE = 'Name them under `prune: { allow: [...] }` in trueup.yml, or restore the files';

/**
 * A service that vanished while a new one came, made of the very same shapes or else of its file, is the same service under
 * a new name. One that is given its old name back before that was done goes back.
 */
function renameOf(from: string, known: Records, next: Records, before: readonly Rename[]): Rename[] {
  const earlier = before.find((rename) => rename.from === from && next.has(rename.to));
  if (earlier) return [earlier];
  const undone = before.find((rename) => rename.to === from && next.has(rename.from));
  if (undone) return [{ from, to: undone.from }];
  const fresh = [...next].filter(([name]) => !known.get(name)?.service);
  const to = twinOf(from, known, fresh, shapesOf) ?? twinOf(from, known, fresh, fileOf);
  return to === null ? [] : [{ from, to }];
}

/** The one of `fresh` that has the same by which they are told apart, if it is one. */
function twinOf(
  from: string,
  known: Records,
  fresh: readonly (readonly [name: string, record: DesiredRecord])[],
  by: (record: DesiredRecord | undefined) => string,
): string | null {
  const mark = by(known.get(from));
  const twins = mark === '' ? [] : fresh.filter(([, record]) => by(record) === mark);
  return twins.length === 1 ? (twins[0]?.[0] ?? null) : null;
}

function fileOf(record: DesiredRecord | undefined): string {
  return record?.service?.file ?? '';
}

function shapesOf(record: DesiredRecord | undefined): string {
  return Object.entries(record?.service?.shapes ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, shape]) => `${group}=${shape}`)
    .join(',');
}
