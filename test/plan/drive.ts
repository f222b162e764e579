// One service driven through its decisions: replicas that do at once what they are told, a proxy that has every route,
// and the traffic that a test says there is. Nothing runs, and time passes only when it is told to.
import { check } from '../../reconciler/plan/check.ts';
import { type Decision, decide } from '../../reconciler/plan/decide.ts';
import type { Actual, Instance, ProcessStatus, ReplicaFact, TrafficFact } from '../../schemas/actual.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Replica, ServiceState, Step } from '../../schemas/rollout.ts';
import { LOCAL } from './samples.ts';

export const START = Date.parse('2026-01-01T00:00:00Z');

export interface Drive {
  now(): number;
  state(): ServiceState;
  /** All events so far, as `<event> <reason>`. */
  readonly events: readonly string[];
  /** What is asked for from now on. */
  commit(desired: DesiredService): void;
  /** Requests in the window of each group, or null while that is not known. */
  traffic(requests: number | null, more?: Partial<TrafficFact>): void;
  /** Requests that come at a rate; the first one to a service that sleeps is noticed at once. */
  rate(rps: (at: number) => number): void;
  inflight(byReplica: { readonly [replica: string]: number }): void;
  /** How busy the GPUs of each replica are, in percent. */
  gpus(byReplica: { readonly [replica: string]: readonly number[] }): void;
  /** Lets time pass, looking as often as the decision asks for; `look` sees each state. */
  pass(ms: number, look?: (state: ServiceState, now: number) => void): void;
  /** Nobody looks for so long. */
  away(ms: number): void;
  /** Replicas that are not on their way out. */
  live(): string[];
}

export function drive(first: DesiredService): Drive {
  const processes = new Map<string, ProcessStatus>();
  const events: string[] = [];
  let desired = first;
  let now = START;
  let state: ServiceState | null = null;
  let inflight: Actual['inflight'] = {};
  let gpus: { readonly [replica: string]: readonly number[] } = {};
  let traffic: (windowMs: number) => TrafficFact | null = () => null;
  let rateAt: (at: number) => number = () => 0;

  function observed(): Actual {
    const replicas = state?.replicas ?? [];
    const groups = desired.spec.groups;
    const facts = groups.flatMap(({ name, scaling }) => {
      const fact = scaling && traffic(scaling.windowMs);
      return fact ? [[name, fact] as const] : [];
    });
    return {
      replicas: Object.fromEntries(replicas.map((replica) => [replica.name, factOf(replica)])),
      offers: Object.fromEntries(groups.map(({ name }) => [name, { kind: 'offers', offers: [LOCAL] }])),
      probes: {},
      published: state?.route?.version ?? 0,
      inflight,
      traffic: Object.fromEntries(facts),
    };
  }

  function factOf(replica: Replica): ReplicaFact {
    const process = processes.get(replica.name);
    if (!process) return { kind: 'missing' };
    const percents = process.kind === 'running' && gpus[replica.name];
    const seen = percents ? { ...process, gpus: percents } : process;
    return { kind: 'present', instance: instanceOf(desired.name, replica), process: seen };
  }

  function obey(step: Step): void {
    if (step.kind === 'publish') return;
    if (step.kind === 'terminate') processes.delete(step.replica);
    else processes.set(step.replica, PROCESS[step.kind](now));
  }

  function decideOnce(): Decision {
    const input = { project: 'main', service: desired.name, state, actual: observed(), now };
    const record = { service: desired, removed: false, problems: [] };
    const decision = decide({ ...input, desired: record });
    const broken = check({ ...input, desired: record }, decision);
    if (broken.length > 0) throw new Error(broken.join('; '));
    state = decision.state;
    for (const step of decision.steps) obey(step);
    events.push(...decision.events.map(textOf));
    return decision;
  }

  /** Looks again at once for as long as there is something to do. */
  function settle(): number {
    for (let round = 0; round < 60; round++) {
      const before = JSON.stringify(state?.replicas);
      const { steps, wakeAt } = decideOnce();
      if (steps.length === 0 && JSON.stringify(state?.replicas) === before) return wakeAt;
    }
    throw new Error(`it does not come to rest: ${JSON.stringify(state?.replicas)}`);
  }

  function isAsleep(): boolean {
    return state?.route?.wakes !== undefined && state.route.replicas.length === 0;
  }

  function present(): ServiceState {
    if (state === null) throw new Error('there is no state yet');
    return state;
  }

  return {
    now: () => now,
    state: present,
    events,
    commit: (next) => {
      desired = next;
    },
    traffic(requests, more = {}) {
      traffic = (windowMs) =>
        requests === null ? null : { requests, windowMs, held: 0, quietMs: requests > 0 ? 0 : null, ...more };
    },
    rate(rps) {
      rateAt = rps;
      traffic = (windowMs) => trafficAt(rps, now, windowMs, isAsleep());
    },
    inflight: (byReplica) => {
      inflight = byReplica;
    },
    gpus: (byReplica) => {
      gpus = byReplica;
    },
    pass(ms, look = () => {}) {
      const end = now + ms;
      for (;;) {
        const wakeAt = settle();
        look(present(), now);
        if (now >= end) return;
        const next = isAsleep() ? firstRequest(rateAt, now, Math.min(wakeAt, end)) : wakeAt;
        now = Math.min(end, Math.max(next, now + 1));
      }
    },
    away: (ms) => {
      now += ms;
    },
    live: () => present().replicas.flatMap(({ name, phase }) => (COMES.has(phase) ? [name] : [])),
  };
}

// Private

const SECOND = 1_000;

/** When a request comes after `from`; `to` when none does before. */
function firstRequest(rps: (at: number) => number, from: number, to: number): number {
  for (let at = from + SECOND; at < to; at += SECOND) if (rps(at) > 0) return at;
  return to;
}

function trafficAt(
  rps: (at: number) => number,
  now: number,
  windowMs: number,
  isAsleep: boolean,
): TrafficFact {
  let requests = 0;
  for (let at = now; at > now - windowMs; at -= SECOND) requests += rps(at);
  let quietMs = 0;
  while (quietMs <= 600 * SECOND && rps(now - quietMs) === 0) quietMs += SECOND;
  const held = isAsleep && rps(now) > 0 ? 1 : 0;
  return { requests, windowMs, held, quietMs: quietMs > 600 * SECOND ? null : quietMs };
}

const COMES = new Set(['creating', 'starting', 'probing', 'ready']);

const PROCESS: {
  readonly [step in 'create' | 'run' | 'stop']: (now: number) => ProcessStatus;
} = {
  create: () => ({ kind: 'absent' }),
  run: (now) => ({
    kind: 'running',
    startedAt: now,
    listening: true,
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 1 },
    detail: '',
  }),
  stop: (now) => ({ kind: 'exited', code: 0, signal: null, at: now, detail: '', log: [] }),
};

function instanceOf(service: string, { name, group, shape, deployment, attempt }: Replica): Instance {
  return {
    id: name,
    backend: 'local',
    region: 'local',
    instance: 'local',
    status: 'running',
    tags: { owner: 'me', project: 'main', service, group, replica: name, attempt, shape, deployment },
    pricePerHour: 0,
    createdAt: START,
  };
}

function textOf({ event, reason }: NewEvent): string {
  return `${event} ${reason}`;
}
