// What a commit would change, service by service: what that does to replicas and what it costs.
// Compares masked, sparse configurations and shapes; never looks at running processes.
import jsonpatch from 'fast-json-patch';
import type { GroupSpec } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import { canonical, type JsonObject } from '../../schemas/json.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { Change, PatchOperation, Plan } from '../../schemas/plan.ts';
import type { Deployment, ServiceState } from '../../schemas/rollout.ts';
import { targetOf } from './deployments.ts';
import { differenceOf, type Wanted } from './fields.ts';
import { wantedReplicas } from './scale.ts';

/** What backends would sell now for a group, cheapest first. */
export type OffersOf = (service: string, group: string) => readonly Offer[];

export interface PlanContext {
  /** What is planned; null for files that are no commit. */
  readonly commit: string | null;
  readonly base: string | null;
  readonly offersOf?: OffersOf;
  /** Services whose files do not parse: their last good deployment stays. */
  readonly unread?: ReadonlySet<string>;
  readonly problems?: readonly Problem[];
}

/** What becomes of `name` when `desired` replaces `deployed`; null on either side means it is not there. */
export function diffService(
  name: string,
  desired: Wanted | null,
  deployed: Deployment | null,
  offersOf: OffersOf = () => [],
): Change {
  const groups = (desired?.spec.groups ?? []).map((group) => priceGroup(group, offersOf(name, group.name)));
  if (desired && deployed) return { service: name, ...update(desired, deployed), groups };
  return { service: name, ...(desired ? create(desired) : GONE), groups };
}

/** All changes between what is wanted and what was applied, by service name, with what they cost. */
export function planOf(
  desired: ReadonlyMap<string, Wanted>,
  states: ReadonlyMap<string, ServiceState>,
  context: PlanContext,
): Plan {
  const deployed = deployedServices(states);
  const renames = renamesOf(desired, deployed, context.unread ?? new Set());
  const names = [...new Set([...desired.keys(), ...deployed.keys()])].sort();
  const changes = names
    .filter((name) => ![...renames.values()].includes(name))
    .map((name) => changeOf(name, desired, deployed, renames, context));
  return {
    commit: context.commit,
    base: context.base,
    changes,
    price: priceOf(changes, desired, states),
    deletions: changes.filter(({ change }) => change === 'delete').map(({ service }) => service),
    problems: context.problems ?? [],
  };
}

// Private

type Verdict = Pick<Change, 'change' | 'how' | 'reason' | 'patch'>;

const GONE: Verdict = {
  change: 'delete',
  how: [],
  reason: 'its file is gone',
  patch: [{ op: 'remove', path: '' }],
};

const UNREAD: Verdict = {
  change: 'keep',
  how: [],
  reason: 'its file does not parse: the last good deployment stays',
  patch: [],
};

const UNCHANGED: Verdict = { change: 'keep', how: [], reason: 'unchanged', patch: [] };

function create(desired: Wanted): Verdict {
  const patch: PatchOperation[] = [{ op: 'add', path: '', value: mutable(desired.configuration) }];
  return { change: 'create', how: [], reason: `${desired.file} is new`, patch };
}

function update(desired: Wanted, deployed: Deployment): Verdict {
  const difference = differenceOf(desired, deployed);
  if (!difference) return UNCHANGED;
  const patch = jsonpatch.compare(mutable(deployed.configuration), mutable(desired.configuration));
  return { change: 'update', ...difference, patch: patch as PatchOperation[] };
}

function changeOf(
  name: string,
  desired: ReadonlyMap<string, Wanted>,
  deployed: ReadonlyMap<string, Deployment>,
  renames: ReadonlyMap<string, string>,
  context: PlanContext,
): Change {
  const wanted = desired.get(name) ?? null;
  const from = renames.get(name);
  if (!wanted && context.unread?.has(name)) return { service: name, ...UNREAD, groups: [] };
  const change = diffService(name, wanted, deployed.get(from ?? name) ?? null, context.offersOf);
  if (from === undefined) return change;
  const reason = `renamed from ${from} and made of the same: the new one is ready before the old one stops`;
  return { ...change, change: 'rename', from, reason };
}

function deployedServices(states: ReadonlyMap<string, ServiceState>): Map<string, Deployment> {
  const found = new Map<string, Deployment>();
  for (const [name, state] of states) {
    const target = targetOf(state);
    if (target) found.set(name, target);
  }
  return found;
}

/** New name -> old name, where exactly one service vanished and exactly one new one has its shapes. */
function renamesOf(
  desired: ReadonlyMap<string, Wanted>,
  deployed: ReadonlyMap<string, Deployment>,
  unread: ReadonlySet<string>,
): Map<string, string> {
  const gone = [...deployed].filter(([name]) => !desired.has(name) && !unread.has(name));
  const fresh = [...desired].filter(([name]) => !deployed.has(name));
  const goneBy = Map.groupBy(gone, ([, { shapes }]) => canonical(shapes));
  const freshBy = Map.groupBy(fresh, ([, { shapes }]) => canonical(shapes));
  const renames = new Map<string, string>();
  for (const [shapes, [old, ...others]] of goneBy) {
    const [now, ...candidates] = freshBy.get(shapes) ?? [];
    if (old && now && others.length + candidates.length === 0) renames.set(now[0], old[0]);
  }
  return renames;
}

function priceGroup(group: GroupSpec, offers: readonly Offer[]): Change['groups'][number] {
  return {
    name: group.name,
    offers: offers.slice(0, OFFERS_SHOWN),
    totalOffers: offers.length,
    price: wantedReplicas(group) * (offers[0]?.price ?? 0),
  };
}

/** Offers shown per group; all of them are counted. */
const OFFERS_SHOWN = 3;

/** USD per hour: as it runs now, once converged, and at the most while rolling (old and surplus at once). */
function priceOf(
  changes: readonly Change[],
  desired: ReadonlyMap<string, Wanted>,
  states: ReadonlyMap<string, ServiceState>,
): Plan['price'] {
  const price = { now: 0, steady: 0, peak: 0 };
  for (const change of changes) {
    const now = runningPrice(states.get(change.from ?? change.service));
    const steady = change.change === 'keep' ? now : sum(change.groups.map((group) => group.price));
    price.now += now;
    price.steady += steady;
    price.peak += Math.max(now, steady) + surgePrice(change, desired.get(change.service), now);
  }
  return price;
}

function surgePrice(change: Change, desired: Wanted | undefined, now: number): number {
  if (change.change === 'rename') return now;
  const rolls = change.how.includes('replace') || change.how.includes('placement');
  if (!desired || !rolls) return 0;
  return sum(change.groups.map((group) => desired.spec.policy.surge * (group.offers[0]?.price ?? 0)));
}

function runningPrice(state: ServiceState | undefined): number {
  return sum((state?.replicas ?? []).map((replica) => replica.offer.price));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** fast-json-patch and zod ask for mutable JSON; neither writes to what it is given. */
function mutable(configuration: JsonObject) {
  return configuration as { [key: string]: never };
}
