// One machine of the fake cloud and the process on it, as functions of what happened to it and of the time.
import type { Endpoint, ProcessStatus, Tags } from '../../schemas/actual.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { LogLine, ProcessRequest } from '../backend.ts';
import { createRedactor } from '../host/redact.ts';

/** How a process goes. Times in ms; null: never. */
export interface Behaviour {
  readonly pullMs: number;
  /** From the end of the pull to listening. */
  readonly startMs: number | null;
  /** From the end of the pull to an exit of its own. */
  readonly exitsAfterMs: number | null;
  readonly exitCode: number;
  /** From SIGTERM to its end; null: it ignores SIGTERM. */
  readonly stopsAfterMs: number | null;
  /** Whether a probe succeeds, by how long it has listened. */
  readonly healthy: (listeningMs: number) => boolean;
  /** Its port closes again and again; null: once open, it stays open. */
  readonly closes: Flaps | null;
  /** How busy each of its GPUs is, in percent, by how long it runs; null: nobody can tell. */
  readonly gpus: ((runningMs: number) => readonly number[]) | null;
  /** Lines on its standard output, printed when it starts. */
  readonly prints: (request: ProcessRequest) => readonly string[];
}

/** After every `everyMs`, for `forMs`; counted from when it first listened. */
export interface Flaps {
  readonly everyMs: number;
  readonly forMs: number;
}

export function isFlapped({ everyMs, forMs }: Flaps, listeningMs: number): boolean {
  return listeningMs >= everyMs && listeningMs % everyMs < forMs;
}

export const ORDINARY: Behaviour = {
  pullMs: 0,
  startMs: 1_000,
  exitsAfterMs: null,
  exitCode: 1,
  stopsAfterMs: 0,
  healthy: () => true,
  closes: null,
  gpus: null,
  prints: () => [],
};

export interface Run {
  readonly request: ProcessRequest;
  readonly behaviour: Behaviour;
  readonly at: number;
  stopAt: number | null;
  crash: { readonly at: number; readonly code: number | null } | null;
}

/** What happened to one machine; all else follows from it and the time. */
export interface State {
  readonly id: string;
  readonly tags: Tags;
  readonly offer: Offer;
  readonly createdAt: number;
  readonly readyAt: number;
  readonly address: string;
  goneAt: number | null;
  run: Run | null;
  /** Those it has fetched. */
  readonly images: Set<string>;
}

export function processAt(state: State, now: number): ProcessStatus {
  const { run } = state;
  if (run === null) return { kind: 'absent' };
  const { behaviour, request } = run;
  const of = { replica: request.replica.replica, attempt: request.replica.attempt };
  const end = endingOf(run);
  if (end !== null && now >= end.at) {
    const detail = end.signal === null ? `exited with code ${end.code}` : `ended by ${end.signal}`;
    return {
      kind: 'exited',
      of,
      ...end,
      detail,
      log: logAt(state, now)
        .slice(-20)
        .map(({ text }) => text),
    };
  }
  if (run.stopAt !== null) return { kind: 'stopping', of };
  const startedAt = run.at + behaviour.pullMs;
  if (now < startedAt) return { kind: 'pulling', of, detail: '' };
  const listening = listens(behaviour, now - startedAt);
  const gpus = behaviour.gpus && { gpus: behaviour.gpus(now - startedAt) };
  return { kind: 'running', of, startedAt, listening, endpoint: endpointOf(state), detail: '', ...gpus };
}

export function isHealthy(state: State, now: number): boolean {
  const process = processAt(state, now);
  if (state.run === null || process.kind !== 'running' || !process.listening) return false;
  const { startMs, healthy } = state.run.behaviour;
  return healthy(now - process.startedAt - (startMs ?? 0));
}

export function logAt({ run }: State, now: number): readonly LogLine[] {
  if (run === null) return [];
  const { behaviour } = run;
  const at = run.at + behaviour.pullMs;
  if (now < at) return [];
  const { push, flush } = createRedactor(run.request.secrets);
  return behaviour.prints(run.request).map((line) => ({ at, stream: 'out', text: push(line) + flush() }));
}

export function endpointOf({ address, run }: State): Endpoint {
  return { kind: 'tcp', host: address, port: run?.request.spec.port ?? 0 };
}

/** When something about it changes by itself: all in the past, and the next ones. */
export function turningPoints(
  { createdAt, readyAt, goneAt, run }: State,
  listLagMs: number,
  now: number,
): readonly number[] {
  const machine = [createdAt + listLagMs, readyAt, ...(goneAt === null ? [] : [goneAt])];
  if (run === null) return machine;
  const { behaviour } = run;
  const startedAt = run.at + behaviour.pullMs;
  const end = endingOf(run);
  const ends = end === null ? [] : [end.at];
  if (behaviour.startMs === null) return [...machine, startedAt, ...ends];
  const opensAt = startedAt + behaviour.startMs;
  return [...machine, startedAt, opensAt, ...nextFlap(behaviour.closes, opensAt, now), ...ends];
}

// Private

function listens({ startMs, closes }: Behaviour, runningMs: number): boolean {
  if (startMs === null || runningMs < startMs) return false;
  return closes === null || !isFlapped(closes, runningMs - startMs);
}

function nextFlap(closes: Flaps | null, opensAt: number, now: number): readonly number[] {
  if (closes === null) return [];
  const begun = opensAt + Math.floor(Math.max(0, now - opensAt) / closes.everyMs) * closes.everyMs;
  return [begun + closes.forMs, begun + closes.everyMs];
}

interface Ending {
  readonly at: number;
  readonly code: number | null;
  readonly signal: string | null;
}

/** The first of what may end it: itself, an order to crash, SIGTERM, SIGKILL. */
function endingOf({ request, behaviour, at, stopAt, crash }: Run): Ending | null {
  const endings: Ending[] = [];
  if (crash !== null) endings.push({ ...crash, signal: null });
  if (behaviour.exitsAfterMs !== null) {
    endings.push({
      at: at + behaviour.pullMs + behaviour.exitsAfterMs,
      code: behaviour.exitCode,
      signal: null,
    });
  }
  if (stopAt !== null) {
    const graceful = behaviour.stopsAfterMs !== null && behaviour.stopsAfterMs < request.stopMs;
    const ms = graceful ? (behaviour.stopsAfterMs ?? 0) : request.stopMs;
    endings.push({ at: stopAt + ms, code: null, signal: graceful ? 'SIGTERM' : 'SIGKILL' });
  }
  return endings.sort((a, b) => a.at - b.at)[0] ?? null;
}
