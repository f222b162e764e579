// A simulated world around the real pass, decision, prober, publisher and store: only the clock, the cloud and the
// proxies are made up. After every move it checks what must hold at all times.

import type { Behaviour } from '../../backends/fake/machine.ts';
import { type Fake, openFake } from '../../backends/fake.ts';
import type { Boundary } from '../../reconciler/boundary.ts';
import { createFinder } from '../../reconciler/found.ts';
import { createProber, type Prober } from '../../reconciler/probe.ts';
import { createPublisher, type Publisher } from '../../reconciler/publish.ts';
import { type ReconcileDeps, reconcile } from '../../reconciler/reconcile.ts';
import { type MemoryStore, openMemory } from '../../reconciler/store/memory.ts';
import type { DesiredRecord, DesiredService } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { RouteTable } from '../../schemas/routes.ts';
import { settled, virtualClock } from '../clock.ts';
import { LOCAL } from '../plan/samples.ts';

const START = 1_700_000_000_000;
const LEASE_MS = 30_000;
/** From a table being pushed until the proxy has it. */
const ACK_MS = 20;
/** Requests that were in flight when a replica left the routes end after this time. */
const REQUEST_MS = 700;

/** Thrown at a boundary: the daemon is killed there. Not an Error, so nothing catches it as a failure. */
export const KILLED = Symbol('killed');

export interface World {
  readonly store: MemoryStore;
  readonly cloud: Fake;
  now(): number;
  /** Every boundary crossed so far, in order. */
  readonly crossed: readonly Boundary[];
  /** Dies at the crossing with this number (from 0), then a new daemon starts. */
  killAt(crossing: number): void;
  /** What a new commit asks for; null: the file is gone. */
  commit(service: DesiredService | null, name?: string): Promise<void>;
  commitRecord(name: string, record: DesiredRecord): Promise<void>;
  /** Lets `ms` of virtual time pass. */
  run(ms: number): Promise<void>;
  /** Lets time pass until `until` holds. Throws with the service's state when that takes longer than `ms`. */
  runUntil(
    what: string,
    until: (state: ServiceState | null) => boolean,
    ms?: number,
  ): Promise<ServiceState | null>;
  state(): Promise<ServiceState | null>;
  /** What the proxy serves by. */
  table(): RouteTable | null;
  /** Nothing is looked at or decided, for so long: a laptop asleep. */
  sleep(ms: number): void;
  /** The proxy stops acknowledging tables. */
  deafen(deaf: boolean): void;
}

export interface WorldOptions {
  readonly seed?: number;
  /** How a process of a shape goes. */
  readonly behaviour?: (shape: string, replica: string) => Partial<Behaviour>;
  readonly bootMs?: number;
  readonly capacity?: number;
  readonly service?: string;
}

export async function simulate(options: WorldOptions = {}): Promise<World> {
  const service = options.service ?? 'web';
  const key = `main/${service}`;
  const clock = virtualClock(START);
  const now = () => clock.now();
  const store = openMemory({ now, id: 'simulated' });
  const cloud = openFake({
    seed: options.seed ?? 1,
    now,
    name: 'local',
    offers: [LOCAL],
    bootMs: options.bootMs ?? 0,
    endMs: 50,
    capacity: () => options.capacity ?? Number.POSITIVE_INFINITY,
    behaviour: ({ shape, replica }) => options.behaviour?.(shape, replica) ?? {},
  });
  const crossed: Boundary[] = [];
  let killAt = -1;
  let isDeaf = false;
  let table: RouteTable | null = null;
  /** When each replica was last routed: requests sent then are in flight for a while. */
  const lastRouted = new Map<string, number>();
  const aliveBefore = new Map<string, number>();
  let daemon = await start();

  async function start(): Promise<{ deps: ReconcileDeps; prober: Prober; publisher: Publisher }> {
    const prober = createProber({
      clock,
      now,
      probesOf: (deployment) => deployment.spec.probes,
      wake: (woken) => void store.wake([woken]),
      send: async (endpoint) => ({
        ok: cloud.healthy(endpoint),
        detail: cloud.healthy(endpoint) ? '200' : '503',
      }),
    });
    const publisher = createPublisher({
      store: store.id,
      epoch: await store.nextEpoch(),
      tokens: [],
      clock,
      push: (pushed) => {
        clock.after(ACK_MS, () => {
          const isNewer =
            !table ||
            pushed.epoch > table.epoch ||
            (pushed.epoch === table.epoch && pushed.generation > table.generation);
          if (!isDeaf && isNewer) table = pushed;
          void store.wake([key]);
        });
      },
    });
    for (const record of await store.list('main')) {
      const route = (record.state as ServiceState | null)?.route;
      if (record.service !== '' && route) publisher.set(record.key, route);
    }
    const deps: ReconcileDeps = {
      owner: 'me',
      machine: 'here',
      backends: new Map([['local', cloud]]),
      takeProbes: (woken) => prober.take(woken),
      published: (published) =>
        table?.routes.find((route) => `${route.project}/${route.service}` === published)?.version ?? -1,
      find: createFinder({ owner: 'me', backends: new Map([['local', cloud]]), clock }),
      inflight: (_project, replica) => (now() - (lastRouted.get(replica) ?? 0) < REQUEST_MS ? 1 : 0),
      publish: (published, route) => publisher.set(published, route),
      processOf: (deployment) => ({
        spec: deployment.spec.groups[0]?.process ?? raise('no group'),
        env: {},
        registryPassword: null,
        stopMs: deployment.spec.stopMs,
        mounts: [],
        secrets: [],
      }),
      store,
      clock,
      boundary: (boundary) => {
        crossed.push(boundary);
        if (crossed.length - 1 === killAt) throw KILLED;
      },
      noteState: (watched, state) => prober.watch(watched, state),
    };
    return { deps, prober, publisher };
  }

  async function restart(): Promise<void> {
    daemon.prober.close();
    daemon.publisher.close();
    daemon = await start();
  }

  /** Runs every pass that is due now. */
  async function passes(): Promise<void> {
    for (;;) {
      const claims = await store.claim({ holder: 'sim', machine: 'here', limit: 8, leaseMs: LEASE_MS });
      if (claims.length === 0) return;
      for (const claim of claims) {
        try {
          const settlement =
            claim.record.service === ''
              ? { lease: claim.lease, wakeAt: now() + 600_000, events: [], release: true }
              : await reconcile(daemon.deps, claim);
          await store.settle([settlement]);
          daemon.deps.boundary('outcome-saved', claim.record.key);
        } catch (error) {
          if (error !== KILLED) throw error;
          await restart();
        }
        noteRouted();
        await checkWorld();
      }
    }
  }

  function noteRouted(): void {
    for (const { replicas } of table?.routes ?? [])
      for (const { name } of replicas) lastRouted.set(name, now());
  }

  /** What must hold at every moment, whatever happened. */
  async function checkWorld(): Promise<void> {
    const alive = cloud.machines().filter(({ endedAt }) => endedAt === null);
    const names = alive.map(({ tags }) => `${tags.replica}/${tags.attempt}`);
    if (new Set(names).size !== names.length)
      throw new Error(`two machines for one replica: ${names.join(' ')}`);
    const state = await read();
    const routed = new Set(table?.routes.flatMap(({ replicas }) => replicas.map(({ name }) => name)));
    const hurt = state?.replicas.filter(({ name, phase }) => phase === 'stopping' && routed.has(name)) ?? [];
    if (hurt.length > 0)
      throw new Error(`${hurt[0]?.name} is stopped while the proxy still sends it requests`);
    const target = state?.deployments.find(({ number }) => number === state.target);
    if (!state || !target) return;
    for (const group of target.spec.groups) {
      const mine = alive.filter(({ tags }) => tags.group === group.name);
      const good = state.deployments.find(({ number }) => number === state.good);
      const before = good?.spec.groups.find(({ name }) => name === group.name)?.replicas.max ?? 0;
      const limit =
        Math.max(group.replicas.max, before) +
        Math.max(target.spec.policy.surge, good?.spec.policy.surge ?? 0);
      // A target that shrinks leaves more than it allows for a moment; it must not make any.
      const grew = mine.length > (aliveBefore.get(group.name) ?? 0);
      aliveBefore.set(group.name, mine.length);
      if (grew && mine.length > limit)
        throw new Error(`${mine.length} machines of group ${group.name}, at most ${limit} are allowed`);
    }
  }

  async function read(): Promise<ServiceState | null> {
    return ((await store.load(key))?.state ?? null) as ServiceState | null;
  }

  async function lastEvents(): Promise<string> {
    const events = await store.events({ project: 'main', service, limit: 12 });
    return events.map(({ time, event, reason }) => `${time} ${event} ${reason}`).join('\n');
  }

  async function nextMove(limit: number): Promise<number> {
    const times = [await store.nextWake('here'), clock.nextAt(), cloud.nextChangeAt()].filter(
      (at) => at !== null,
    );
    return Math.max(now(), Math.min(limit, ...times));
  }

  async function move(limit: number): Promise<void> {
    await clock.moveTo(await nextMove(limit));
    cloud.tick();
    await settled();
    noteRouted();
    await passes();
  }

  cloud.watch((tags) => void store.wake([`${tags.project}/${tags.service}`]));
  await store.ensureProject('main');

  return {
    store,
    cloud,
    crossed,
    now,
    killAt: (crossing) => {
      killAt = crossing;
    },
    commit: (desired, name = service) =>
      putDesired(store, name, desired && { service: desired, removed: false, problems: [] }),
    commitRecord: (name, record) => putDesired(store, name, record),
    async run(ms) {
      for (const end = now() + ms; now() < end; ) await move(end);
    },
    async runUntil(what, until, ms = 3_600_000) {
      const end = now() + ms;
      await passes();
      for (let state = await read(); ; state = await read()) {
        if (until(state)) return state;
        if (now() >= end)
          throw new Error(
            `not within ${ms / 1000} s: ${what}\n${JSON.stringify(summary(state))}\n${await lastEvents()}`,
          );
        await move(end);
      }
    },
    state: read,
    table: () => table,
    sleep: (ms) => clock.sleep(ms),
    deafen: (deaf) => {
      isDeaf = deaf;
    },
  };
}

async function putDesired(store: MemoryStore, name: string, record: DesiredRecord | null): Promise<void> {
  await store.wake(['main']);
  const [claim] = await store.claim({
    holder: 'git',
    machine: 'here',
    limit: 1,
    leaseMs: LEASE_MS,
    keys: ['main'],
  });
  if (!claim) throw new Error('the project is claimed by somebody else');
  await store.putDesired(claim.lease, [{ key: `main/${name}`, desired: record }], {}, []);
  await store.settle([{ lease: claim.lease, wakeAt: null, events: [], release: true }]);
}

function summary(state: ServiceState | null) {
  if (!state) return null;
  const { status, target, good, rollout, waiting, backoff } = state;
  const replicas = state.replicas.map(({ name, phase, deployment, detail, leaving }) => [
    name,
    phase,
    deployment,
    detail,
    leaving,
  ]);
  return { status, target, good, rollout, waiting, backoff, replicas };
}

function raise(message: string): never {
  throw new Error(message);
}
