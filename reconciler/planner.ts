// Answers "what would change": for the newest commit, or for files that are no commit yet. Executes nothing.
import { posix } from 'node:path';
import type { DesiredRecord, DesiredService } from '../schemas/desired.ts';
import type { Plan, PlanWarning } from '../schemas/plan.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { type Ask, askMarkets, askOnce } from './markets.ts';
import { planOf } from './plan/diff.ts';
import { previewOf } from './preview.ts';
import type { MountId } from './source/content.ts';
import type { KeyRecord, Store } from './store/store.ts';
import { type SourceFile, type WantedOptions, type WantedServices, wantedOf } from './wanted.ts';

export interface PlannerOptions {
  readonly store: Pick<Store, 'list' | 'now'>;
  readonly wanted: (project: string) => WantedOptions;
  /** What all backends of a project say to a placement. */
  readonly market: (project: string, ...question: Parameters<Ask>) => ReturnType<Ask>;
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

export function createPlanner({ store, wanted, market, prices, applyOf }: PlannerOptions): Planner {
  return async (project, files, objects = {}) => {
    const [records, now] = await Promise.all([store.list(project), store.now()]);
    const state = records.find(({ service }) => service === '')?.state as ProjectState | null | undefined;
    const states = statesOf(records);
    const options = withObjects(wanted(project), objects);
    const found = files ? await wantedOf(placed(files, options.root), options) : committedOf(records, state);
    const ask: Ask = askOnce((...question) => market(project, ...question));
    const unread = new Set([...found.unread, ...madeOf(records, found.broken)]);
    const preview = await previewOf({
      project,
      commit: files ? null : (state?.commit ?? null),
      store,
      state: state ?? null,
      known: desiredRecords(records),
      found: { ...found, unread },
      ask,
      isGated: applyOf?.(project) === 'gated',
      now,
    });
    return planOf(found.desired, states, {
      commit: files ? null : (state?.commit ?? null),
      base: files ? (state?.applied ?? state?.commit ?? null) : (state?.applied ?? appliedCommit(states)),
      unread,
      problems: found.problems,
      policy: found.policy,
      marketOf: await askMarkets(found.desired, ask),
      ...(prices ? { prices: prices(project) } : {}),
      ...preview,
      policyWarnings: [...(files ? [] : sourceWarnings(state)), ...(preview.policyWarnings ?? [])],
      now,
    });
  };
}

// Private

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
