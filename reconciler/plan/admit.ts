// Admission: what of a commit is in force now, and what waits. For each change these are asked in turn, and the first
// that objects is what it waits for: first what a person decides, last what only takes time.
//
//   suspended        the service is suspended: nothing new begins
//   approval         nobody has approved the commit (`apply: gated`)
//   deletion-budget  its file is gone, with more others than one commit may remove
//   budget           it would be dearer than allowed, or nobody knows how dear
//   window           no window is open
//
// Rules are those of the commit before as well as its own, so that no commit makes the room it uses: what a commit
// tightens holds at once, what it loosens holds for what comes after it. A change that waits since an earlier commit
// is judged by the newest rules alone.
import type { DesiredRecord, Pending } from '../../schemas/desired.ts';
import type { PlanWarning } from '../../schemas/plan.ts';
import { DEFAULT_POLICY, isSuspended, type Policy } from '../../schemas/policy.ts';
import type { Policies, ProjectState, Rename } from '../../schemas/project.ts';
import { type Opening, openingsAt } from '../../schemas/windows.ts';
import { type Ask, askOf, isQuiet, type Records, updatesAsked } from './asks.ts';
import { costsNeeded, tooDear } from './budget.ts';
import { type Costs, costIn } from './cost.ts';
import { type Deletions, planDeletions } from './deletions.ts';
import { loosenings } from './loosened.ts';

export interface AdmitInput {
  readonly commit: string;
  /** In force, with what waits. */
  readonly known: Records;
  /** What the commit asks for. */
  readonly next: Records;
  readonly policies: Policies;
  /** False: `trueup.yml` of the commit has errors, so nothing is removed. */
  readonly isReadable: boolean;
  readonly isApproved: boolean;
  readonly renames: readonly Rename[];
  /** Whether the new name of a renamed service has been rolled out. */
  readonly isServing: (name: string) => boolean;
  /** How many services there were when the commit was first judged; null: that is now. */
  readonly servicesBefore: number | null;
  /** At least of those that `costsOf` names. */
  readonly costs: Costs;
  readonly now: number;
}

export interface Admission {
  /** What is in force from now on, with what waits. A name that is missing is removed. */
  readonly records: Records;
  /** Changes that are in force from now on, and those that wait. */
  readonly admitted: readonly string[];
  readonly waiting: ReadonlyMap<string, Pending>;
  /** How many there were before the commit: what it adds makes no room for what it removes. */
  readonly servicesBefore: number;
  /** Removals that are more than may be removed. */
  readonly held: readonly string[];
  readonly whyHeld: string;
  readonly renames: readonly Rename[];
  readonly warnings: readonly PlanWarning[];
}

export function admit(input: AdmitInput): Admission {
  const { known, next } = input;
  const deletions = deletionsOf(input);
  const asks = asksOf(input, deletions);
  const waiting = waitingOf(input, asks, deletions);
  const admitted = asks.filter(({ name }) => !waiting.has(name));
  const records = new Map<string, DesiredRecord>();
  const gone = new Set([
    ...deletions.free,
    ...admitted.flatMap(({ name, service }) => (service ? [] : name)),
  ]);
  for (const name of new Set([...known.keys(), ...next.keys()])) {
    if (gone.has(name)) continue;
    const record = inForce(name, input, waiting.get(name));
    const isHeld = isSuspended(input.policies.own, name);
    if (record)
      records.set(name, renamed(name, marked(record, isHeld, waiting.get(name)), deletions.renames));
  }
  return {
    records,
    admitted: admitted.map(({ name }) => name),
    waiting,
    servicesBefore: servicesBefore(input),
    held: deletions.held,
    whyHeld: deletions.why,
    renames: deletions.renames,
    warnings: asks.some((ask) => ask.isNew && !isQuiet(ask)) ? loosenings(input.policies) : [],
  };
}

/** Whose costs `admit` has to be given. */
export function costsOf(input: Omit<AdmitInput, 'costs' | 'now'>): ReturnType<typeof costsNeeded> {
  const gone = [...input.known.keys()].filter((name) => !input.next.has(name));
  const removals = gone.map((name) => askOf(input.known, name, null, input.commit));
  const asks = [...updatesAsked(input.known, input.next, input.commit), ...removals];
  return costsNeeded(input.known, asks, input.policies);
}

/** The rules that a commit is judged by; `own` is null while its `trueup.yml` has errors. Not approved, it has none yet. */
export function policiesFor(
  { applied, policies }: Pick<ProjectState, 'applied' | 'policies'>,
  commit: string,
  own: Policy | null,
  isApproved: boolean,
): Policies {
  const last = policies?.own ?? null;
  if (!isApproved) return { before: last ?? DEFAULT_POLICY, own: last ?? DEFAULT_POLICY };
  const current = own ?? last ?? DEFAULT_POLICY;
  const before = applied === commit ? policies?.before : last;
  return { before: before ?? current, own: current };
}

/** How many services there were when this commit was first judged; null: it is now for the first time. */
export function countedBefore(
  state: Partial<Pick<ProjectState, 'commit' | 'servicesBefore'>> | null,
  commit: string | null,
): number | null {
  return commit !== null && state?.commit === commit ? (state.servicesBefore ?? null) : null;
}

// Private

type Held = Pick<Pending, 'reason' | 'until' | 'detail'>;

function deletionsOf(input: AdmitInput): Deletions {
  const { known, next, commit, policies, isReadable, costs } = input;
  const rules = (asked: readonly string[]) => {
    const hasNew = asked.some((name) => askOf(known, name, null, commit).isNew);
    const judges = hasNew ? [policies.before, policies.own] : [policies.own];
    return {
      policies: isReadable ? judges : null,
      prune: policies.own.prune,
      costOf: (name: string) => costIn(costs.now, name),
    };
  };
  const count = servicesBefore(input);
  return planDeletions(known, next, count, rules, input.renames, input.isServing);
}

/** A service that nobody let in yet is none. */
function servicesBefore({
  known,
  servicesBefore: earlier,
}: Pick<AdmitInput, 'known' | 'servicesBefore'>): number {
  return earlier ?? [...known.values()].filter(({ service }) => service !== null).length;
}

function asksOf({ known, next, commit }: AdmitInput, { asked }: Deletions): Ask[] {
  return [...updatesAsked(known, next, commit), ...asked.map((name) => askOf(known, name, null, commit))];
}

function waitingOf(input: AdmitInput, asks: readonly Ask[], deletions: Deletions): Map<string, Pending> {
  const { policies, now } = input;
  const openings = {
    old: openingsAt([policies.own.windows], now),
    new: openingsAt([policies.before.windows, policies.own.windows], now),
  };
  const windowOf = (ask: Ask) =>
    isQuiet(ask) ? null : heldByWindow(openings[ask.isNew ? 'new' : 'old'](ask.name));
  const first = (ask: Ask) => heldByPerson(ask, input, deletions);
  const payable = asks.filter((ask) => first(ask) === null);
  const removed = payable.filter((ask) => ask.service === null && windowOf(ask) === null);
  const money = {
    ...input,
    renames: deletions.renames,
    removed: [...deletions.free, ...removed.map(({ name }) => name)],
  };
  const dear = tooDear(payable, money, (ask) => windowOf(ask) === null);
  const waiting = new Map<string, Pending>();
  for (const ask of asks) {
    const held = first(ask) ?? heldByBudget(dear.get(ask.name)) ?? windowOf(ask);
    if (held) waiting.set(ask.name, pendingOf(ask, held, input));
  }
  return waiting;
}

function heldByPerson(
  { name }: Ask,
  { policies, isApproved, commit }: AdmitInput,
  { held, why }: Deletions,
): Held | null {
  if (isSuspended(policies.own, name)) {
    return { reason: 'suspended', until: null, detail: 'lift `suspend` in trueup.yml to go on' };
  }
  if (!isApproved) {
    return {
      reason: 'approval',
      until: null,
      detail: `somebody has to approve commit ${commit.slice(0, 8)}`,
    };
  }
  return held.includes(name) ? { reason: 'deletion-budget', until: null, detail: why } : null;
}

function heldByBudget(detail: string | undefined): Held | null {
  return detail === undefined ? null : { reason: 'budget', until: null, detail };
}

function heldByWindow(opening: Opening): Held | null {
  if (opening.isOpen) return null;
  const what = opening.by === 'deny' ? 'a window that denies changes is open' : 'no window is open';
  const never = opening.until === null ? ', nor is an opening in sight: change `windows` in trueup.yml' : '';
  return { reason: 'window', until: opening.until, detail: `${what}${never}` };
}

/** The same as before keeps its `since`, and the commit that asked first. */
function pendingOf(
  { service, waited, isNew }: Ask,
  held: Held,
  { commit, now, isApproved }: AdmitInput,
): Pending {
  const isSame = waited?.reason === held.reason;
  return {
    ...held,
    commit: isNew ? commit : (waited?.commit ?? commit),
    revision: service?.revision ?? null,
    since: isSame ? waited.since : now,
    ...(service ? { service: waited?.service ?? service } : {}),
    ...(isNew && !isApproved ? { unapproved: true } : {}),
  };
}

/** A name's record without what waits: of the commit, or where its change has to wait, what was in force before. */
function inForce(
  name: string,
  { known, next }: AdmitInput,
  pending: Pending | undefined,
): DesiredRecord | null {
  const [before, asked] = [known.get(name), next.get(name)];
  // With its file go the mistakes in it.
  if (!asked) return before ? { ...before, problems: [] } : null;
  if (!pending) return asked;
  return { service: before?.service ?? null, removed: false, problems: asked.problems };
}

/** Each of the two names knows the other. */
function renamed(
  name: string,
  { renamedTo: _, renamedFrom: __, ...record }: DesiredRecord,
  renames: readonly Rename[],
): DesiredRecord {
  const to = renames.find(({ from }) => from === name)?.to;
  const former = renames.filter((each) => each.to === name).map(({ from }) => from);
  return {
    ...record,
    ...(to === undefined ? {} : { renamedTo: to }),
    ...(former.length === 0 ? {} : { renamedFrom: former }),
  };
}

function marked(record: DesiredRecord, isSuspended: boolean, pending: Pending | undefined): DesiredRecord {
  if (!isSuspended && !pending && !record.suspended && !record.pending) return record;
  const { service, removed, problems } = record;
  return {
    service,
    removed,
    problems,
    ...(pending ? { pending } : {}),
    ...(isSuspended ? { suspended: true } : {}),
  };
}
