// What people are told about one service: its status, why it is not (yet) as asked, and what happens next.
// Decides nothing: it puts the stored record into words.
import type { ProbeView, ReplicaView, RolloutView, ServiceView, Why } from '../../schemas/api.ts';
import type { WaitingView } from '../../schemas/api-parts.ts';
import type { DesiredRecord, ServiceSpec } from '../../schemas/desired.ts';
import type {
  Replica,
  ReplicaFailure,
  Rollout,
  ServiceState,
  ServiceStatus,
  Waiting,
  WaitingReason,
} from '../../schemas/rollout.ts';
import { deploymentOf, targetOf } from './deployments.ts';
import { lyingAround } from './named.ts';
import { wantedReplicas } from './scale.ts';
import { termText } from './schedule.ts';
import { heldBack } from './wait.ts';

/** One service as the store has it. */
export interface Subject {
  readonly name: string;
  /** null: git no longer knows it. */
  readonly record: DesiredRecord | null;
  /** null: no pass has looked at it yet. */
  readonly state: ServiceState | null;
  readonly url: string;
  /** The store's clock. */
  readonly now: number;
  /** What is known around services, by the names of keys (`fleet:pool`). Absent: nothing is. */
  readonly around?: ReadonlySet<string>;
}

/** Epoch ms in the spelling of the API. */
export type Spell = (ms: number) => string;

/** What ends a mistake in a file. */
export const MEND =
  'Mend what is wrong: as soon as a commit, or the server, has no such error, it is applied.';

export function statusOf(subject: Subject, spell: Spell): ServiceView {
  const { name, record, state, url } = subject;
  const target = state && targetOf(state);
  const spec = target?.spec ?? record?.service?.spec;
  const waiting = waitingOf(subject);
  return {
    name,
    status: statusWord(record, state),
    deployment: target?.number ?? null,
    revision: target?.revision ?? record?.service?.revision ?? null,
    asked: record && !record.removed ? (record.service?.revision ?? null) : null,
    desired: spec && record && !record.removed ? wantedCount(spec, state) : 0,
    ready: (state?.replicas ?? []).filter(isReady).length,
    url,
    models: spec?.model ? [spec.model.name] : [],
    pricePerHour: (state?.replicas ?? []).reduce((total, replica) => total + replica.offer.price, 0),
    replicas: (state?.replicas ?? []).map((replica) => replicaView(replica, specOf(state, replica))),
    ...(state?.rollout ? { rollout: rolloutView(state, state.rollout, spell) } : {}),
    ...(waiting.length > 0 ? { waiting: waiting.map((item) => waitingView(item, spell)) } : {}),
    problems: record?.problems ?? [],
  };
}

export function whyOf(subject: Subject, spell: Spell): Why {
  const { name, record, state } = subject;
  const failure = state?.failures.at(-1);
  const status = statusWord(record, state);
  const waiting = waitingOf(subject);
  return {
    service: name,
    status,
    waiting: waiting.map((item) => waitingView(item, spell)),
    next: nextOf(waiting, subject) ?? settledText(status, state),
    problems: record?.problems ?? [],
    ...(failure && isBehind(failure, status, state) ? { failure: failureView(failure, spell) } : {}),
  };
}

export function waitingView({ reason, subject, since, until, detail }: Waiting, spell: Spell): WaitingView {
  return { reason, subject, since: spell(since), until: until === null ? null : spell(until), detail };
}

// Private

/** What failed in an earlier rollout, or before a person's mistake or limit, is not why it is not as asked. */
function isBehind({ at }: ReplicaFailure, status: ServiceStatus, state: ServiceState | null): boolean {
  return FAILING.includes(status) && at >= (state?.rollout?.startedAt ?? 0);
}

const FAILING: readonly ServiceStatus[] = ['starting', 'rolling', 'degraded', 'failed'];

function statusWord(record: DesiredRecord | null, state: ServiceState | null): ServiceStatus {
  if (state) return state.status;
  if (record === null || record.removed) return 'removing';
  if (record.suspended) return 'suspended';
  return record.service === null && !record.pending ? 'invalid' : 'starting';
}

/** The next pass lifts a quarantine whose file asks for something else by now. */
function isQuarantined(record: Subject['record'], { quarantine }: ServiceState): boolean {
  return !record?.service || quarantine?.digest === record.service.digest;
}

/** A file that does not parse, or a change that is held back, is a reason to wait even before the first pass has said so. */
function waitingOf({ record, state, now }: Subject): readonly Waiting[] {
  if (state)
    return state.waiting.filter(({ reason }) => reason !== 'quarantine' || isQuarantined(record, state));
  const problem = record?.problems.find(({ severity }) => severity === 'error');
  if (!problem || record?.service) return heldBack(record, [], now);
  return [
    {
      reason: 'problem',
      subject: '',
      since: now,
      until: null,
      detail: `${problem.file}: ${problem.message}`,
    },
  ];
}

/** What a person can act on comes first, then what only time or the world can end. */
const NEXT: { readonly [reason in WaitingReason]: string } = {
  problem: MEND,
  quarantine: 'Push a fix: a change of the file, its profile or a secret lifts the quarantine at once.',
  hold: 'Push a change of the file, its policy or a secret. Without one nothing is tried again before the time given, if any.',
  approval: 'Approve the commit: the Action does on merge, or POST /api/v1/applies names its plan.',
  'deletion-budget': 'Put the names under `prune: { allow: [...] }` in trueup.yml, or restore the files.',
  rename:
    'Once its new name serves, the old one is drained and ended; `trueup why` of that tells what it waits for.',
  budget: 'Make it cheaper, or raise the budget in trueup.yml in a commit of its own.',
  suspended: 'Nothing until `suspend` is lifted in trueup.yml.',
  window: 'The change is applied when the window opens.',
  'cannot-surge': 'Make room for one more replica, or allow `unavailable: 1` in trueup.yml.',
  dependency:
    'Once what it names is there, it goes on; a commit that declares or mends it is applied at once.',
  capacity: 'Offers are read again; a change of resources, regions or price is tried at once.',
  backend: 'Once the backend answers again, the service is looked at anew.',
  backoff: 'The replica is tried again after the pause; a commit that changes the service is tried at once.',
  instance: 'Once the backend has given the instance, the process starts.',
  start: 'Once the replica listens on its port, its probes begin.',
  ready: 'Once every probe has passed often enough, the replica joins the routes.',
  stopped: 'It is started again by its schedule, if it has one, or by a change of its file.',
  schedule: 'Its schedule starts it; a commit changes what is started, not when.',
  publish: 'Once every proxy has the new routes, the rollout goes on.',
  drain: 'Once its requests are finished or the drain deadline has passed, the replica is stopped.',
  stop: 'The process exits, or is killed when its stop duration is over.',
  terminate: 'Once the backend confirms that the instance is gone, the replica is forgotten.',
  scaling: 'When the delay is over, the number of replicas follows the traffic that there is then.',
};

function nextOf(waiting: readonly Waiting[], { state, around }: Subject): string | null {
  const order = Object.keys(NEXT);
  const [first] = waiting.toSorted((a, b) => order.indexOf(a.reason) - order.indexOf(b.reason));
  if (!first) return null;
  const replica = state?.replicas.find(({ name }) => name === first.subject);
  const elsewhere = state && around && lyingAround(first, state, around);
  return (first.reason === 'ready' && replica && servedText(replica)) || elsewhere || NEXT[first.reason];
}

/** What comes for one that has been ready before: it is watched, tried anew, or on its way out. */
function servedText({ phase, leaving, trial }: Replica): string | null {
  if (leaving) return 'Once another replica serves in its place, this one is drained and stopped.';
  if (phase === 'unready')
    return 'Once its probes pass again, the replica joins the routes again; if they do not, it is replaced.';
  if (phase !== 'ready') return null;
  return trial
    ? 'Once the new probes have passed often enough, they take the place of the old ones.'
    : 'Once it has held out for so long, the rollout goes on with the next replica.';
}

/** When nothing is waited for. */
const SETTLED: { readonly [status in ServiceStatus]: string } = {
  starting: 'The next pass creates its replicas.',
  running: 'Nothing: it runs as the commit asks.',
  rolling: 'The next pass takes the next step of the rollout.',
  degraded: 'The next pass brings back what is missing.',
  failed: 'The next pass tries again.',
  invalid: MEND,
  stopped: 'Nothing until its file changes or its schedule starts it.',
  'scaled-to-zero': 'The first request starts a replica.',
  scheduled: 'It starts when its schedule says so.',
  suspended: 'Nothing until `suspend` is lifted in trueup.yml.',
  removing: 'Its replicas are drained and stopped, then it is forgotten.',
};

/** Where nothing is waited for, the end that is set for it is what happens next. */
function settledText(status: ServiceStatus, state: ServiceState | null): string {
  const end = state && termText(state);
  return end ? `${SETTLED[status].replace(/\.$/, '')}; ${end}.` : SETTLED[status];
}

function wantedCount(spec: ServiceSpec, state: ServiceState | null): number {
  return spec.groups.reduce((total, group) => total + wantedReplicas(group, state), 0);
}

function isReady(replica: Replica): boolean {
  return replica.phase === 'ready';
}

/** The probes a replica is asked are those of the deployment it counts for. */
function specOf(state: ServiceState | null, replica: Replica): ServiceSpec | undefined {
  return state ? deploymentOf(state, replica.deployment)?.spec : undefined;
}

function replicaView(replica: Replica, spec: ServiceSpec | undefined): ReplicaView {
  return {
    name: replica.name,
    group: replica.group,
    deployment: replica.deployment,
    phase: replica.phase,
    ready: isReady(replica),
    probes: replica.probes.map((probe, index): ProbeView => {
      const readyAfter = spec?.probes[index]?.readyAfter ?? 1;
      const { streak, detail } = probe;
      return { mark: streak === 0 ? '×' : streak < readyAfter ? '~' : '✓', streak, readyAfter, detail };
    }),
    backend: replica.offer.backend,
    region: replica.offer.region,
    instance: replica.offer.instance,
    pricePerHour: replica.offer.price,
    detail: replica.leaving || replica.detail,
  };
}

function rolloutView(state: ServiceState, rollout: Rollout, spell: Spell): RolloutView {
  const { from, to, commit, outcome, reason, startedAt, endedAt } = rollout;
  const spec = deploymentOf(state, to)?.spec;
  return {
    from,
    to,
    commit,
    outcome,
    reason,
    startedAt: spell(startedAt),
    endedAt: endedAt === null ? null : spell(endedAt),
    ready: state.replicas.filter((replica) => replica.deployment === to && isReady(replica)).length,
    desired: spec ? wantedCount(spec, state) : 0,
  };
}

function failureView({ replica, deployment, at, reason, log, probes }: ReplicaFailure, spell: Spell) {
  return { replica, deployment, time: spell(at), reason, log, ...(probes && { probes }) };
}
