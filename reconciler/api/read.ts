// What the store knows of a project, as what people are told about it.
import type { ServiceView, Status, Why } from '../../schemas/api.ts';
import type { AroundView } from '../../schemas/api-around.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { type Subject, statusOf, whyOf } from '../plan/explain.ts';
import { aroundReadings } from '../read-around.ts';
import type { KeyRecord, Store } from '../store/store.ts';

/** A service, or what is around them. */
export interface Reading {
  readonly view: ServiceView | AroundView;
  readonly why: Why;
}

export interface ServiceReading extends Reading {
  readonly view: ServiceView;
  /** The replicas that failed and of which the last lines are kept. */
  readonly failed: readonly string[];
}

export type UrlOf = (project: string, service: string) => string;

export async function readStatus(store: Store, project: string, urlOf: UrlOf): Promise<Status> {
  const [records, around, now] = await Promise.all([store.list(project), store.around(project), store.now()]);
  const own = records.find(({ service }) => service === '');
  const state = own?.state as ProjectState | null | undefined;
  const services = records
    .filter(({ service }) => service !== '')
    .map((record) => statusOf(subjectOf(record, urlOf, now), spell));
  return {
    ...(state ? projectView(state) : NOTHING_READ),
    project,
    services,
    around: aroundReadings(around, records, spell).map(({ view }) => view),
  };
}

/** null: there is none; also of what is around services. */
export async function readService(
  store: Store,
  project: string,
  service: string,
  urlOf: UrlOf,
): Promise<ServiceReading | null> {
  if (service === '' || aroundOf(service)) return null;
  const [record, around, now] = await Promise.all([
    store.load(`${project}/${service}`),
    store.around(project),
    store.now(),
  ]);
  if (!record) return null;
  const known = new Set(around.map((each) => each.service));
  const subject = { ...subjectOf(record, urlOf, now), around: known };
  const failed = subject.state?.failures.map(({ replica }) => replica) ?? [];
  return { view: statusOf(subject, spell), why: whyOf(subject, spell), failed };
}

/** The same of whatever has that name: `web`, `fleet:pool`, `volume:models`. */
export async function readAny(
  store: Store,
  project: string,
  name: string,
  urlOf: UrlOf,
): Promise<Reading | null> {
  if (!aroundOf(name)) return readService(store, project, name, urlOf);
  const [record, services] = await Promise.all([store.load(`${project}/${name}`), store.list(project)]);
  return record ? (aroundReadings([record], services, spell)[0] ?? null) : null;
}

export async function serviceNames(store: Store, project: string): Promise<string[]> {
  return (await store.list(project)).map(({ service }) => service).filter((service) => service !== '');
}

/** Of services, and of what is around them. */
export async function namesOf(store: Store, project: string): Promise<string[]> {
  const around = await store.around(project);
  return [...(await serviceNames(store, project)), ...around.map(({ service }) => service)];
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
