// Listens on a Postgres channel for as long as somebody subscribes, and dials again whenever the connection ends.
import type pg from 'pg';

export interface Listener {
  subscribe(changed: () => void): () => void;
  close(): Promise<void>;
}

/** `changed` is also called after each (re)connection: what was notified in between is not repeated. */
export function listen(client: () => pg.Client, channel: string): Listener {
  const subscribers = new Set<() => void>();
  const stopping = new AbortController();
  let running: Promise<void> | null = null;
  const tell = (): void => {
    for (const changed of subscribers) changed();
  };
  return {
    subscribe: (changed) => {
      const subscriber = (): void => changed();
      subscribers.add(subscriber);
      running ??= run(client, channel, tell, stopping.signal);
      return () => subscribers.delete(subscriber);
    },
    close: async () => {
      subscribers.clear();
      stopping.abort();
      await running;
    },
  };
}

// Private

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

async function run(
  client: () => pg.Client,
  channel: string,
  tell: () => void,
  signal: AbortSignal,
): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    const listened = await session(client(), channel, tell, signal);
    retryMs = listened ? FIRST_RETRY_MS : Math.min(retryMs * 2, LAST_RETRY_MS);
    await pause(retryMs, signal);
  }
}

/** One connection, from dialling to its end. Returns whether it ever listened. */
async function session(
  client: pg.Client,
  channel: string,
  tell: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const ended = new Promise<void>((resolve) => {
    client.on('error', () => resolve());
    client.on('end', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  client.on('notification', tell);
  try {
    await Promise.race([client.connect(), ended]);
    await client.query(`listen ${channel}`);
    tell();
    await ended;
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    if (signal.aborted) done();
  });
}
