// Folds what was observed into the replicas: each moves at most one phase on, and says why.
// Decides nothing about what should be; that is `aim` and `roll`.
import type { Actual, ProcessStatus, ReplicaFact } from '../../schemas/actual.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { ProbeState, Replica, ReplicaFailure, ServiceState } from '../../schemas/rollout.ts';
import { advanceDraining, advanceStopping, advanceTerminating } from './depart.ts';
import { type Context, eventOf, type Move, unchanged } from './move.ts';
import { foldProbes, meetsProbes, staysReady } from './probes.ts';
import { withdrawn } from './withdraw.ts';

/** Of the time since the last look, no more than this counts as watched; the rest is charged to no deadline. */
export const MAX_GAP_MS = 10_000;

/** How a replica ended that was not asked to. */
export type EndKind =
  /** Its process ended by itself. */
  | 'exit'
  /** It ran, but did not become ready in time. */
  | 'unready'
  /** Its machine or its image took too long: the world's fault, and of the offer it was placed on. */
  | 'slow'
  /** Its instance vanished, or nobody saw how its process ended: the world's fault, never the revision's. */
  | 'lost';

export interface End extends ReplicaFailure {
  readonly kind: EndKind;
  readonly group: string;
  readonly shape: string;
  readonly offer: Offer;
  /** Ms it had been ready, 0 if never. */
  readonly readyMs: number;
}

export interface Advance {
  readonly replicas: readonly Replica[];
  readonly ends: readonly End[];
  /** Last lines of replicas that were told to stop, by name: they belong to failures noted before. */
  readonly logs: { readonly [replica: string]: readonly string[] };
  readonly events: readonly NewEvent[];
}

/** Time that may be charged to stage deadlines since the last pass. */
export function chargeMs(observedAt: number, now: number): number {
  // Not nothing: where each look itself takes that long, as with a slow backend, no deadline would ever come.
  return Math.min(MAX_GAP_MS, Math.max(0, now - observedAt));
}

export function advance(state: ServiceState, actual: Actual, now: number): Advance {
  const elapsed = chargeMs(state.observedAt, now);
  const moves = state.replicas.map((replica) => {
    const deployment = state.deployments.find((d) => d.number === replica.deployment);
    const fact = actual.replicas[replica.name] ?? { kind: 'unknown', reason: 'not observed yet' };
    if (!deployment) return unchanged(replica);
    const context = { fact, spec: deployment.spec, state, actual, elapsed, now };
    const move = advanceReplica({ ...context, replica: identified(replica, fact) });
    return withdrawn(move, fact, state);
  });
  return {
    replicas: moves.flatMap((move) => (move.replica ? [move.replica] : [])),
    ends: moves.flatMap((move) => (move.end ? [move.end] : [])),
    logs: Object.fromEntries(
      Object.entries(actual.replicas).flatMap(([name, fact]) => lastLines(name, fact)),
    ),
    events: moves.flatMap((move) => move.events),
  };
}

// Private

function lastLines(name: string, fact: ReplicaFact): [string, readonly string[]][] {
  const log = fact.kind === 'present' && fact.process.kind === 'exited' ? fact.process.log : [];
  return log.length > 0 ? [[name, log]] : [];
}

/** The answer to `create` may have been lost: what was found by its tags is known by its id from then on. */
function identified(replica: Replica, fact: ReplicaFact): Replica {
  return fact.kind === 'present' && replica.instance === null
    ? { ...replica, instance: fact.instance.id }
    : replica;
}

function advanceReplica(context: Context): Move {
  switch (context.replica.phase) {
    case 'creating':
      return advanceCreating(context);
    case 'starting':
    case 'probing':
    case 'ready':
    case 'unready':
      return advanceRunning(context);
    case 'draining':
      return advanceDraining(context);
    case 'stopping':
      return advanceStopping(context);
    case 'terminating':
      return advanceTerminating(context);
  }
}

function advanceCreating({ replica, fact, elapsed }: Context): Move {
  if (fact.kind === 'unknown') return unchanged(replica);
  const stageMs = replica.stageMs + elapsed;
  if (fact.kind === 'missing') return unchanged(replica, { stageMs });
  if (fact.instance.status === 'provisioning')
    return unchanged(replica, { stageMs, detail: 'the instance is being provisioned' });
  return unchanged(replica, {
    phase: 'starting',
    stage: 'provision',
    stageMs,
    tries: 0,
    retryAt: 0,
    detail: '',
  });
}

function advanceRunning(context: Context): Move {
  const { replica, fact } = context;
  if (fact.kind === 'unknown') return unchanged(replica, { detail: fact.reason });
  if (fact.kind === 'missing') return ended(context, 'lost', 'its instance is gone', [], null);
  switch (fact.process.kind) {
    case 'running':
      return advanceProcess(context, fact.process);
    case 'pulling':
      return unchanged(replica, { ...staged(context, 'pull'), detail: fact.process.detail });
    case 'absent':
      // `run` has not been carried out yet; or all trace of the process is gone.
      return replica.phase === 'starting'
        ? unchanged(replica, { ...staged(context, 'provision'), listening: false })
        : ended(context, 'lost', 'its process is gone', [], 'terminating');
    case 'stopping': {
      // Without our asking: it takes no more requests; how it exits is judged then.
      const seen = { ...replica, listening: false };
      return replica.phase === 'ready'
        ? becameUnready(context, seen, 'its process is being stopped')
        : unchanged(seen);
    }
    case 'exited': {
      const isOwn = wasSeen(fact.process) && fact.instance.status !== 'stopping';
      const kind = isOwn ? 'exit' : 'lost';
      return ended(context, kind, exitText(fact.process), fact.process.log, 'terminating');
    }
  }
}

function advanceProcess(context: Context, process: ProcessStatus & { kind: 'running' }): Move {
  const { replica, spec, actual, elapsed } = context;
  const results = actual.probes[replica.name] ?? [];
  const probes = foldProbes(replica.probes, results, replica.deployment, spec);
  const seen: Replica = {
    ...replica,
    ...(replica.trial ? { trial: advanceTrial(context, replica.trial) } : {}),
    ...idled(context, process.gpus),
    probes,
    listening: process.listening,
    endpoint: process.endpoint,
  };
  if (replica.phase === 'ready') {
    return staysReady(probes, spec, process.listening)
      ? unchanged(seen, { detail: '' })
      : becameUnready(context, seen);
  }
  if (meetsProbes(probes, spec, process.listening)) return becameReady(context, seen);
  if (replica.phase === 'starting' && process.listening) {
    return unchanged(seen, { phase: 'probing', stageMs: 0, detail: '' });
  }
  const detail = process.listening ? worstProbe(probes) : process.detail || 'its port is not open yet';
  const time =
    replica.phase === 'starting' ? staged(context, 'start') : { stageMs: replica.stageMs + elapsed };
  return unchanged(seen, { ...time, detail });
}

/** Only while somebody asks, and tells, is it known how long a GPU had little to do. */
function idled({ replica, spec, elapsed }: Context, gpus: readonly number[] | undefined): Partial<Replica> {
  const { utilization } = spec;
  if (!utilization || !gpus) return {};
  const before = replica.idleMs ?? [];
  const idleMs = gpus.map((percent, i) =>
    percent < utilization.minGpuPercent ? (before[i] ?? 0) + (before[i] === undefined ? 0 : elapsed) : 0,
  );
  return { idleMs };
}

/** The clock of a replica that is starting begins anew with each stage. */
function staged({ replica, elapsed }: Context, stage: NonNullable<Replica['stage']>): Partial<Replica> {
  const isSame = (replica.stage ?? 'start') === stage;
  return { stage, stageMs: isSame ? replica.stageMs + elapsed : 0 };
}

function worstProbe(probes: readonly ProbeState[]): string {
  const failing = probes.find((probe) => probe.failures > 0);
  return failing ? `its probe fails: ${failing.detail}` : '';
}

function advanceTrial({ state, replica, actual, elapsed }: Context, trial: NonNullable<Replica['trial']>) {
  const spec = state.deployments.find((d) => d.number === trial.deployment)?.spec;
  if (!spec) return null;
  const probes = foldProbes(trial.probes, actual.probes[replica.name] ?? [], trial.deployment, spec);
  return { ...trial, probes, stageMs: trial.stageMs + elapsed };
}

function becameReady({ replica, now, state }: Context, seen: Replica): Move {
  const reason = replica.everReady ? `${replica.name} answers its probes again` : `${replica.name} is ready`;
  return {
    replica: {
      ...seen,
      phase: 'ready',
      everReady: true,
      readyAt: replica.readyAt ?? now,
      stageMs: 0,
      leaving: '',
      detail: '',
    },
    events: [eventOf(state, 'replica-ready', reason, replica)],
  };
}

function becameUnready({ replica, state }: Context, seen: Replica, why: string = ''): Move {
  const detail = why || worstProbe(seen.probes) || 'its port is closed';
  return {
    replica: { ...seen, phase: 'unready', stageMs: 0, detail },
    events: [eventOf(state, 'replica-unready', `${replica.name} is not ready: ${detail}`, replica)],
  };
}

function ended(
  { replica, state, now }: Context,
  kind: EndKind,
  reason: string,
  log: readonly string[],
  next: 'terminating' | null,
): Move {
  const end: End = {
    kind,
    replica: replica.name,
    group: replica.group,
    shape: replica.shape,
    offer: replica.offer,
    deployment: replica.deployment,
    at: now,
    reason,
    log,
    ...(replica.probes.length > 0 && { probes: replica.probes }),
    readyMs: replica.readyAt === null ? 0 : now - replica.readyAt,
  };
  const name = kind === 'lost' ? 'replica-lost' : 'replica-failed';
  return {
    replica: next && {
      ...replica,
      phase: next,
      leaving: reason,
      listening: false,
      detail: reason,
      trial: null,
    },
    end,
    events: [eventOf(state, name, `${replica.name}: ${reason}`, replica)],
  };
}

/** What ended with its machine (a reboot, a keeper that was killed) left no code, and is not the revision's fault. */
function wasSeen({ code, signal }: ProcessStatus & { kind: 'exited' }): boolean {
  return code !== null || signal !== null;
}

function exitText(process: ProcessStatus & { kind: 'exited' }): string {
  if (process.signal) return `killed by ${process.signal}`;
  if (process.code === null) return process.detail || 'ended while nobody watched';
  return process.detail || `exited with ${process.code}`;
}
