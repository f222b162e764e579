// What the replicas of a service printed, as one stream.
import type { Backend, LogLine } from '../backends/backend.ts';
import type { Replica, ReplicaFailure, ServiceState } from '../schemas/rollout.ts';
import type { LogEntry, LogRequest } from './api.ts';
import type { Store } from './store/store.ts';

export interface LogDeps {
  readonly store: Pick<Store, 'load'>;
  readonly backends: ReadonlyMap<string, Backend>;
}

/** The newest lines of each replica in the order they were printed; with `follow`, then further ones as they come. */
export async function* replicaLogs(deps: LogDeps, request: LogRequest): AsyncIterable<LogEntry> {
  const record = await deps.store.load(`${request.project}/${request.service}`);
  const state = record?.state as ServiceState | null | undefined;
  const replicas = (state?.replicas ?? []).filter(
    ({ number }) => request.replica === null || number === request.replica,
  );
  if (replicas.length === 0) {
    const name = `${request.service}-${request.replica}`;
    yield* keptLines(state?.failures.findLast(({ replica }) => replica === name)).slice(-request.tail);
    return;
  }
  const past = await Promise.all(replicas.map((replica) => collect(deps, replica, request)));
  yield* past
    .flat()
    .toSorted((a, b) => a.at - b.at)
    .slice(-request.tail);
  if (request.follow)
    yield* merged(replicas.map((replica) => linesOf(deps, replica, { ...request, tail: 0 })));
}

// Private

/** Of one that failed and is gone: its last lines. When each was printed is not kept. */
function keptLines(failure: ReplicaFailure | undefined): LogEntry[] {
  if (!failure) return [];
  return failure.log.map((text) => ({ at: failure.at, replica: failure.replica, stream: 'out', text }));
}

async function collect(deps: LogDeps, replica: Replica, request: LogRequest): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of linesOf(deps, replica, { ...request, follow: false })) entries.push(entry);
  return entries;
}

async function* linesOf(
  deps: LogDeps,
  replica: Replica,
  { tail, follow, signal }: LogRequest,
): AsyncIterable<LogEntry> {
  const backend = deps.backends.get(replica.offer.backend);
  const instance = replica.instance ? await backend?.get(replica.instance) : null;
  if (!backend || !instance) return;
  const { name, attempt } = replica;
  // Its machine may be somebody else's by now.
  const own = { ...instance, tags: { ...instance.tags, replica: name, attempt } };
  const lines: AsyncIterable<LogLine> = backend.transport(own).logs({ tail, follow, signal });
  for await (const { at, stream, text } of lines) yield { at, replica: replica.name, stream, text };
}

/** Whichever stream has the next line. */
async function* merged(streams: readonly AsyncIterable<LogEntry>[]): AsyncIterable<LogEntry> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const pull = async (index: number) => ({ index, result: await iterators[index]?.next() });
  const pending = new Map(iterators.map((_, index) => [index, pull(index)]));
  while (pending.size > 0) {
    const { index, result } = await Promise.race(pending.values());
    if (!result || result.done) {
      pending.delete(index);
      continue;
    }
    pending.set(index, pull(index));
    yield result.value;
  }
}
