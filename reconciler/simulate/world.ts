// A simulated world around the real reconciler and a store in memory: only the clock, the clouds, the proxies and their
// clients are made up. It jumps from moment to moment, and after each looks whether what must hold does.
import type { Machine } from '../../backends/fake/cloud.ts';
import type { Fake } from '../../backends/fake.ts';
import type { Endpoint, ProcessStatus } from '../../schemas/actual.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Failure } from '../../schemas/errors.ts';
import type { FleetState } from '../../schemas/fleet.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { VolumeState } from '../../schemas/volume.ts';
import type { Boundary } from '../boundary.ts';
import type { ProbeAnswer } from '../probe.ts';
import { type MemoryStore, openMemory } from '../store/memory.ts';
import type { DesiredChange, Settlement } from '../store/store.ts';
import { settled, type VirtualClock } from './clock.ts';
import { type Daemon, type Origin, PROJECT, startDaemon } from './daemon.ts';
import { createLife, type Life } from './life.ts';
import { createProxies, type Proxies } from './proxies.ts';
import { createRules, ownerOfProcess, type Rules } from './rules.ts';
import { createTraffic, type Flow, type Traffic } from './traffic.ts';

/** A place in a pass that the reconciler has just come to. */
export interface Crossing {
  /** How many there were before, in all lives. */
  readonly number: number;
  readonly boundary: Boundary;
  readonly key: string;
  /** The record of the key, as it was last written. */
  readonly state: unknown;
}

export interface WorldOptions {
  readonly clock: VirtualClock;
  readonly backends: ReadonlyMap<string, Fake>;
  readonly origin: Origin;
  readonly flows: readonly Flow[];
  /** The reconciler comes back on the machine it died on, and knows that its leases are its own. */
  readonly isSameMachine: boolean;
  /** Whether it dies there, and after how long a new one starts; null: it lives on. */
  readonly deathAt: (crossing: Crossing) => number | null;
  /** A request found nobody who would take it. */
  readonly onRefused?: (key: string, at: number) => void;
  readonly onRuleBroken: (service: string, text: string) => void;
  readonly onFailure: (key: string | null, failure: Failure) => void;
  readonly onLife: (kind: 'started' | 'crashed') => void;
  /** After each moment; `hasMoved`: something may have changed but the requests and the time. */
  readonly onMoment: (hasMoved: boolean) => Promise<void> | void;
}

export interface World {
  readonly store: MemoryStore;
  readonly proxies: Proxies;
  readonly traffic: Traffic;
  readonly rules: Rules;
  /** Records as they were last written, by service. */
  readonly states: ReadonlyMap<string, ServiceState>;
  /** Records of fleets as they were last written, by the names of their keys. */
  readonly fleets: ReadonlyMap<string, FleetState>;
  /** Whether something accepts connections there. */
  isOpen(endpoint: Endpoint | null): boolean;
  /** The reconciler dies now; a new one starts after `downMs`. */
  crash(downMs: number): void;
  /** All records are lost; what was told of them stays told. */
  loseDatabase(): void;
  wake(key: string): void;
  /** A machine is taken away: at once, or after a notice. */
  take(backend: Fake, id: string, noticeMs?: number): void;
  /** Lets virtual time pass until `at` (epoch ms), or only until the next moment when something happens. */
  moveTowards(at: number): Promise<void>;
}

/** Thrown at a boundary: the reconciler is killed there. Not an Error, so nothing takes it for a failure. */
const KILLED = Symbol('killed');

/** The rules are looked at this often even if nothing moves: some of them speak of time. */
const LOOK_MS = 10_000;

export async function openWorld(options: WorldOptions): Promise<World> {
  const { clock, backends, origin } = options;
  const clouds = [...backends.values()];
  const store = openMemory({ now: () => clock.now(), id: 'simulated' });
  const proxies = createProxies(clock, () => {
    isMoved = true;
    daemon?.wakeMoving();
  });
  const states = new Map<string, ServiceState>();
  const fleets = new Map<string, FleetState>();
  const volumes = new Map<string, VolumeState>();
  const renames = new Map<string, string>();
  const news = endedSince();
  const taken = new Set<string>();
  let life: Life = createLife(clock);
  let daemon: Daemon | null = null;
  let held: ReadonlySet<string> = new Set();
  let crossings = 0;
  let isMoved = true;
  let lookedAt = clock.now();

  const processAt = (endpoint: Endpoint | null): ProcessStatus => {
    if (endpoint === null) return { kind: 'absent' };
    const found = clouds.map((cloud) => cloud.processAt(endpoint)).find(({ kind }) => kind !== 'absent');
    return found ?? { kind: 'absent' };
  };
  const isOpen = (endpoint: Endpoint | null): boolean => {
    const process = processAt(endpoint);
    return process.kind === 'running' && process.listening;
  };
  const traffic = createTraffic({
    flows: options.flows,
    routeOf: proxies.routeOf,
    accepts: ({ endpoint }) => isOpen(endpoint),
    isDaemonUp: () => daemon !== null,
    ...(options.onRefused && { onRefused: options.onRefused }),
  });
  const rules = createRules({
    live: () => clouds.flatMap((cloud) => cloud.live()),
    ended: () => clouds.flatMap(news),
    wasTaken: (id) => taken.has(id),
    isServing: ({ endpoint }) => isOpen(endpoint),
    runsAt: (endpoint) => ownerOfProcess(processAt(endpoint)),
    fleets: () => [...fleets.values()],
    renames,
    table: proxies.table,
    now: () => clock.now(),
    report: options.onRuleBroken,
  });

  function noteSettled({ lease: { key }, state }: Settlement): void {
    if (state === undefined || !key.includes('/')) return;
    isMoved = true;
    const service = key.slice(PROJECT.length + 1);
    const kind = aroundOf(service)?.kind ?? 'service';
    const records: Map<string, unknown> = { service: states, fleet: fleets, volume: volumes }[kind];
    if (state === null) records.delete(service);
    else records.set(service, state);
    if (kind === 'service') rules.noteState(key, state as ServiceState | null);
  }

  function noteDesired(changes: readonly DesiredChange[]): void {
    for (const { key, desired } of changes) {
      const { renamedTo } = (desired ?? {}) as Partial<DesiredRecord>;
      const service = key.slice(PROJECT.length + 1);
      if (renamedTo === undefined) renames.delete(service);
      else renames.set(service, renamedTo);
    }
  }

  function cross(boundary: Boundary, key: string): void {
    const name = key.slice(PROJECT.length + 1);
    const state = states.get(name) ?? fleets.get(name) ?? volumes.get(name) ?? null;
    const downMs = options.deathAt({ number: crossings++, boundary, key, state });
    if (downMs === null) return;
    crash(downMs);
    throw KILLED;
  }

  function crash(downMs: number): void {
    if (life.isOver()) return;
    life.end();
    daemon = null;
    options.onLife('crashed');
    clock.after(downMs, () => void start());
  }

  async function start(): Promise<void> {
    const mine = createLife(clock);
    life = mine;
    const born = await startDaemon(mine, {
      store,
      backends,
      proxies,
      origin,
      traffic,
      probe: (endpoint) => probe(clouds, endpoint),
      boundary: cross,
      noteSettled,
      noteDesired,
      noteFailure: options.onFailure,
      isSameMachine: options.isSameMachine,
    });
    if (mine.isOver()) return;
    daemon = born;
    options.onLife('started');
  }

  /** The first request that is held wakes its service, as the proxies do. */
  function noteHeld(): void {
    const now = new Set(traffic.held());
    for (const key of now) if (!held.has(key)) daemon?.wake(key);
    held = now;
  }

  function nextMoment(limit: number): number {
    const times = [clock.nextAt(), traffic.nextWakingAt(), ...clouds.map((cloud) => cloud.nextChangeAt())];
    return Math.max(clock.now(), Math.min(limit, ...times.filter((at) => at !== null)));
  }

  for (const cloud of clouds)
    cloud.watch(({ project, service }) => {
      isMoved = true;
      daemon?.wake(`${project}/${service}`);
    });
  await start();
  await settled();

  return {
    store,
    proxies,
    traffic,
    rules,
    states,
    fleets,
    isOpen,
    crash,
    loseDatabase() {
      const nothing = new Map();
      store.restore({ ...store.snapshot(), rows: nothing, quotes: nothing, approvals: nothing });
      for (const name of states.keys()) rules.noteState(`${PROJECT}/${name}`, null);
      for (const records of [states, fleets, volumes]) records.clear();
    },
    wake: (key) => daemon?.wake(key),
    take(backend, id, noticeMs = 0) {
      taken.add(id);
      backend.lose(id, noticeMs);
    },
    async moveTowards(at) {
      const next = nextMoment(at);
      traffic.advance(next);
      await clock.moveTo(next);
      for (const cloud of clouds) cloud.tick();
      await settled();
      traffic.settle(next, ({ endpoint }) => isAlive(processAt(endpoint)));
      noteHeld();
      const hasMoved = isMoved || next - lookedAt >= LOOK_MS;
      isMoved = false;
      if (hasMoved) {
        lookedAt = next;
        rules.look();
      }
      await options.onMoment(hasMoved);
    },
  };
}

// Private

/** What ended since the last time, cloud by cloud. */
function endedSince(): (cloud: Fake) => readonly Machine[] {
  const seen = new Map<Fake, number>();
  return (cloud) => {
    const from = seen.get(cloud) ?? 0;
    const ended = cloud.ended(from);
    seen.set(cloud, from + ended.length);
    return ended;
  };
}

function isAlive({ kind }: ProcessStatus): boolean {
  return kind === 'running' || kind === 'stopping';
}

function probe(clouds: readonly Fake[], endpoint: Endpoint): ProbeAnswer {
  const cloud = clouds.find((each) => each.processAt(endpoint).kind !== 'absent');
  if (cloud?.isCutOff()) return { ok: false, detail: 'no answer: the network is cut' };
  if (!cloud) return { ok: false, detail: 'connection refused' };
  return cloud.healthy(endpoint) ? { ok: true, detail: '200' } : { ok: false, detail: '503' };
}
