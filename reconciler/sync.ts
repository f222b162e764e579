// The pass of a project's own key: fetches the branch, turns what a commit changed into desired documents, and decides
// what may be removed. A file that fails to parse removes nothing; neither does a source that cannot be reached.
import type { DesiredRecord } from '../schemas/desired.ts';
import { asFailure, Failure, type Problem } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { canonical } from '../schemas/json.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import type { BoundaryHook } from './boundary.ts';
import { desiredOf } from './desire.ts';
import { newsOf } from './news.ts';
import { backoffMs } from './plan/backoff.ts';
import { type Deletions, planDeletions } from './plan/deletions.ts';
import { type SecretSource, type Vault, watchSecrets } from './secrets.ts';
import type { AssembleOptions } from './source/assemble.ts';
import type { Source } from './source/git.ts';
import { emptyCache, readSnapshot, type Snapshot } from './source/snapshot.ts';
import type { Claim, DesiredChange, Settlement, Store } from './store/store.ts';

export interface SyncOptions {
  readonly project: string;
  readonly source: Source;
  readonly store: Pick<Store, 'list' | 'load' | 'putDesired'>;
  readonly secrets: SecretSource;
  readonly vault: Vault;
  readonly refusal: AssembleOptions['refusal'];
  readonly pollMs: number;
  /** In [0, 1): spreads the polls of many daemons. */
  readonly random: () => number;
  readonly boundary: BoundaryHook;
}

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
  let serial = -1;
  let failures = 0;

  async function readRecords(): Promise<Map<string, DesiredRecord>> {
    const all = await store.list(project);
    const pairs = all.filter(({ service, desired }) => service !== '' && desired !== null);
    return new Map(pairs.map(({ service, desired }) => [service, desired as DesiredRecord]));
  }

  /** What the newest commit asks for; null when all of that is known. */
  async function look({ before, known, isServing }: Before): Promise<Wished | null> {
    const commit = await source.fetch();
    const isAll = records === null || secrets.haveChanged();
    const hasRenamed = before.renames.some(({ to }) => isServing(to));
    if (!isAll && !hasRenamed && commit.commit === before.commit) return null;
    boundary('source-read', project);
    // Whatever goes wrong before all of it is written, the next pass makes everything anew.
    records = null;
    const snapshot = await readSnapshot(source, cache, commit.commit);
    const next = await desiredOf({ ...options, secrets: secrets.source }, snapshot, known, isAll);
    return { commit, snapshot, next };
  }

  async function write(
    claim: Claim,
    { before, known, isServing }: Before,
    wished: Wished,
  ): Promise<ProjectState> {
    const { commit, snapshot, next } = wished;
    const deletions = planDeletions(known, next, snapshot.policy, before.renames, isServing);
    for (const name of [...deletions.held, ...deletions.renames.map(({ from }) => from)])
      keepAsIs(name, known, next);
    const changes = changesBetween(project, known, next);
    const after = { ...stateAfter(recovered(before), wished, deletions), key: vault.id };
    const told = newsOf({ before, after, commit, policy: snapshot.policy, known, changes });
    const events = [...recovery(before, claim), ...told];
    const isNew = changes.length > 0 || events.length > 0 || canonical(after) !== canonical(before);
    const state: ProjectState = isNew ? { ...after, serial: before.serial + 1 } : before;
    boundary('desired-unsaved', project);
    if (isNew && !(await store.putDesired(claim.lease, changes, state, events)))
      throw new Failure('transient', `${project}: the lease went to another reconciler`);
    boundary('desired-saved', project);
    records = applied(known, changes);
    serial = state.serial;
    return state;
  }

  return async (claim) => {
    const before = (claim.record.state as ProjectState | null) ?? newProjectState();
    requireKey(before, vault);
    if (before.serial !== serial) records = null;
    const known = records ?? (await readRecords());
    const context = { before, known, isServing: await servingNames(options, before) };
    let wished: Wished | null;
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
    const wakeAt = claim.now + pollIn(options, state);
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

/** What a commit asks for. */
interface Wished {
  readonly commit: Awaited<ReturnType<Source['fetch']>>;
  readonly snapshot: Snapshot;
  readonly next: Map<string, DesiredRecord>;
}

function pollIn({ pollMs, random }: SyncOptions, { renames }: ProjectState): number {
  const ms = Math.round(pollMs * (0.8 + 0.4 * random()));
  return renames.length > 0 ? Math.min(ms, RENAME_POLL_MS) : ms;
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

function stateAfter(
  before: ProjectState,
  { commit, snapshot }: Wished,
  { held, renames }: Deletions,
): ProjectState {
  return {
    ...before,
    commit: commit.commit,
    committedAt: commit.committedAt,
    subject: commit.subject,
    author: commit.author,
    problems: [...snapshot.problems, ...homeless(snapshot)],
    others: othersOf(snapshot),
    held,
    renames,
  };
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

/** New names of renamed services whose first rollout is done. */
async function servingNames(
  { store, project }: SyncOptions,
  { renames }: ProjectState,
): Promise<(name: string) => boolean> {
  const serving = new Set<string>();
  for (const { to } of renames) {
    const record = await store.load(`${project}/${to}`);
    const { good = null, target = null } = (record?.state ?? {}) as Partial<ServiceState>;
    if (good !== null && good === target) serving.add(to);
  }
  return (name) => serving.has(name);
}

function keepAsIs(
  name: string,
  known: ReadonlyMap<string, DesiredRecord>,
  next: Map<string, DesiredRecord>,
): void {
  const record = known.get(name);
  if (record) next.set(name, record);
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

/** Problems of files that do not even say what they are called. */
function homeless(snapshot: Snapshot): Problem[] {
  return [...snapshot.files.values()]
    .filter(({ ok, name }) => !ok && name === null)
    .flatMap(({ problems }) => problems);
}

function othersOf(snapshot: Snapshot): ProjectState['others'] {
  return [...snapshot.files.values()]
    .filter(({ ok, type }) => ok && type !== null && type !== 'service')
    .map(({ path, type, name }) => ({ path, type: type ?? '', name }));
}
