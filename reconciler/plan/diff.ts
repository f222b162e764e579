// What a commit would change, service by service, as one value: what happens to replicas, what it costs, what to mind.
// Compares masked, sparse configurations and shapes; of what runs it reads only what that costs.
import jsonpatch from 'fast-json-patch';
import type { Problem } from '../../schemas/errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { Market } from '../../schemas/offer.ts';
import type { Change, Hold, PatchOperation, Plan, PlanWarning } from '../../schemas/plan.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { Rename } from '../../schemas/project.ts';
import type { Deployment, ServiceState } from '../../schemas/rollout.ts';
import { scheduleText } from '../../schemas/schedule.ts';
import { type AroundContext, aroundChangesOf, countedTwice, type Demands } from './around-changes.ts';
import { aroundWarnings } from './around-warn.ts';
import { sameShapes, targetOf } from './deployments.ts';
import { digestOf } from './digest.ts';
import { differenceOf, type Wanted } from './fields.ts';
import { demandOf } from './fleet/kept.ts';
import {
  changedPrice,
  deletedPrice,
  groupPlanOf,
  keptPrice,
  renamedPrice,
  totalPrice,
  turnoverOf,
} from './price.ts';
import { wantedReplicas } from './scale.ts';
import { type Prospect, warningsOf } from './warn.ts';

/** What backends say to the placement of a group; undefined: they were not asked. */
export type MarketOf = (service: string, group: string) => Market | undefined;

export interface PlanContext {
  /** What is planned; null for files that are no commit. */
  readonly commit: string | null;
  readonly base: string | null;
  readonly marketOf?: MarketOf;
  /** Where those prices come from; live when nothing is said. */
  readonly prices?: Plan['prices'];
  /** Services whose files do not parse: their last good deployment stays. */
  readonly unread?: ReadonlySet<string>;
  readonly problems?: readonly Problem[];
  /** Services that are called otherwise from now on, by whoever judges that. Absent: none. */
  readonly renames?: readonly Rename[];
  /** The policy that the plan is bound to; null: none is known. */
  readonly policy?: Policy | null;
  /** What would hold a service's change back. */
  readonly holdOf?: (service: string) => Hold | undefined;
  /** Fleets and volumes. Absent: nobody knows of any. */
  readonly around?: AroundContext;
  /** USD per hour for all together; null or absent: as much as it takes. */
  readonly budget?: number | null;
  /** Of budgets and policy, by whoever judges those. */
  readonly policyWarnings?: readonly PlanWarning[];
  /** Epoch ms; absent: every quarantine counts as in force. */
  readonly now?: number;
}

type Services = ReadonlyMap<string, Wanted>;
type States = ReadonlyMap<string, ServiceState>;

/** All changes between what is wanted and what was applied, by service name. */
export function planOf(desired: Services, states: States, context: PlanContext): Plan {
  const deployed = deployedServices(states);
  const unread = context.unread ?? new Set<string>();
  const renames = renamesOf(desired, deployed, context.renames ?? []);
  const renamed = new Set(renames.values());
  const names = [...new Set([...desired.keys(), ...deployed.keys()])]
    .filter((name) => !renamed.has(name))
    .sort();
  const prospects = names.map((name) => prospectOf(name, renames.get(name), desired, states, context));
  const changes = prospects.map(({ change }) => change);
  const demands = demandsOf(prospects);
  const around = context.around ? aroundChangesOf(context.around, demands) : [];
  const price = totalPrice(
    [...changes, ...around].flatMap((each) => each.price ?? []),
    context.around ? countedTwice(context.around, demands) : 0,
  );
  const others = [
    ...(context.around ? aroundWarnings(around, context.around, price, context.budget ?? null) : []),
    ...(context.policyWarnings ?? []),
  ];
  return {
    commit: context.commit,
    base: context.base,
    digest: digestOf(deployed, desired, unread, context.policy ?? null, context.around),
    changes,
    ...(around.length > 0 ? { around } : {}),
    price,
    deletions: changes.filter(({ change }) => change === 'delete').map(({ service }) => service),
    warnings: warningsOf(prospects, others, context.now),
    failures: failuresOf(desired, context),
    prices: context.prices ?? { source: 'live', date: null },
    problems: context.problems ?? [],
  };
}

// Private

type Verdict = Pick<Change, 'change' | 'how' | 'reason' | 'patch' | 'fields'>;

const GONE = verdict('delete', 'its file is gone', [{ op: 'remove', path: '' }]);
const UNREAD = verdict('keep', 'its file does not parse: the last good deployment stays');
const UNCHANGED = verdict('keep', 'unchanged');

/** One without fields to tell of. */
function verdict(change: Change['change'], reason: string, patch: readonly PatchOperation[] = []): Verdict {
  return { change, how: [], reason, patch, fields: [] };
}

/** `from`: the name that it had. */
function prospectOf(
  name: string,
  from: string | undefined,
  desired: Services,
  states: States,
  context: PlanContext,
): Prospect {
  const wanted = desired.get(name) ?? null;
  const state = states.get(from ?? name);
  const deployed = state ? targetOf(state) : null;
  const isUnread = !wanted && context.unread?.has(name) === true;
  const marketOf = (group: string) => context.marketOf?.(name, group);
  const groups = (wanted?.spec.groups ?? []).map((group) => groupPlanOf(group, marketOf(group.name)));
  const { change: what, ...rest } = isUnread ? UNREAD : verdictOf(wanted, deployed, from);
  const change: Change = {
    service: name,
    change: what,
    ...(from === undefined ? {} : { from }),
    ...rest,
    groups,
    price: priceOf(what, wanted, deployed, state, groups),
    ...(what === 'keep' ? {} : aboutTime(name, wanted, context)),
  };
  return { change, desired: wanted, state, marketOf };
}

/** What keeps a change from being in force at once. */
function aboutTime(
  name: string,
  wanted: Wanted | null,
  { holdOf, now }: PlanContext,
): Pick<Change, 'hold' | 'schedule'> {
  const hold = holdOf?.(name);
  const schedule = wanted && now !== undefined ? scheduleText(wanted.spec, now) : null;
  return { ...(hold ? { hold } : {}), ...(schedule === null ? {} : { schedule }) };
}

/** What becomes of a service; null on either side means it is not there. */
function verdictOf(desired: Wanted | null, deployed: Deployment | null, from: string | undefined): Verdict {
  if (!desired) return GONE;
  if (!deployed) return create(desired);
  return from === undefined ? update(desired, deployed) : rename(desired, deployed, from);
}

function create(desired: Wanted): Verdict {
  const patch: PatchOperation[] = [{ op: 'add', path: '', value: mutable(desired.configuration) }];
  return verdict('create', `${desired.file} is new`, patch);
}

function update(desired: Wanted, deployed: Deployment): Verdict {
  const difference = differenceOf(desired, deployed);
  return difference ? { change: 'update', ...difference, patch: patchOf(desired, deployed) } : UNCHANGED;
}

function rename(desired: Wanted, deployed: Deployment, from: string): Verdict {
  const same = sameShapes(desired, deployed) ? ' and made of the same' : '';
  return {
    ...update(desired, deployed),
    change: 'rename',
    reason: `renamed from ${from}${same}: the new one is ready before the old one stops`,
  };
}

function patchOf(desired: Wanted, deployed: Deployment): PatchOperation[] {
  // It makes no `_get`, the one operation of its own that JSON Patch does not know.
  return jsonpatch.compare(
    mutable(deployed.configuration),
    mutable(desired.configuration),
  ) as PatchOperation[];
}

function priceOf(
  change: Change['change'],
  desired: Wanted | null,
  deployed: Deployment | null,
  state: ServiceState | undefined,
  groups: Change['groups'],
): Change['price'] {
  if (change === 'rename' && desired) return renamedPrice(desired, state, groups);
  if (change === 'keep' && state && deployed) return keptPrice(desired ?? deployed, state, groups);
  return desired ? changedPrice(desired, state, groups) : deletedPrice(state);
}

/** How many replicas of what will be there may run in which fleets: at the counts that their prices go by. */
function demandsOf(prospects: readonly Prospect[]): Demands {
  const specs = prospects.flatMap(({ change, desired, state }) => {
    const deployed = change.change === 'keep' && state ? targetOf(state)?.spec : undefined;
    const spec = desired?.spec ?? deployed;
    return spec ? [{ spec, own: change.change === 'keep' ? state : undefined }] : [];
  });
  return {
    steady: specs.flatMap(({ spec, own }) => demandOf(spec, (group) => wantedReplicas(group, own))),
    most: specs.flatMap(({ spec }) => demandOf(spec, ({ replicas }) => replicas.max)),
    fresh: prospects.flatMap(({ change, desired, state }) => {
      if (!desired) return [];
      const turnover = turnoverOf(desired, change.change === 'rename' ? undefined : state);
      return demandOf(desired.spec, ({ name }) => turnover.get(name)?.missing ?? 0);
    }),
  };
}

function deployedServices(states: States): Map<string, Deployment> {
  const targets = [...states].map(([name, state]) => [name, targetOf(state)] as const);
  return new Map(targets.filter((pair): pair is [string, Deployment] => pair[1] !== null));
}

/** New name -> old name, of those that run under the old one only. */
function renamesOf(
  desired: Services,
  deployed: ReadonlyMap<string, Deployment>,
  renames: readonly Rename[],
): Map<string, string> {
  const due = renames.filter(
    ({ from, to }) => deployed.has(from) && !desired.has(from) && desired.has(to) && !deployed.has(to),
  );
  return new Map(due.map(({ from, to }) => [to, from]));
}

/** Each backend that could not be asked, once. */
function failuresOf(desired: Services, { marketOf }: PlanContext): Plan['failures'] {
  const groups = [...desired].flatMap(([service, { spec }]) =>
    spec.groups.map(({ name }) => marketOf?.(service, name)),
  );
  const failures = groups.flatMap((market) => market?.failures ?? []);
  return [...new Map(failures.map((failure) => [failure.backend, failure])).values()];
}

/** fast-json-patch and zod ask for mutable JSON; neither writes to what it is given. */
function mutable(configuration: JsonObject) {
  return configuration as { [key: string]: never };
}
