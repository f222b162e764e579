// What the store knows of a project, as what people are told about it.
import type { ServiceView, Status, Why } from '../../schemas/api.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { type Subject, statusOf, whyOf } from '../plan/explain.ts';
import type { KeyRecord, Store } from '../store/store.ts';

export interface ServiceReading {
  readonly view: ServiceView;
  readonly why: Why;
  /** The replicas that failed and of which the last lines are kept. */
  readonly failed: readonly string[];
}

export type UrlOf = (project: string, service: string) => string;

export async function readStatus(store: Store, project: string, urlOf: UrlOf): Promise<Status> {
  const [records, now] = await Promise.all([store.list(project), store.now()]);
  const own = records.find(({ service }) => service === '');
  const state = own?.state as ProjectState | null | undefined;
  const services = records
    .filter(({ service }) => service !== '')
    .map((record) => statusOf(subjectOf(record, urlOf, now), spell));
  return { ...(state ? projectView(state) : NOTHING_READ), project, services };
}

export async function readService(
  store: Store,
  project: string,
  service: string,
  urlOf: UrlOf,
): Promise<ServiceReading | null> {
  const [record, now] = await Promise.all([store.load(`${project}/${service}`), store.now()]);
  if (!record || service === '') return null;
  const subject = subjectOf(record, urlOf, now);
  const failed = subject.state?.failures.map(({ replica }) => replica) ?? [];
  return { view: statusOf(subject, spell), why: whyOf(subject, spell), failed };
}

export async function serviceNames(store: Store, project: string): Promise<string[]> {
  return (await store.list(project)).map(({ service }) => service).filter((service) => service !== '');
}

// Private

const NOTHING_READ = { commit: null, problems: [], sourceFailure: null, held: [], others: [] };

function projectView({ commit, problems, sourceFailure, held, others }: ProjectState) {
  const failure = sourceFailure && { message: sourceFailure.message, since: spell(sourceFailure.since) };
  return { commit, problems, sourceFailure: failure, held, others };
}

/** The store's documents are opaque to it; these are the types they were written with. */
function subjectOf(record: KeyRecord, urlOf: UrlOf, now: number): Subject {
  return {
    name: record.service,
    record: record.desired as DesiredRecord | null,
    state: record.state as ServiceState | null,
    url: urlOf(record.project, record.service),
    now,
  };
}

function spell(ms: number): string {
  return new Date(ms).toISOString();
}
