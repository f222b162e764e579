// The last line of a run: how it ended, and what must hold for all of it.
import type { Machine } from '../../backends/fake/cloud.ts';
import type { Why } from '../../schemas/api.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState, ServiceStatus } from '../../schemas/rollout.ts';
import { statusOf, whyOf } from '../plan/explain.ts';
import type { KeyRecord } from '../store/store.ts';
import { OWNER } from './daemon.ts';
import type { Extremes, Recorder } from './recorder.ts';
import { seconds } from './story.ts';
import { type AroundSummary, aroundSummary } from './summary-around.ts';
import type { RequestCounts } from './traffic.ts';

export interface ServiceSummary {
  /** null: nothing was deployed. */
  readonly deployment: number | null;
  readonly revision: string | null;
  readonly ready: number;
  readonly desired: number;
  readonly status: ServiceStatus;
  /** Instances, whatever state they are in. */
  readonly live: number;
  /** Since the service first was complete; null: it never was. */
  readonly minReady: number | null;
  readonly maxLive: number;
  /** Seconds from the beginning, since when it is as asked; null: it is not. */
  readonly converged: number | null;
  readonly requests: RequestCounts;
  readonly rollout?: { readonly to: number; readonly outcome: string; readonly reason: string };
  readonly waiting?: readonly WaitSummary[];
  /** What happens next, as `trueup why` says it. */
  readonly next: string;
  /** The newest replica that failed, while the service does not run as asked. */
  readonly failure?: {
    readonly replica: string;
    readonly deployment: number;
    /** Seconds from the beginning. */
    readonly t: number;
    readonly reason: string;
    /** The last lines it printed. */
    readonly log: readonly string[];
  };
}

export interface WaitSummary {
  readonly reason: string;
  /** The replica or the group that waits; '': the service. */
  readonly subject: string;
  /** Seconds from the beginning. */
  readonly since: number;
  readonly until: number | null;
  readonly detail: string;
}

export interface Summary extends AroundSummary {
  readonly services: { readonly [name: string]: ServiceSummary };
  /** Mistakes in files that are no service's: `trueup.yml`, the profiles, those that do not say what they are. Absent: none. */
  readonly problems?: readonly Problem[];
  /** Of services that are gone. */
  readonly removed: readonly string[];
  /** The least of all services. */
  readonly minReady: number;
  /** Of all services together. */
  readonly maxLive: number;
  /** Since when all are, and what was removed is gone; null: not all are. */
  readonly converged: number | null;
  readonly requests: RequestCounts;
  /** US dollars, of all instances for as long as they were there. */
  readonly cost: number;
  /** Instances that no record knows. */
  readonly leaked: number;
  /** Rules that were broken. */
  readonly violations: readonly string[];
  /** Expectations that were not met. */
  readonly unmet: readonly string[];
  /** How often the reconciler died. */
  readonly crashes: number;
  readonly seed: number;
  readonly seconds: number;
}

export interface Sums extends Pick<Summary, 'leaked' | 'violations' | 'unmet' | 'crashes' | 'seed'> {
  readonly records: readonly KeyRecord[];
  /** Of what is around services. */
  readonly around: readonly KeyRecord[];
  readonly recorder: Recorder;
  /** Seconds from the beginning, when a service last changed in a way that counts for `converged`. */
  readonly movedAt: (service: string, isGone: boolean) => number;
  readonly requestsOf: (service: string) => RequestCounts;
  readonly machines: readonly Machine[];
  /** Epoch ms. */
  readonly start: number;
  readonly now: number;
}

export function summaryOf(sums: Sums): Summary {
  const { records, around, recorder, movedAt, requestsOf, machines, start, now } = sums;
  const known = records.filter(({ service }) => service !== '');
  const names = new Set([...known.map(({ service }) => service), ...recorder.services()]);
  const services = known.map((record) => [record.service, serviceSummary(record, sums)] as const);
  const removed = [...names].filter((name) => !known.some(({ service }) => service === name));
  const least = [...names].flatMap((name) => recorder.of(name).minReady ?? []);
  const { leaked, violations, unmet, crashes, seed } = sums;
  const project = records.find(({ service }) => service === '')?.state as ProjectState | null | undefined;
  const problems = project?.problems ?? [];
  return {
    services: Object.fromEntries(services),
    ...aroundSummary(around, records, start),
    ...(problems.length > 0 ? { problems } : {}),
    removed,
    minReady: least.length === 0 ? 0 : Math.min(...least),
    maxLive: recorder.maxLive(),
    converged: latest([
      ...services.map(([, { converged }]) => converged),
      ...removed.map((name) => movedAt(name, true)),
    ]),
    requests: totalOf([...names].map(requestsOf)),
    cost: costOf(machines, now),
    leaked,
    violations,
    unmet,
    crashes,
    seed,
    seconds: seconds(now - start),
  };
}

// Private

function serviceSummary(
  { service, desired, state }: KeyRecord,
  { recorder, movedAt, requestsOf, start, now }: Sums,
): ServiceSummary {
  const record = desired as DesiredRecord | null;
  const subject = { name: service, record, state: state as ServiceState | null, url: '', now };
  const spell = (ms: number) => new Date(ms).toISOString();
  const view = statusOf(subject, spell);
  const { next, failure } = whyOf(subject, spell);
  const { deployment, revision, ready, desired: wanted, status, rollout, waiting } = view;
  const since = (time: string) => seconds(Date.parse(time) - start);
  const reasons = waiting?.map(({ reason, subject: whose, since: from, until, detail }) => ({
    reason,
    subject: whose,
    since: since(from),
    until: until === null ? null : since(until),
    detail,
  }));
  const { minReady, maxLive, live }: Extremes = recorder.of(service);
  return {
    deployment,
    revision,
    ready,
    desired: wanted,
    status,
    live,
    minReady,
    maxLive,
    converged: isAsAsked(status, waiting ?? []) ? movedAt(service, false) : null,
    requests: requestsOf(service),
    ...(rollout ? { rollout: { to: rollout.to, outcome: rollout.outcome, reason: rollout.reason } } : {}),
    ...(reasons ? { waiting: reasons } : {}),
    next,
    ...(failure ? { failure: failureOf(failure, since) } : {}),
  };
}

function failureOf(
  { replica, deployment, time, reason, log }: NonNullable<Why['failure']>,
  since: (time: string) => number,
): NonNullable<ServiceSummary['failure']> {
  return { replica, deployment, t: since(time), reason, log };
}

const AS_ASKED: ReadonlySet<ServiceStatus> = new Set(['running', 'scaled-to-zero', 'scheduled', 'stopped']);
/** Waiting for these is what was asked for. */
const ASKED_WAITS: ReadonlySet<string> = new Set(['scaling', 'schedule', 'stopped']);

function isAsAsked(status: ServiceStatus, waiting: readonly { readonly reason: string }[]): boolean {
  return AS_ASKED.has(status) && waiting.every(({ reason }) => ASKED_WAITS.has(reason));
}

/** null: one of them is not at all. */
function latest(times: readonly (number | null)[]): number | null {
  return times.reduce<number | null>(
    (last, at) => (last === null || at === null ? null : Math.max(last, at)),
    0,
  );
}

function totalOf(counts: readonly RequestCounts[]): RequestCounts {
  return counts.reduce((sum, { ok, failed }) => ({ ok: sum.ok + ok, failed: sum.failed + failed }), {
    ok: 0,
    failed: 0,
  });
}

const HOUR_MS = 3_600_000;

function costOf(machines: readonly Machine[], now: number): number {
  const ours = machines.filter(({ tags }) => tags.owner === OWNER);
  const dollars = ours.map(
    ({ offer, createdAt, endedAt }) => (offer.price * ((endedAt ?? now) - createdAt)) / HOUR_MS,
  );
  return Math.round(dollars.reduce((sum, each) => sum + each, 0) * 10_000) / 10_000;
}
