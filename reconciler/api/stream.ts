// Answers that go on: JSON lines, written as fast as the client reads and no faster, ended when it leaves.
import type { Event } from '../../schemas/events.ts';
import type { EventQuery, Store } from '../store/store.ts';

/** An empty line this often tells both ends that the other is there. Proxies commonly give up after 60 s of silence. */
const BEAT_MS = 15_000;

export function jsonLines(items: (signal: AbortSignal) => AsyncIterable<unknown>): Response {
  const ended = new AbortController();
  const iterator = items(ended.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let beat: NodeJS.Timeout | undefined;
  const stop = () => {
    clearInterval(beat);
    ended.abort();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      beat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode('\n'));
      }, BEAT_MS);
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (!done) return controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
        stop();
        controller.close();
      } catch (error) {
        stop();
        controller.error(error);
      }
    },
    cancel: stop,
  });
  return new Response(body, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  });
}

/** What happened, and with `follow` whatever happens next, each event once and in order. */
export async function* eventsOf(
  store: Store,
  query: EventQuery,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  const changes = changesOf(store, signal);
  try {
    let next = query;
    for (;;) {
      const events = await store.events(next);
      yield* events;
      if (!follow || signal.aborted) return;
      next = { ...query, after: events.at(-1)?.seq ?? next.after ?? 0, limit: CATCH_UP };
      await changes.next();
    }
  } finally {
    changes.close();
  }
}

/** Remembers a change that comes while nobody waits, so that none is slept through; the end of `signal` is one too. */
export function changesOf(store: Pick<Store, 'subscribe'>, signal: AbortSignal) {
  let changed = false;
  let wake: (() => void) | null = null;
  const note = () => {
    changed = true;
    wake?.();
  };
  const unsubscribe = store.subscribe(note);
  signal.addEventListener('abort', note, { once: true });
  return {
    async next(): Promise<void> {
      if (!changed && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      changed = false;
      wake = null;
    },
    close: unsubscribe,
  };
}

// Private

/** Between two looks: more than this at once and the oldest are not followed. */
const CATCH_UP = 10_000;
