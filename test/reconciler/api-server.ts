// A real API on a real socket over a memory store, with a small world in it that a test can change.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type ApiDeps, createApi, type LogEntry } from '../../reconciler/api.ts';
import { createPlanner } from '../../reconciler/planner.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { tokenEntry } from '../../reconciler/tokens.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { DesiredFleet, FleetState } from '../../schemas/fleet.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { DesiredVolume, VolumeState } from '../../schemas/volume.ts';
import { LOCAL } from '../plan/samples.ts';

export const TOKENS = { admin: 'admin-token', read: 'read-token', call: 'call-token', other: 'other-token' };
export const COMMIT = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';

export interface World {
  readonly store: Store;
  readonly url: string;
  /** Writes a service's two documents, as the loop would. */
  put(name: string, record: DesiredRecord | null, state: ServiceState | null): Promise<void>;
  /** The same of a fleet or volume: `fleet:pool`. */
  putAround(
    name: string,
    desired: DesiredFleet | DesiredVolume | null,
    state: FleetState | VolumeState | null,
  ): Promise<void>;
  putProject(state: Partial<ProjectState>): Promise<void>;
  say(event: NewEvent): Promise<void>;
  /** What `logs` gives for a service; a follower waits for the end of `until`. */
  readonly logs: Map<string, LogEntry[]>;
  /** Requests for logs that are still open. */
  readonly following: () => number;
  readonly reports: Error[];
  close(): Promise<void>;
}

export async function startWorld(overrides: Partial<ApiDeps> = {}): Promise<World> {
  const store = openMemory();
  await store.ensureProject('main');
  const logs = new Map<string, LogEntry[]>();
  const reports: Error[] = [];
  let following = 0;
  let url = '';
  const app = createApi({
    store,
    projects: ['main', 'other'],
    tokens: [
      tokenEntry('admin', TOKENS.admin, ['admin']),
      tokenEntry('reader', TOKENS.read, ['read'], ['main']),
      tokenEntry('caller', TOKENS.call, ['call']),
      tokenEntry('stranger', TOKENS.other, ['read'], ['other']),
    ],
    login: null,
    applyOf: () => 'gated',
    patienceMs: 200,
    reporting: () => null,
    page: 'open',
    unready: () => null,
    urlOf: (project, name) => `${url}/proxy/services/${project}/${name}/`,
    async *logs({ service, replica, follow, signal }) {
      for (const entry of logs.get(service) ?? []) {
        if (replica === null || entry.replica === `${service}-${replica}`) yield entry;
      }
      if (!follow || signal.aborted) return;
      following++;
      await once(signal, 'abort');
      following--;
    },
    plan: createPlanner({
      store,
      market: async () => ({ offers: [LOCAL], total: 1, excluded: [], failures: [] }),
      wanted: () => ({
        root: '',
        secrets: () => null,
        vault: createVault(Buffer.alloc(32, 7)),
        refusal: () => null,
        mountIds: async () => new Map(),
      }),
    }),
    webhook: (project) =>
      project === 'main'
        ? async (provider) => ({ status: 202, body: { detail: `${provider} accepted` } })
        : null,
    report: (error) => reports.push(error),
    ...overrides,
  });
  const server = createServer(getRequestListener(app.fetch));
  url = await listen(server);
  return {
    store,
    url,
    logs,
    reports,
    following: () => following,
    put: (name, record, state) => put(store, name, record, state),
    putAround: (name, desired, state) => put(store, name, desired, state),
    putProject: (state) => putProject(store, state),
    say: (event) => store.appendEvents('main', [event]),
    async close() {
      server.closeAllConnections();
      server.close();
      await store.close();
    },
  };
}

// Private

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function leaseOf(store: Store, key: string) {
  await store.wake([key]);
  const request = { holder: 'test', machine: 'here', limit: 1, leaseMs: 60_000, keys: [key] };
  const [claim] = await store.claim(request);
  if (!claim) throw new Error(`cannot claim ${key}`);
  return claim;
}

async function release(
  store: Store,
  claim: Awaited<ReturnType<typeof leaseOf>>,
  state?: unknown,
): Promise<void> {
  const settlement = { lease: claim.lease, wakeAt: null, events: [], release: true };
  await store.settle([state === undefined ? settlement : { ...settlement, state }]);
}

async function putDesired(store: Store, key: string, desired: unknown): Promise<void> {
  const claim = await leaseOf(store, 'main');
  await store.putDesired(claim.lease, [{ key, desired }], claim.record.state, []);
  await release(store, claim);
}

async function put(store: Store, name: string, record: object | null, state: object | null): Promise<void> {
  // The store forgets a key that has neither document, so one that git no longer knows is written in two steps.
  await putDesired(store, `main/${name}`, record ?? { service: null, removed: true, problems: [] });
  await release(store, await leaseOf(store, `main/${name}`), state);
  if (record === null) await putDesired(store, `main/${name}`, null);
}

async function putProject(store: Store, state: Partial<ProjectState>): Promise<void> {
  const claim = await leaseOf(store, 'main');
  const whole: ProjectState = {
    format: 1,
    serial: 1,
    commit: COMMIT,
    committedAt: 0,
    subject: 'Say hello',
    author: 'me',
    problems: [],
    others: [],
    held: [],
    renames: [],
    sourceFailure: null,
    ...state,
  };
  await store.putDesired(claim.lease, [], whole, []);
  await release(store, claim);
}
