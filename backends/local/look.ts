// Looks at what a replica does with its port. Cheap enough for every second and many replicas: the tables of /proc are
// read once for all that look at nearly the same time, and a socket that was found to be the replica's is remembered.
import type { Endpoint } from '../../schemas/actual.ts';
import { type Listener, readSockets, socketsOf } from '../host/listeners.ts';
import { allStats, sessionOf } from '../host/processes.ts';
import type { LaunchRecord, ProcessRecord } from '../host/slot.ts';

export interface Listening {
  readonly listening: boolean;
  readonly endpoint: Endpoint;
  readonly detail: string;
}

export interface Looker {
  look(id: string, process: ProcessRecord, launch: LaunchRecord): Listening;
  /** Where the replica was last seen to listen; before that, where it should. */
  endpoint(id: string, port: number): Endpoint;
  forget(id: string): void;
}

export function createLooker(): Looker {
  const sockets = remembered(readSockets);
  const stats = remembered(allStats);
  const own = new Map<string, Listener>();

  const endpoint = (id: string, port: number): Endpoint => ({
    kind: 'tcp',
    host: own.get(id)?.host ?? '127.0.0.1',
    port,
  });
  return {
    look(id, process, launch) {
      const { listeners } = sockets();
      const known = own.get(id)?.inode;
      if (known === undefined || !listeners.some(({ inode }) => inode === known)) {
        own.delete(id);
        const inodes = socketsOf(sessionOf(process, stats()));
        const mine = listeners.filter(({ inode }) => inodes.has(inode));
        const found = firstDialled(mine.filter(({ port }) => port === launch.port));
        if (found === undefined) {
          const held = listeners.some(({ port }) => port === launch.port);
          return { listening: false, endpoint: endpoint(id, launch.port), detail: why(mine, held, launch) };
        }
        own.set(id, found);
      }
      return { listening: true, endpoint: endpoint(id, launch.port), detail: '' };
    },
    endpoint,
    forget: (id) => own.delete(id),
  };
}

// Private

const FRESH_MS = 200;

function remembered<T>(read: () => T): () => T {
  let last: { value: T; at: number } | null = null;
  return () => {
    const now = performance.now();
    if (last === null || now - last.at > FRESH_MS) last = { value: read(), at: now };
    return last.value;
  };
}

/** A program that listens on several addresses is dialled on IPv4 loopback if it is there. */
function firstDialled(listeners: readonly Listener[]): Listener | undefined {
  return listeners.find(({ host }) => host === '127.0.0.1') ?? listeners[0];
}

function why(mine: readonly Listener[], held: boolean, { port, configuredPort }: LaunchRecord): string {
  const other = mine.find((each) => each.port === configuredPort) ?? mine[0];
  if (other !== undefined)
    return `listens on ${other.port}, not on $PORT (${port}): start it with --port $PORT`;
  return held ? `another process listens on its $PORT (${port})` : '';
}
