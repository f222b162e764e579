// The simulator's world for tests that speak of one service as a value, without files: what it is to be is written to
// the store directly, its clients never pause, and the first rule that breaks ends the test.

import type { Behaviour } from '../../backends/fake/machine.ts';
import { type Fake, type FakeOptions, openFake } from '../../backends/fake.ts';

import type { Boundary } from '../../reconciler/boundary.ts';
import { ownerOf } from '../../reconciler/process-request.ts';
import { virtualClock } from '../../reconciler/simulate/clock.ts';
import type { Flow } from '../../reconciler/simulate/traffic.ts';
import { openWorld, type World as Simulated } from '../../reconciler/simulate/world.ts';
import type { MemoryStore } from '../../reconciler/store/memory.ts';
import type { Tags } from '../../schemas/actual.ts';
import type { DesiredAround } from '../../schemas/around.ts';
import type { DesiredRecord, DesiredService } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { RouteTable } from '../../schemas/routes.ts';
import { LOCAL } from '../plan/samples.ts';

export const START = 1_700_000_000_000;
const LEASE_MS = 30_000;
/** Enough clients that each replica is always answering some. */
const CLIENTS = { rps: 6, requestMs: 700 };
/** What has accepted connections, and was to serve, for so long is in the routes. */
const SURELY_MS = 15_000;
const LOST_MS = 10_000;
/** So long after the reconciler, its clock or the proxies were hampered, nothing is sure. */
const RECOVERY_MS = 90_000;

export interface World {
  readonly store: MemoryStore;
  /** The first of the clouds. */
  readonly cloud: Fake;
  readonly clouds: ReadonlyMap<string, Fake>;
  now(): number;
  /** Every boundary crossed so far, in order. */
  readonly crossed: readonly Boundary[];
  /** Dies at the crossing with this number (from 0), then a new daemon starts. */
  killAt(crossing: number): void;
  /** What a new commit asks for; null: the file is gone. */
  commit(service: DesiredService | null, name?: string): Promise<void>;
  commitRecord(name: string, record: DesiredRecord): Promise<void>;
  /** What services need around them (`fleet:pool`); null: no file declares it any more. */
  declare(name: string, desired: DesiredAround | null): Promise<void>;
  /** Lets `ms` of virtual time pass. */
  run(ms: number): Promise<void>;
  /** Lets time pass until `until` holds. Throws with the service's state when that takes longer than `ms`. */
  runUntil(
    what: string,
    until: (state: ServiceState | null) => boolean,
    ms?: number,
  ): Promise<ServiceState | null>;
  state(): Promise<ServiceState | null>;
  /** The world takes a machine away: at once, or after a notice. */
  take(id: string, noticeMs?: number): void;
  /** Somebody edits the tags of a machine. */
  retag(id: string, tags: Partial<Tags>): void;
  /** The service is looked at now. */
  wake(): void;
  /** What the proxy serves by. */
  table(): RouteTable | null;
  /** The daemon dies, and later a new one starts on an empty database, with what is asked for by then. */
  loseDatabase(): Promise<void>;
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
  /** Requests, in place of steady ones. */
  readonly flows?: readonly Flow[];
  /** In place of the one of this machine. */
  readonly clouds?: readonly (Partial<FakeOptions> &
    Pick<FakeOptions, 'offers'> & { readonly name: string })[];
}

export async function simulate(options: WorldOptions = {}): Promise<World> {
  const service = options.service ?? 'web';
  const key = `main/${service}`;
  const clock = virtualClock(START);
  const now = () => clock.now();
  const { capacity = Number.POSITIVE_INFINITY } = options;
  const behaviour = ({ shape, replica }: Pick<Tags, 'shape' | 'replica'>) =>
    options.behaviour?.(shape, replica) ?? {};
  const clouds = (options.clouds ?? [{ name: 'local', offers: [LOCAL] }]).map((each, i) => {
    const base = {
      seed: (options.seed ?? 1) + i,
      now,
      bootMs: options.bootMs ?? 0,
      endMs: 50,
      network: 10 + i,
    };
    return openFake({ ...base, capacity: () => capacity, behaviour, ...each });
  });
  const cloud = clouds[0] ?? raise('no cloud');
  const byName = new Map(clouds.map((each) => [each.name, each]));
  const crossed: Boundary[] = [];
  const broken: string[] = [];
  const openSince = new Map<string, number>();
  let unsureUntil = 0;
  let killAt = -1;
  let world: Simulated | null = null;
  /** Those that are to serve, for all that is known: ready ones, or all that were while there are none. */
  const serving = (name: string) => {
    const replicas = world?.states.get(name)?.replicas ?? [];
    const ready = replicas.filter(({ phase }) => phase === 'ready');
    return ready.length > 0 ? ready : replicas.filter(({ phase }) => phase === 'unready');
  };
  const noteOpen = () => {
    const open = [...(world?.states.keys() ?? [])]
      .flatMap(serving)
      .filter(({ endpoint }) => world?.isOpen(endpoint));
    const names = new Set(open.map(({ name }) => name));
    for (const name of openSince.keys()) if (!names.has(name)) openSince.delete(name);
    for (const name of names) if (!openSince.has(name)) openSince.set(name, now());
  };
  const opened = await openWorld({
    clock,
    backends: byName,
    origin: {
      processOf: (deployment, replica) => ({
        replica: ownerOf(deployment, replica),
        spec: deployment.spec.groups[0]?.process ?? raise('no group'),
        env: {},
        registryPassword: null,
        stopMs: deployment.spec.stopMs,
        mounts: [],
        secrets: [],
      }),
      probesOf: (deployment) => deployment.spec.probes,
      projectPass: () => async (claim) => ({ lease: claim.lease, wakeAt: null, events: [], release: true }),
    },
    flows: options.flows ?? [
      {
        key,
        from: START,
        to: Number.POSITIVE_INFINITY,
        rps: [CLIENTS.rps, CLIENTS.rps],
        requestMs: CLIENTS.requestMs,
      },
    ],
    // Another one takes over, when the leases of the dead one have run out: the slowest that can happen.
    isSameMachine: false,
    deathAt({ number, boundary }) {
      crossed.push(boundary);
      if (number !== killAt) return null;
      unsureUntil = Math.max(unsureUntil, now() + RECOVERY_MS);
      return 0;
    },
    onRefused(key, at) {
      const one = serving(key.slice('main/'.length)).find(
        ({ name, endpoint }) =>
          world?.isOpen(endpoint) && at - (openSince.get(name) ?? at) >= SURELY_MS && at >= unsureUntil,
      );
      if (one) broken.push(`a request to ${key} was refused though ${one.name} accepts connections`);
    },
    onRuleBroken: (_, text) => broken.push(text),
    onFailure: (failed, failure) => failure.kind === 'bug' && broken.push(`${failed}: ${failure.stack}`),
    onLife: () => {},
    onMoment() {
      noteOpen();
      if (broken.length > 0) throw new Error(broken.join('\n'));
    },
  });
  world = opened;
  const { store } = opened;
  const asked = new Map<string, DesiredRecord | DesiredAround | null>();
  /** Waits for the project's lease where a dead daemon still holds it. */
  const put = async (name: string, record: DesiredRecord | DesiredAround | null) => {
    asked.set(name, record);
    while (!(await putDesired(store, name, record))) await opened.moveTowards(now() + LEASE_MS);
  };
  const read = async () => ((await store.load(key))?.state ?? null) as ServiceState | null;
  const lastEvents = async () => {
    const events = await store.events({ project: 'main', service, limit: 12 });
    return events.map(({ time, event, reason }) => `${time} ${event} ${reason}`).join('\n');
  };

  return {
    store,
    cloud,
    clouds: byName,
    crossed,
    now,
    killAt: (crossing) => {
      killAt = crossing;
    },
    commit: (desired, name = service) =>
      put(name, desired && { service: desired, removed: false, problems: [] }),
    commitRecord: put,
    declare: put,
    async run(ms) {
      for (const end = now() + ms; now() < end; ) await opened.moveTowards(end);
    },
    async runUntil(what, until, ms = 3_600_000) {
      const end = now() + ms;
      await opened.moveTowards(now());
      for (let state = await read(); ; state = await read()) {
        if (until(state)) return state;
        if (now() >= end)
          throw new Error(
            `not within ${ms / 1000} s: ${what}\n${JSON.stringify(summary(state))}\n${await lastEvents()}`,
          );
        await opened.moveTowards(end);
      }
    },
    state: read,
    table: opened.proxies.table,
    take(id, noticeMs) {
      for (const each of clouds)
        if (each.machines().some((machine) => machine.id === id)) opened.take(each, id, noticeMs);
    },
    retag(id, tags) {
      for (const each of clouds)
        if (each.machines().some((machine) => machine.id === id)) each.retag(id, tags);
    },
    wake: () => opened.wake(key),
    async loseDatabase() {
      // By then, what was made just before is in the lists of clouds.
      opened.crash(LOST_MS);
      opened.loseDatabase();
      unsureUntil = Math.max(unsureUntil, now() + RECOVERY_MS);
      await store.ensureProject('main');
      for (const [name, record] of asked) if (record) await put(name, record);
    },
    sleep(ms) {
      clock.sleep(ms);
      unsureUntil = Math.max(unsureUntil, now() + RECOVERY_MS);
    },
    deafen(isDeaf) {
      opened.proxies.deafen(isDeaf);
      unsureUntil = isDeaf ? Number.POSITIVE_INFINITY : now() + RECOVERY_MS;
    },
  };
}

async function putDesired(
  store: MemoryStore,
  name: string,
  record: DesiredRecord | DesiredAround | null,
): Promise<boolean> {
  await store.wake(['main']);
  const [claim] = await store.claim({
    holder: 'git',
    machine: 'here',
    limit: 1,
    leaseMs: LEASE_MS,
    keys: ['main'],
  });
  if (!claim) return false;
  await store.putDesired(claim.lease, [{ key: `main/${name}`, desired: record }], { commit: 'c0ffee' }, []);
  await store.settle([{ lease: claim.lease, wakeAt: null, events: [], release: true }]);
  return true;
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
