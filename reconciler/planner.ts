// Answers "what would change": for the newest commit, or for files that are no commit yet. Executes nothing.
import { posix } from 'node:path';
import type { Around } from '../schemas/around.ts';
import type { DesiredRecord, DesiredService } from '../schemas/desired.ts';
import type { Plan, PlanWarning } from '../schemas/plan.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { aroundConflicts, aroundWanted } from './around.ts';
import { type Ask, aroundContext, askMarkets, askOnce } from './markets.ts';
import { planOf } from './plan/diff.ts';
import { askedRecords, previewOf } from './preview.ts';
import type { MountId } from './source/content.ts';
import type { KeyRecord, Store } from './store/store.ts';
import { type Lasting, standingOf } from './supply.ts';
import { type SourceFile, unique, type WantedOptions, type WantedServices, wantedOf } from './wanted.ts';

export interface PlannerOptions {
  readonly store: Pick<Store, 'list' | 'around' | 'now'>;
  readonly wanted: (project: string) => WantedOptions;
  /** What all backends of a project say to a placement. */
  readonly market: (project: string, ...question: Parameters<Ask>) => ReturnType<Ask>;
  /** Whether machines of a backend outlive what runs on them. Absent: those of all do. */
  readonly lastingOf?: (project: string) => Lasting;
  /** Where the market's prices come from. Absent: they are asked now. */
  readonly prices?: (project: string) => Plan['prices'];
  /** Whether a commit waits to be approved. Absent: none does. */
  readonly applyOf?: (project: string) => 'auto' | 'gated';
}

/** Git's names of what is mounted, by path: what `files` come with, so that nobody else is asked. */
export type Objects = { readonly [path: string]: string };

/** `files` are a working copy of the watched folder, paths relative to it; null: the newest commit. */
export type Planner = (
  project: string,
  files: readonly SourceFile[] | null,
  objects?: Objects,
) => Promise<Plan>;

export function createPlanner(options: PlannerOptions): Planner {
  const { store, market, prices, applyOf, lastingOf } = options;
  return async (project, files, objects = {}) => {
    const [records, beside, now] = await Promise.all([
      store.list(project),
      store.around(project),
      store.now(),
    ]);
    const state = records.find(({ service }) => service === '')?.state as ProjectState | null | undefined;
    const states = statesOf(records);
    const wanted = withObjects(options.wanted(project), objects);
    const sent = files && (await wantedOf(placed(files, wanted.root), wanted));
    const read = sent ?? committedOf(records, state);
    const found = { ...read, unread: new Set([...read.unread, ...madeOf(records, read.broken)]) };
    const ask: Ask = askOnce((...question) => market(project, ...question));
    const known = desiredRecords(records);
    const standing = standingOf(beside);
    const asked = sent
      ? aroundWanted({ files: sent.files, commit: '' }, standing.around, askedRecords(known, found))
      : pendingAround(state, standing.around);
    const supply = { ...standing, around: asked, ...(lastingOf?.(project) ?? { lasts: () => true }) };
    const commit = files ? null : (state?.commit ?? null);
    const isGated = applyOf?.(project) === 'gated';
    const preview = await previewOf({
      project,
      commit,
      store,
      state: state ?? null,
      known,
      found,
      ask,
      supply,
      isGated,
      now,
    });
    return planOf(found.desired, states, {
      commit,
      base: files ? (state?.applied ?? state?.commit ?? null) : (state?.applied ?? appliedCommit(states)),
      unread: found.unread,
      problems: unique([
        ...found.problems,
        ...[...asked.values()].flatMap(({ problems }) => problems),
        ...(sent ? aroundConflicts(sent.files, asked) : []),
      ]),
      policy: found.policy,
      marketOf: await askMarkets(found.desired, ask, supply),
      around: await aroundContext(standing, asked, ask, supply),
      ...(prices ? { prices: prices(project) } : {}),
      ...preview,
      policyWarnings: [...(files ? [] : sourceWarnings(state)), ...(preview.policyWarnings ?? [])],
      now,
    });
  };
}

// Private

/** What the newest commit asks for is in force, unless it waits to be approved. */
function pendingAround(state: ProjectState | null | undefined, known: Around): Around {
  const waits = state?.pending?.around;
  return waits ? new Map(Object.entries(waits)) : known;
}

function placed(files: readonly SourceFile[], root: string): SourceFile[] {
  return files.map(({ path, text }) => ({ path: posix.join(root, path), text }));
}

function withObjects(options: WantedOptions, objects: Objects): WantedOptions {
  const given = new Map<string, MountId>(Object.entries(objects));
  return {
    ...options,
    async mountIds(paths) {
      const asked = paths.filter((path) => !given.has(path));
      return asked.length > 0 ? new Map([...(await options.mountIds(asked)), ...given]) : given;
    },
  };
}

/** While the repository cannot be read, nobody knows of newer commits. */
function sourceWarnings(state: ProjectState | null | undefined): PlanWarning[] {
  if (!state?.sourceFailure) return [];
  const { message, since } = state.sourceFailure;
  const fix = `Since ${new Date(since).toISOString().slice(0, 19)}Z no newer commit is seen; this plan is of the last one.`;
  return [{ kind: 'source', service: '', message, fix }];
}

function servicesOf(records: readonly KeyRecord[]): KeyRecord[] {
  return records.filter(({ service }) => service !== '');
}

function statesOf(records: readonly KeyRecord[]): Map<string, ServiceState> {
  const known = servicesOf(records).filter(({ state }) => state !== null);
  return new Map(known.map(({ service, state }) => [service, state as ServiceState]));
}

function desiredRecords(records: readonly KeyRecord[]): Map<string, DesiredRecord> {
  const known = servicesOf(records).filter(({ desired }) => desired !== null);
  return new Map(known.map(({ service, desired }) => [service, desired as DesiredRecord]));
}

/**
 * What the newest commit asks for is in the store already; where a file does not parse, its last good spec is. A former
 * name is kept in force until the new one serves, yet no file asks for it any more.
 */
function committedOf(records: readonly KeyRecord[], state: ProjectState | null | undefined): WantedServices {
  const desired = new Map<string, DesiredService>();
  const unread = new Set<string>();
  const problems = [...(state?.problems ?? [])];
  const former = new Set(state?.renames.map(({ from }) => from));
  for (const [name, record] of desiredRecords(records)) {
    if (former.has(name)) continue;
    problems.push(...record.problems);
    const service = askedOf(record);
    if (service) desired.set(name, service);
    else if (!record.removed && !record.pending) unread.add(name);
  }
  const policy = state?.pending ? (state.pending.policy ?? state.policies?.own) : state?.policies?.own;
  return { desired, unread, broken: new Set(), problems, policy: policy ?? null };
}

/** What waits is asked for too. */
function askedOf({ service, removed, pending }: DesiredRecord): DesiredService | null {
  if (pending) return pending.service ?? null;
  return removed ? null : service;
}

/** The services that were made of these files when they were last good, whatever they were called. */
function madeOf(records: readonly KeyRecord[], paths: ReadonlySet<string>): string[] {
  return [...desiredRecords(records)]
    .filter(([, record]) => paths.has(record.service?.file ?? ''))
    .map(([name]) => name);
}

/** Of the youngest deployment. */
function appliedCommit(states: ReadonlyMap<string, ServiceState>): string | null {
  const deployments = [...states.values()].flatMap((state) => state.deployments);
  return deployments.toSorted((a, b) => b.at - a.at)[0]?.commit ?? null;
}
