// The pass of a project's own key: fetches the branch, turns what a commit changed into desired documents, and lets in
// what may be applied now; what has to wait is looked at again in every pass. A file that fails to parse removes
// nothing; neither does a source that cannot be reached.
import type { Around, DesiredAround } from '../schemas/around.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import { asFailure, Failure } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { canonical } from '../schemas/json.ts';
import { isSuspended, type Policy } from '../schemas/policy.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { aroundChanges, aroundNews, aroundWanted } from './around.ts';
import type { BoundaryHook } from './boundary.ts';
import { type PriceOf, type PriceOfMachine, readCosts } from './costs.ts';
import { desiredOf } from './desire.ts';
import { newsOf } from './news.ts';
import { type AdmitInput, admit, costsOf, countedBefore, policiesFor } from './plan/admit.ts';
import { backoffMs } from './plan/backoff.ts';
import { hasTakenOver } from './plan/status.ts';
import { type Asked, type Judged, stateAfter } from './project-state.ts';
import { type SecretSource, type Vault, watchSecrets } from './secrets.ts';
import type { AssembleOptions } from './source/assemble.ts';
import type { Source } from './source/git.ts';
import { emptyCache, readSnapshot } from './source/snapshot.ts';
import type { Claim, DesiredChange, Settlement, Store } from './store/store.ts';
import { standingOf } from './supply.ts';

export interface SyncOptions {
  readonly project: string;
  readonly source: Source;
  readonly store: Pick<Store, 'list' | 'around' | 'load' | 'putDesired'>;
  readonly secrets: SecretSource;
  readonly vault: Vault;
  readonly refusal: AssembleOptions['refusal'];
  /** Whether a commit is applied as soon as it is read, or waits until it is approved. */
  readonly apply: 'auto' | 'gated';
  /** The newest commit that was approved; null: none was. Only asked where `apply` is gated. */
  readonly approved: (project: string) => Promise<string | null>;
  /** Only asked where a budget needs it. */
  readonly priceOf: PriceOf;
  readonly priceOfMachine: PriceOfMachine;
  readonly pollMs: number;
  /** In [0, 1): spreads the polls of many daemons. */
  readonly random: () => number;
  readonly boundary: BoundaryHook;
}

/** No service has this name: only a suspended project means it too. */
const AROUND = ':';
/** How soon the source is asked again after a failure, at most. */
const RETRY_CAP_MS = 60_000;
/** While a rename waits for its new service. */
const RENAME_POLL_MS = 5_000;

/** Makes the pass of one project; the returned function remembers what it has parsed between passes. */
export function createSync(options: SyncOptions): (claim: Claim) => Promise<Settlement> {
  const { project, source, store, vault, boundary } = options;
  const secrets = watchSecrets(options.secrets);
  const cache = emptyCache();
  let records: ReadonlyMap<string, DesiredRecord> | null = null;
  let around: Around = new Map();
  /** What the commit asks for of which `records` are what is in force. */
  let asked: Asked | null = null;
  let serial = -1;
  let failures = 0;

  async function readRecords(): Promise<Map<string, DesiredRecord>> {
    const all = await store.list(project);
    const pairs = all.filter(({ service, desired }) => service !== '' && desired !== null);
    const beside = (await store.around(project)).filter(({ desired }) => desired !== null);
    around = new Map(beside.map(({ service, desired }) => [service, desired as DesiredAround]));
    return new Map(pairs.map(({ service, desired }) => [service, desired as DesiredRecord]));
  }

  /** What the newest commit asks for; null when all of that is in force. */
  async function look({ before, known, isServing }: Before): Promise<Asked | null> {
    const commit = await source.fetch();
    const isAll = records === null || secrets.haveChanged();
    const hasRenamed = before.renames.some(({ to }) => isServing(to));
    const isKnown = !isAll && !hasRenamed && commit.commit === before.commit;
    if (isKnown && !isWaiting(before, known)) return null;
    if (isKnown && asked) return asked;
    boundary('source-read', project);
    // Whatever goes wrong before all of it is written, the next pass makes everything anew.
    records = null;
    const snapshot = await readSnapshot(source, cache, commit.commit);
    const lastPolicy = before.policies?.own ?? null;
    const desire = { ...options, secrets: secrets.source, lastPolicy };
    return { commit, snapshot, next: await desiredOf(desire, snapshot, known, isAll) };
  }

  /** What of that may be applied now. */
  async function judge(claim: Claim, context: Before, { commit, snapshot, next }: Asked): Promise<Judged> {
    const { before, known, isServing } = context;
    const isApproved = options.apply === 'auto' || (await options.approved(project)) === commit.commit;
    const policies = policiesFor(before, commit.commit, snapshot.policy, isApproved);
    const question: Omit<AdmitInput, 'costs'> = {
      commit: commit.commit,
      known,
      next,
      policies,
      isReadable: snapshot.policy !== null,
      isApproved,
      renames: before.renames,
      isServing,
      servicesBefore: countedBefore(before, commit.commit),
      now: claim.now,
    };
    const standing = async () => ({
      ...standingOf(await store.around(project)),
      around: aroundWanted(snapshot, around, next),
    });
    const costs = await readCosts({ ...options, standing, known, next }, costsOf(question));
    const admission = admit({ ...question, costs });
    const wanted = aroundWanted(snapshot, around, admission.records);
    const changesAround = aroundChanges(project, around, wanted).length > 0;
    const asksNothing =
      admission.waiting.size === 0 && isSamePolicy(snapshot.policy, policies.own) && !changesAround;
    return { admission, policies, around: wanted, changesAround, isApplied: isApproved || asksNothing };
  }

  async function write(claim: Claim, context: Before, wished: Asked): Promise<ProjectState> {
    const { before, known } = context;
    const judged = await judge(claim, context, wished);
    const { admission } = judged;
    const changes = changesBetween(project, known, admission.records);
    const after = { ...stateAfter(recovered(before), wished, judged, claim.now), key: vault.id };
    const isHeld = !judged.isApplied || isSuspended(judged.policies.own, AROUND);
    const beside = isHeld ? around : judged.around;
    const all = [...changes, ...aroundChanges(project, around, beside)];
    const told = [
      ...newsOf({ before, after, commit: wished.commit, admission, known, changes }),
      ...aroundNews(around, beside, wished.commit.commit),
    ];
    const events = [...recovery(before, claim), ...told];
    const isNew = all.length > 0 || events.length > 0 || canonical(after) !== canonical(before);
    const state: ProjectState = isNew ? { ...after, serial: before.serial + 1 } : before;
    boundary('desired-unsaved', project);
    if (isNew && !(await store.putDesired(claim.lease, all, state, events)))
      throw new Failure('transient', `${project}: the lease went to another reconciler`);
    boundary('desired-saved', project);
    records = applied(known, changes);
    around = beside;
    asked = wished;
    serial = state.serial;
    return state;
  }

  return async (claim) => {
    const before = (claim.record.state as ProjectState | null) ?? newProjectState();
    requireKey(before, vault);
    if (before.serial !== serial) records = null;
    const known = records ?? (await readRecords());
    const context = { before, known, isServing: await servingNames(options, before, claim.now) };
    let wished: Asked | null;
    try {
      wished = await look(context);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failures += 1;
      return failed(claim, before, asFailure(error), failures);
    }
    failures = 0;
    const state = wished ? await write(claim, context, wished) : recovered(before);
    const events = wished ? [] : recovery(before, claim);
    const wakeAt = Math.min(
      claim.now + pollIn(options, state, records ?? known),
      ...openings(records ?? known, claim.now),
    );
    return { lease: claim.lease, ...(events.length > 0 ? { state } : {}), wakeAt, events, release: true };
  };
}

/** Throws `unauthorized` when the project's values were sealed with another key: this program could not open them. */
export function requireKey({ key }: Pick<ProjectState, 'key'>, vault: Pick<Vault, 'id'>): void {
  if (key === undefined || key === vault.id) return;
  throw new Failure('unauthorized', 'this database belongs to a trueup with another key', {
    fix: 'give all that share it the same TRUEUP_KEY (or copy the file `key` of the first data dir)',
  });
}

export function newProjectState(): ProjectState {
  return {
    format: 1,
    serial: 0,
    commit: null,
    committedAt: 0,
    subject: '',
    author: '',
    problems: [],
    others: [],
    held: [],
    renames: [],
    sourceFailure: null,
  };
}

// Private

/** What a pass goes by. */
interface Before {
  readonly before: ProjectState;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  /** Whether the new name of a renamed service has been rolled out. */
  readonly isServing: (name: string) => boolean;
}

/** Something is asked for that was not applied yet: it may be by now. */
function isWaiting({ pending }: ProjectState, known: ReadonlyMap<string, DesiredRecord>): boolean {
  return pending !== undefined || known.values().some((record) => record.pending !== undefined);
}

function isSamePolicy(a: Policy | null, b: Policy): boolean {
  return a === null || canonical(a) === canonical(b);
}

/** A rename is soon over, unless its new service may not begin yet. */
function pollIn(
  { pollMs, random }: SyncOptions,
  { renames }: ProjectState,
  known: ReadonlyMap<string, DesiredRecord>,
): number {
  const ms = Math.round(pollMs * (0.8 + 0.4 * random()));
  const isUnderWay = renames.some(({ to }) => !known.get(to)?.pending);
  return isUnderWay ? Math.min(ms, RENAME_POLL_MS) : ms;
}

/** When what waits for a window may be applied. */
function openings(known: ReadonlyMap<string, DesiredRecord>, now: number): number[] {
  const instants = [...known.values()].flatMap(({ pending }) => pending?.until ?? []);
  return instants.filter((until) => until > now);
}

function recovered(before: ProjectState): ProjectState {
  return { ...before, sourceFailure: null };
}

function recovery({ sourceFailure }: ProjectState, { record, now }: Claim): NewEvent[] {
  if (!sourceFailure) return [];
  const seconds = Math.round((now - sourceFailure.since) / 1000);
  const reason = `the repository of ${record.project} answers again after ${seconds} s`;
  return [{ service: '', event: 'source-recovered', reason }];
}

/** The source's failure is told once, kept in the state until it is over, and changes nothing else. */
function failed(claim: Claim, before: ProjectState, failure: Failure, failures: number): Settlement {
  const { lease, now } = claim;
  const wakeAt = failure.retryAt ?? now + Math.min(RETRY_CAP_MS, backoffMs(failures, false));
  const text = failure.fix ? `${failure.message}. ${failure.fix}` : failure.message;
  if (before.sourceFailure?.message === text) return { lease, wakeAt, events: [], release: true };
  const sourceFailure = { message: text, kind: failure.kind, since: before.sourceFailure?.since ?? now };
  const event: NewEvent = { service: '', event: 'source-failed', reason: text };
  return { lease, wakeAt, state: { ...before, sourceFailure }, events: [event], release: true };
}

/** New names of renamed services that serve in place of the old. */
async function servingNames(
  { store, project }: SyncOptions,
  { renames }: ProjectState,
  now: number,
): Promise<(name: string) => boolean> {
  const serving = new Set<string>();
  for (const { to } of renames) {
    const record = await store.load(`${project}/${to}`);
    if (record?.state && hasTakenOver(record.state as ServiceState, now)) serving.add(to);
  }
  return (name) => serving.has(name);
}

function changesBetween(
  project: string,
  known: ReadonlyMap<string, DesiredRecord>,
  next: ReadonlyMap<string, DesiredRecord>,
): DesiredChange[] {
  const written = [...next].filter(([name, record]) => {
    const before = known.get(name);
    return before !== record && canonical(before ?? null) !== canonical(record);
  });
  const removed = [...known.keys()].filter((name) => !next.has(name));
  return [...written, ...removed.map((name) => [name, null] as const)].map(([name, desired]) => ({
    key: `${project}/${name}`,
    desired,
  }));
}

function applied(
  known: ReadonlyMap<string, DesiredRecord>,
  changes: readonly DesiredChange[],
): Map<string, DesiredRecord> {
  const records = new Map(known);
  for (const { key, desired } of changes) {
    const name = key.slice(key.indexOf('/') + 1);
    if (desired === null) records.delete(name);
    else records.set(name, desired as DesiredRecord);
  }
  return records;
}
