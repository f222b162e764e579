// The pass of a project's own key: fetches the branch, turns what a commit changed into desired documents, and decides
// what may be removed. A file that fails to parse removes nothing; neither does a source that cannot be reached.
import type { DesiredRecord } from '../schemas/desired.ts';
import { asFailure, type Failure, type Problem } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { canonical } from '../schemas/json.ts';
import { rolloutPolicy } from '../schemas/policy.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import type { BoundaryHook } from './boundary.ts';
import { backoffMs } from './plan/backoff.ts';
import { planDeletions } from './plan/deletions.ts';
import type { SecretSource, Vault } from './secrets.ts';
import { type AssembleOptions, assemble } from './source/assemble.ts';
import type { Source } from './source/git.ts';
import { type ParsedFile, parseTree } from './source/parse.ts';
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
const RENAME_POLL_MS = 1_000;

/** Makes the pass of one project; the returned function remembers what it has parsed between passes. */
export function createSync(options: SyncOptions): (claim: Claim) => Promise<Settlement> {
  const { project, source, store, boundary } = options;
  let cache = emptyCache();
  let records: Map<string, DesiredRecord> | null = null;
  let serial = -1;
  let failures = 0;

  async function readRecords(): Promise<Map<string, DesiredRecord>> {
    const all = await store.list(project);
    const pairs = all.filter(({ service, desired }) => service !== '' && desired !== null);
    return new Map(pairs.map(({ service, desired }) => [service, desired as DesiredRecord]));
  }

  async function sync(claim: Claim, before: ProjectState): Promise<Settlement> {
    const fetched = await source.fetch();
    const isNew = fetched.commit !== before.commit || records === null || before.renames.length > 0;
    if (!isNew) return settle(claim, recovered(before, claim), options);
    boundary('source-read', claim.record.key);
    const known = records ?? (await readRecords());
    const isFirst = records === null;
    const snapshot = await readSnapshot(source, cache, fetched.commit);
    const next = await nextDesired(options, snapshot, known, isFirst);
    const deletions = planDeletions(
      known,
      next,
      snapshot.policy,
      before.renames,
      await servingNames(options, before),
    );
    for (const name of [...deletions.held, ...deletions.renames.map(({ from }) => from)])
      keepAsIs(name, known, next);
    const changes = changesBetween(project, known, next);
    const state: ProjectState = {
      ...recovered(before, claim).state,
      serial: before.serial + 1,
      commit: fetched.commit,
      committedAt: fetched.committedAt,
      subject: fetched.subject,
      author: fetched.author,
      problems: [...snapshot.problems, ...homeless(snapshot)],
      others: othersOf(snapshot),
      held: deletions.held,
      renames: deletions.renames,
    };
    const events = [
      ...recovered(before, claim).events,
      ...eventsOf(before, state, fetched.forced, known, changes),
    ];
    boundary('desired-unsaved', claim.record.key);
    if (!(await store.putDesired(claim.lease, changes, state, events)))
      throw new Error(`${project}: the lease went to another reconciler`);
    boundary('desired-saved', claim.record.key);
    records = applied(known, changes);
    serial = state.serial;
    const wait = state.renames.length > 0 ? RENAME_POLL_MS : pollIn(options);
    return { lease: claim.lease, wakeAt: claim.now + wait, events: [], release: true };
  }

  return async (claim) => {
    const before = (claim.record.state as ProjectState | null) ?? newProjectState();
    if (before.serial !== serial) records = null;
    try {
      const settlement = await sync(claim, before);
      failures = 0;
      return settlement;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // Whatever was half done is read again from the start.
      cache = emptyCache();
      records = null;
      failures += 1;
      return failed(claim, before, asFailure(error), failures);
    }
  };
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

function pollIn({ pollMs, random }: SyncOptions): number {
  return Math.round(pollMs * (0.8 + 0.4 * random()));
}

function recovered(
  before: ProjectState,
  { record, now }: Claim,
): { state: ProjectState; events: readonly NewEvent[] } {
  if (!before.sourceFailure) return { state: before, events: [] };
  const seconds = Math.round((now - before.sourceFailure.since) / 1000);
  const reason = `the repository of ${record.project} answers again after ${seconds} s`;
  return {
    state: { ...before, sourceFailure: null },
    events: [{ service: '', event: 'source-recovered', reason }],
  };
}

function settle(
  claim: Claim,
  { state, events }: { state: ProjectState; events: readonly NewEvent[] },
  options: SyncOptions,
): Settlement {
  const base = { lease: claim.lease, wakeAt: claim.now + pollIn(options), events, release: true };
  return events.length > 0 ? { ...base, state } : base;
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

/** The wished-for documents of all services that some file declares. Only what the commit touched is made anew. */
async function nextDesired(
  options: SyncOptions,
  snapshot: Snapshot,
  known: ReadonlyMap<string, DesiredRecord>,
  isFirst: boolean,
): Promise<Map<string, DesiredRecord>> {
  const { services, conflicts } = parseTree([...snapshot.files.values()], snapshot.policy);
  const next = new Map<string, DesiredRecord>();
  const mountIds = await readMountIds(options.source, snapshot, [...services.values()]);
  for (const [name, file] of services) {
    const before = known.get(name) ?? null;
    const isTouched = isFirst || snapshot.touched === null || snapshot.touched.includes(file.path);
    if (before && isSound(before) && !isTouched && !hasMounts(file)) next.set(name, before);
    else next.set(name, recordOf(options, snapshot, file, before, mountIds));
  }
  for (const [name, problems] of conflicts) next.set(name, kept(known.get(name) ?? null, problems));
  for (const file of snapshot.files.values()) keepBroken(file, known, next);
  return next;
}

/** Problems may come from outside the file, as those of a name claimed twice do: they can end without it being touched. */
function isSound({ removed, problems }: DesiredRecord): boolean {
  return !removed && problems.every(({ severity }) => severity !== 'error');
}

/** A file that says nothing valid still holds its service: under its own name, or the name it had when it was last good. */
function keepBroken(
  file: ParsedFile,
  known: ReadonlyMap<string, DesiredRecord>,
  next: Map<string, DesiredRecord>,
): void {
  if (file.ok || (file.type !== null && file.type !== 'service')) return;
  const former = [...known].find(([, record]) => record.service?.file === file.path)?.[0];
  const name = former ?? file.name;
  if (name === null || next.has(name)) return;
  next.set(name, kept(known.get(name) ?? null, file.problems));
}

function kept(before: DesiredRecord | null, problems: readonly Problem[]): DesiredRecord {
  return { service: before?.service ?? null, removed: false, problems };
}

function recordOf(
  options: SyncOptions,
  snapshot: Snapshot,
  file: ParsedFile,
  before: DesiredRecord | null,
  mountIds: ReadonlyMap<string, string | null>,
): DesiredRecord {
  const warnings = file.problems.filter(({ severity }) => severity === 'warning');
  const assembled = assemble(file, {
    commit: snapshot.commit,
    policy: rolloutPolicy(snapshot.policy, file.name ?? '', file.spec?.model != null),
    secrets: options.secrets,
    vault: options.vault,
    refusal: options.refusal,
    mountId: (path) => mountIds.get(path) ?? null,
  });
  if (!assembled.ok) return kept(before, [...assembled.problems, ...warnings]);
  const same = before?.service?.digest === assembled.service.digest && before.service.file === file.path;
  return { service: same ? before.service : assembled.service, removed: false, problems: warnings };
}

function hasMounts(file: ParsedFile): boolean {
  return file.spec?.groups.some(({ process }) => process.files.length + process.repos.length > 0) ?? false;
}

/** Git's ids of everything that services mount: they name content. */
async function readMountIds(
  source: Source,
  snapshot: Snapshot,
  files: readonly ParsedFile[],
): Promise<Map<string, string | null>> {
  const processes = files.flatMap((file) => file.spec?.groups.map(({ process }) => process) ?? []);
  const paths = new Set(
    processes.flatMap(({ files: mounts, repos }) => [...mounts, ...repos].map((mount) => mount.source)),
  );
  const ids = new Map<string, string | null>();
  for (const path of paths) {
    const object = await source.object(snapshot.commit, path);
    ids.set(path, object && `${object.mode}:${object.id}`);
  }
  return ids;
}

/** New names of renamed services whose first rollout is done. */
async function servingNames(
  { store, project }: SyncOptions,
  { renames }: ProjectState,
): Promise<(name: string) => boolean> {
  const serving = new Set<string>();
  for (const { to } of renames) {
    const record = await store.load(`${project}/${to}`);
    if ((record?.state as ServiceState | null)?.good != null) serving.add(to);
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
  known: Map<string, DesiredRecord>,
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

/** One event for the commit, one for each service that changed. */
function eventsOf(
  before: ProjectState,
  after: ProjectState,
  forced: boolean,
  known: ReadonlyMap<string, DesiredRecord>,
  changes: readonly DesiredChange[],
): NewEvent[] {
  const commit = after.commit ?? '';
  const short = commit.slice(0, 8);
  const events: NewEvent[] = [];
  if (before.commit !== commit) {
    const text = `${short} ${after.subject} (${after.author})${forced ? '; the branch was rewritten' : ''}`;
    events.push({ service: '', event: 'commit', reason: text, commit });
  }
  for (const { key, desired } of changes)
    events.push(...changeEvents(key.slice(key.indexOf('/') + 1), known, desired, commit));
  if (after.held.length > 0 && canonical(after.held) !== canonical(before.held)) {
    const names = after.held.join(', ');
    const reason = `${after.held.length} services lost their files at once, more than one commit may remove; kept: ${names}. Put them under prune: { allow: [...] } in trueup.yml to remove them`;
    events.push({ service: '', event: 'deletions-held', reason, commit });
  }
  return events;
}

function changeEvents(
  service: string,
  known: ReadonlyMap<string, DesiredRecord>,
  desired: unknown,
  commit: string,
): NewEvent[] {
  const [was, is] = [known.get(service), desired as DesiredRecord | null];
  if (is === null) return [{ service, event: 'removed', reason: 'its file is gone', commit }];
  const [problem] = is.problems.filter(({ severity }) => severity === 'error');
  if (problem) {
    const text = `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
    return [
      { service, event: 'invalid', reason: is.service ? `${text}; the last good spec stays` : text, commit },
    ];
  }
  const events: NewEvent[] = [];
  if (was && was.problems.length > 0 && is.problems.length === 0) {
    events.push({
      service,
      event: 'fixed',
      reason: `${is.service?.file ?? 'its file'} is valid again`,
      commit,
    });
  }
  if (is.service && is.service.revision !== was?.service?.revision) {
    events.push({
      service,
      event: 'desired',
      reason: `revision ${is.service.revision} from ${is.service.file}`,
      commit,
    });
  }
  return events;
}
