// Runs the probes of replicas. A result is kept until the next pass takes it; the key is woken only when the result
// would change what is stored. Rules of the reference (services.md 5.4): the interval counts from completion,
// redirects are not followed, only 2xx is success.
import { Agent, type Dispatcher, request } from 'undici';
import type { Endpoint, ProbeResult } from '../schemas/actual.ts';
import type { ProbeSpec } from '../schemas/desired.ts';
import type { Deployment, ProbeState, Replica, ServiceState } from '../schemas/rollout.ts';
import type { Clock } from './clock.ts';
import { deploymentOf } from './plan/deployments.ts';
import { activeProbes, foldProbe } from './plan/probes.ts';

export interface Prober {
  /** Probes what `state` asks for from now on, and nothing else of `key`; null: nothing. */
  watch(key: string, state: ServiceState | null): void;
  /** The results since the last call, oldest first, by replica. */
  take(key: string): Readonly<Record<string, readonly ProbeResult[]>>;
  close(): void;
}

export interface ProbeAnswer {
  readonly ok: boolean;
  readonly detail: string;
}

export interface ProberOptions {
  readonly clock: Clock;
  /** Epoch ms, for the time noted in results. */
  readonly now: () => number;
  /** The probes of a deployment with their values resolved, in the order of its spec. */
  readonly probesOf: (deployment: Deployment) => readonly ProbeSpec[];
  readonly wake: (key: string) => void;
  /** Sends one probe; never rejects. */
  readonly send?: (endpoint: Endpoint, probe: ProbeSpec) => Promise<ProbeAnswer>;
}

export function createProber({ clock, now, probesOf, wake, send = sendProbe }: ProberOptions): Prober {
  const services = new Map<string, Watched>();

  function start(key: string, service: Watched, wanted: Wanted): Task {
    const task: Task = { ...wanted, isOver: false, cancel: () => {} };
    const fire = async () => {
      const answer = await send(task.endpoint, task.probe);
      if (task.isOver) return;
      const result: ProbeResult = { probe: task.index, deployment: task.deployment, at: now(), ...answer };
      const next = foldProbe(task.state, result, task.probe);
      if (next.streak !== task.state.streak || next.failures !== task.state.failures) {
        service.results.push([task.replica, result]);
        wake(key);
      }
      task.state = next;
      task.cancel = clock.after(task.probe.intervalMs, () => void fire());
    };
    task.cancel = clock.after(0, () => void fire());
    return task;
  }

  return {
    watch(key, state) {
      const wanted = new Map((state ? wantedProbes(state, probesOf) : []).map((want) => [want.id, want]));
      const service = services.get(key) ?? { tasks: new Map(), results: [] };
      for (const [id, task] of service.tasks) if (!wanted.has(id)) end(service, id, task);
      for (const [id, want] of wanted) {
        const task = service.tasks.get(id);
        if (!task) service.tasks.set(id, start(key, service, want));
        // What is stored wins over what the task believes: a result may have been lost with the pass that took it.
        else if (service.results.length === 0) task.state = want.state;
        // A value that its path or body names may have been rotated.
        if (task) task.probe = want.probe;
      }
      if (service.tasks.size > 0) services.set(key, service);
      else services.delete(key);
    },
    take(key) {
      const taken: Record<string, ProbeResult[]> = {};
      for (const [replica, result] of services.get(key)?.results.splice(0) ?? []) {
        taken[replica] = [...(taken[replica] ?? []), result];
      }
      return taken;
    },
    close() {
      for (const service of services.values()) for (const [id, task] of service.tasks) end(service, id, task);
      services.clear();
    },
  };
}

/** One HTTP probe within its timeout. Never rejects: whatever goes wrong is a failed probe with its reason. */
export async function sendProbe(endpoint: Endpoint, probe: ProbeSpec): Promise<ProbeAnswer> {
  const dispatcher = dispatcherOf(endpoint);
  const origin = endpoint.kind === 'tcp' ? `http://${endpoint.host}:${endpoint.port}` : 'http://localhost';
  try {
    const response = await request(`${origin}${probe.url}`, {
      dispatcher,
      method: probe.method.toUpperCase() as Dispatcher.HttpMethod,
      headers: probe.headers.flatMap(({ name, value }) => [name, value]),
      body: probe.body,
      signal: AbortSignal.timeout(probe.timeoutMs),
    });
    await response.body.dump({ limit: MAX_BODY_BYTES });
    return {
      ok: response.statusCode >= 200 && response.statusCode < 300,
      detail: String(response.statusCode),
    };
  } catch (error) {
    return { ok: false, detail: describe(error, probe.timeoutMs) };
  } finally {
    void dispatcher.destroy().catch(() => {});
  }
}

// Private

/** A probe that answers with more than this is not read further: its status is what counts. */
const MAX_BODY_BYTES = 1_000_000;

interface Wanted {
  readonly id: string;
  readonly replica: string;
  readonly deployment: number;
  readonly index: number;
  readonly endpoint: Endpoint;
  probe: ProbeSpec;
  state: ProbeState;
}

interface Task extends Wanted {
  isOver: boolean;
  cancel: () => void;
}

interface Watched {
  readonly tasks: Map<string, Task>;
  readonly results: [replica: string, result: ProbeResult][];
}

function end(service: Watched, id: string, task: Task): void {
  task.isOver = true;
  task.cancel();
  service.tasks.delete(id);
}

const PROBED = new Set(['probing', 'ready', 'unready']);

function wantedProbes(
  state: ServiceState,
  probesOf: (deployment: Deployment) => readonly ProbeSpec[],
): Wanted[] {
  const opened = new Map<number, readonly ProbeSpec[]>();
  /** Opening them is dear: once for all replicas of a deployment. */
  const opening = (deployment: Deployment): readonly ProbeSpec[] => {
    const probes = opened.get(deployment.number) ?? probesOf(deployment);
    opened.set(deployment.number, probes);
    return probes;
  };
  const of = (replica: Replica, number: number, states: readonly ProbeState[]): Wanted[] => {
    const deployment = deploymentOf(state, number);
    const { endpoint } = replica;
    if (!deployment || !endpoint || !PROBED.has(replica.phase)) return [];
    const probes = deployment.spec.probes.length > 0 ? opening(deployment) : [];
    return activeProbes(states, deployment.spec).flatMap((index) => {
      const [probe, probeState] = [probes[index], states[index]];
      if (!probe || !probeState) return [];
      const id = `${replica.name}/${replica.attempt}/${number}/${index}`;
      return [{ id, replica: replica.name, deployment: number, index, endpoint, probe, state: probeState }];
    });
  };
  return state.replicas.flatMap((replica) => [
    ...of(replica, replica.deployment, replica.probes),
    ...(replica.trial ? of(replica, replica.trial.deployment, replica.trial.probes) : []),
  ]);
}

/** A connection of its own per probe: a kept one would say that an old connection works, not that a new one would. */
function dispatcherOf(endpoint: Endpoint): Agent {
  return new Agent({
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: endpoint.kind === 'unix' ? { socketPath: endpoint.path } : {},
  });
}

function describe(error: unknown, timeoutMs: number): string {
  const { name, code, message } = error as Error & { code?: string };
  if (name === 'TimeoutError' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return `no answer within ${timeoutMs / 1000} s`;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'connection closed before an answer';
  return message || String(error);
}
