// The connections to one endpoint, and the count of requests in flight on it.
import { Client, type Dispatcher, Pool } from 'undici';
import type { Endpoint } from '../schemas/actual.ts';

/** undici's handler, which also learns on which connection it went out. */
export interface Attempt extends Dispatcher.DispatchHandler {
  /** Set before `onRequestStart`; `used` says whether an earlier request went over it. */
  connection: { used: boolean };
}

export interface Upstream {
  readonly name: string;
  readonly inflight: number;
  readonly downUntil: number;
  /** Counts one request in; the returned function counts it out, once however often it is called. */
  begin(): () => void;
  send(options: Dispatcher.DispatchOptions, attempt: Attempt): void;
  /** Sends over a connection made for this request alone. */
  sendFresh(options: Dispatcher.DispatchOptions, attempt: Attempt): void;
  /** A connection was refused: others go first for a moment. */
  refused(): void;
  /** Takes no more requests; closes the connections and calls `done` once those in flight have ended. */
  retire(done: () => void): void;
}

/** How long a replica that refused a connection is passed over. */
const DOWN_MS = 1_000;

const CONNECTION_OPTIONS = {
  connectTimeout: 3_000,
  // Answers may take as long as they take; the limits of a request are our own (forward.ts).
  headersTimeout: 0,
  bodyTimeout: 0,
  // Servers close idle connections after 2 s (gunicorn) or 5 s (uvicorn), or say when: we are earlier, so that no
  // request meets a connection that is being closed.
  keepAliveTimeout: 1_500,
  keepAliveTimeoutThreshold: 1_000,
  keepAliveMaxTimeout: 60_000,
  pipelining: 1,
  allowH2: false,
} as const;

export function openUpstream(name: string, endpoint: Endpoint): Upstream {
  const { origin, options } = address(endpoint);
  const pool = new Pool(origin, { ...options, factory: trackedClient });
  let inflight = 0;
  let downUntil = 0;
  let retired: (() => void) | null = null;

  function closeWhenIdle(): void {
    if (retired === null || inflight > 0) return;
    const done = retired;
    retired = null;
    void pool.close().then(done);
  }

  return {
    name,
    get inflight() {
      return inflight;
    },
    get downUntil() {
      return downUntil;
    },
    begin() {
      inflight += 1;
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        inflight -= 1;
        closeWhenIdle();
      };
    },
    send(request, attempt) {
      pool.dispatch(request, attempt);
    },
    sendFresh(request, attempt) {
      const client = new Client(origin, options);
      client.dispatch(request, attempt);
      void client.close();
    },
    refused() {
      downUntil = performance.now() + DOWN_MS;
    },
    retire(done) {
      retired = done;
      closeWhenIdle();
    },
  };
}

// Private

function address(endpoint: Endpoint): { readonly origin: string; readonly options: Client.Options } {
  if (endpoint.kind === 'unix') {
    return { origin: 'http://localhost', options: { ...CONNECTION_OPTIONS, socketPath: endpoint.path } };
  }
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return { origin: `http://${host}:${endpoint.port}`, options: CONNECTION_OPTIONS };
}

/** undici does not tell a handler whether its connection is a new one, so each client notes it. */
function trackedClient(origin: URL, options: object): Client {
  const client = new Client(origin, options);
  const connection = { used: false };
  client.on('connect', () => {
    connection.used = false;
  });
  const dispatch = client.dispatch.bind(client);
  client.dispatch = (request, handler) => {
    // Every handler given to the pool is an Attempt: `send` takes nothing else.
    (handler as Attempt).connection = connection;
    return dispatch(request, handler);
  };
  return client;
}
