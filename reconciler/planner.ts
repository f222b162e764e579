// Answers "what would change": for the newest commit, or for files that are no commit yet. Executes nothing.
import { posix } from 'node:path';
import type { Plan } from '../schemas/plan.ts';
import type { DesiredRecord, DesiredService, Placement } from '../schemas/desired.ts';
import { canonical } from '../schemas/json.ts';
import type { Offer } from '../schemas/offer.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { type OffersOf, planOf } from './plan/diff.ts';
import type { KeyRecord, Store } from './store/store.ts';
import { type SourceFile, type WantedOptions, type WantedServices, wantedOf } from './wanted.ts';

export interface PlannerOptions {
  readonly store: Pick<Store, 'list'>;
  readonly wanted: (project: string) => WantedOptions;
  /** What all backends of a project would sell, cheapest first. */
  readonly offers: (project: string, placement: Placement) => Promise<readonly Offer[]>;
}

/** `files` are a working copy of the watched folder, paths relative to it; null: the newest commit. */
export type Planner = (project: string, files: readonly SourceFile[] | null) => Promise<Plan>;

export function createPlanner({ store, wanted, offers }: PlannerOptions): Planner {
  return async (project, files) => {
    const records = await store.list(project);
    const state = records.find(({ service }) => service === '')?.state as ProjectState | null | undefined;
    const states = statesOf(records);
    const options = wanted(project);
    const found = files ? await wantedOf(placed(files, options.root), options) : committedOf(records, state);
    return planOf(found.desired, states, {
      commit: files ? null : (state?.commit ?? null),
      base: files ? (state?.commit ?? null) : appliedCommit(states),
      unread: new Set([...found.unread, ...madeOf(records, found.broken)]),
      problems: found.problems,
      offersOf: await readOffers(found.desired, (placement) => offers(project, placement)),
    });
  };
}

// Private

function placed(files: readonly SourceFile[], root: string): SourceFile[] {
  return files.map(({ path, text }) => ({ path: posix.join(root, path), text }));
}

function servicesOf(records: readonly KeyRecord[]): KeyRecord[] {
  return records.filter(({ service }) => service !== '');
}

function statesOf(records: readonly KeyRecord[]): Map<string, ServiceState> {
  const known = servicesOf(records).filter(({ state }) => state !== null);
  return new Map(known.map(({ service, state }) => [service, state as ServiceState]));
}

/** What the newest commit asks for is in the store already; where a file does not parse, its last good spec is. */
function committedOf(records: readonly KeyRecord[], state: ProjectState | null | undefined): WantedServices {
  const desired = new Map<string, DesiredService>();
  const unread = new Set<string>();
  const problems = [...(state?.problems ?? [])];
  for (const { service: name, desired: document } of servicesOf(records)) {
    const record = document as DesiredRecord | null;
    problems.push(...(record?.problems ?? []));
    if (record?.service && !record.removed) desired.set(name, record.service);
    else if (record && !record.removed) unread.add(name);
  }
  return { desired, unread, broken: new Set(), problems };
}

/** The services that were made of these files when they were last good, whatever they were called. */
function madeOf(records: readonly KeyRecord[], paths: ReadonlySet<string>): string[] {
  return servicesOf(records)
    .filter(({ desired }) => paths.has((desired as DesiredRecord | null)?.service?.file ?? ''))
    .map(({ service }) => service);
}

/** Of the youngest deployment. */
function appliedCommit(states: ReadonlyMap<string, ServiceState>): string | null {
  const deployments = [...states.values()].flatMap((state) => state.deployments);
  return deployments.toSorted((a, b) => b.at - a.at)[0]?.commit ?? null;
}

/** Asks once for each different placement. */
async function readOffers(
  desired: ReadonlyMap<string, DesiredService>,
  ask: (placement: Placement) => Promise<readonly Offer[]>,
): Promise<OffersOf> {
  const answers = new Map<string, Promise<readonly Offer[]>>();
  const byGroup = new Map<string, readonly Offer[]>();
  for (const [service, { spec }] of desired) {
    for (const { name, placement } of spec.groups) {
      const key = canonical(placement);
      const answer = answers.get(key) ?? ask(placement);
      answers.set(key, answer);
      byGroup.set(`${service}/${name}`, await answer);
    }
  }
  return (service, group) => byGroup.get(`${service}/${group}`) ?? [];
}
