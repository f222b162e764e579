// Who watches the fake cloud and who follows logs in it: told by `tick` only.
import type { Instance, Tags } from '../../schemas/actual.ts';
import type { LogLine, Transport } from '../backend.ts';
import type { Cloud } from './cloud.ts';
import type { State } from './machine.ts';

export function createAudience({ there, find, describe, status, lines, version, nextChangeAt }: Cloud) {
  const watchers = new Set<(tags: Tags) => void>();
  const followers = new Set<() => void>();
  let seen = new Map<string, { readonly concerned: readonly Tags[]; readonly summary: string }>();
  let looked = { version: -1, next: null as number | null };

  const nextTick = (signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        followers.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      followers.add(done);
      signal?.addEventListener('abort', done);
    });
  const look = () => {
    const entries = there().map((state) => {
      const summary = JSON.stringify([describe(state).status, status(state)]);
      return [state.id, { concerned: concernedBy(state), summary }] as const;
    });
    return new Map(entries);
  };
  /** Whether anything was done, or came due, since the last look. */
  const hasMoved = (): boolean => {
    const next = nextChangeAt();
    const moved = looked.version !== version() || looked.next !== next;
    looked = { version: version(), next };
    return moved;
  };

  return {
    watch(changed: (tags: Tags) => void): () => void {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    async *follow(
      instance: Pick<Instance, 'id' | 'tags'>,
      { tail, follow, signal }: Parameters<Transport['logs']>[0],
    ): AsyncGenerator<LogLine> {
      const { id } = instance;
      const first = lines(instance);
      let shown = first.length;
      let run = find(id)?.run ?? null;
      yield* first.slice(Math.max(0, shown - tail));
      while (follow && !signal?.aborted) {
        const state = find(id);
        // What is run there after it is another's.
        if (state === null || (run !== null && state.run !== run)) return;
        run = state.run;
        const all = lines(instance);
        yield* all.slice(shown);
        shown = all.length;
        await nextTick(signal);
      }
    },
    tick(): void {
      for (const wake of [...followers]) wake();
      if (!hasMoved()) return;
      const before = seen;
      seen = look();
      for (const id of new Set([...before.keys(), ...seen.keys()])) {
        const [was, is] = [before.get(id), seen.get(id)];
        if (was?.summary === is?.summary) continue;
        for (const tags of (is ?? was)?.concerned ?? []) for (const changed of watchers) changed(tags);
      }
    },
    dismiss: () => watchers.clear(),
  };
}

// Private

/** Whose machine it is, and whose process is on it. */
function concernedBy({ tags, run }: State): readonly Tags[] {
  const guest = run?.request.replica;
  return guest && guest.replica !== tags.replica ? [tags, { ...tags, ...guest }] : [tags];
}
