// The reconciler in the world: the real loop, pass, prober, publisher, finder and sweeper, put together as
// `serve/engine.ts` does, on ports that end with its life.
import type { Backend } from '../../backends/backend.ts';
import type { Fake } from '../../backends/fake.ts';
import type { Endpoint } from '../../schemas/actual.ts';
import type { ProbeSpec } from '../../schemas/desired.ts';
import type { Failure } from '../../schemas/errors.ts';
import type { Deployment, ServiceState } from '../../schemas/rollout.ts';
import type { BoundaryHook } from '../boundary.ts';
import type { Clock } from '../clock.ts';
import { createFinder } from '../found.ts';
import { createLoop, type Loop } from '../loop.ts';
import { createPasses, type PassesDeps } from '../passes.ts';
import { createProber, type ProbeAnswer } from '../probe.ts';
import { createPublisher } from '../publish.ts';
import { createQueue } from '../queue.ts';
import type { Claim, DesiredChange, Settlement, Store } from '../store/store.ts';
import { sweep } from '../sweep.ts';
import type { Life } from './life.ts';
import type { Proxies } from './proxies.ts';
import type { Traffic } from './traffic.ts';

export const PROJECT = 'main';
export const OWNER = 'me';
const MACHINE = 'here';
const SWEEP_MS = 60_000;

/** Where services come from: files of commits, or whatever a test says. */
export interface Origin {
  readonly processOf: PassesDeps['processOf'];
  /** The probes of a deployment with their values resolved. */
  readonly probesOf: (deployment: Deployment) => readonly ProbeSpec[];
  /** Makes the pass of the project's own key, once for each life. */
  readonly projectPass: (ports: {
    readonly store: Store;
    readonly clock: Clock;
    readonly boundary: BoundaryHook;
  }) => (claim: Claim) => Promise<Settlement>;
}

/** What it works on, and what outlives it. */
export interface Ground {
  readonly store: Store;
  readonly backends: ReadonlyMap<string, Fake>;
  readonly proxies: Proxies;
  readonly origin: Origin;
  readonly traffic: Pick<Traffic, 'inflight' | 'fact'>;
  readonly probe: (endpoint: Endpoint) => ProbeAnswer;
  readonly boundary: BoundaryHook;
  /** The end of a pass that was written. */
  readonly noteSettled: (settlement: Settlement) => void;
  /** What a commit asks for, once it is written. */
  readonly noteDesired: (changes: readonly DesiredChange[]) => void;
  readonly noteFailure: (key: string | null, failure: Failure) => void;
  /** The machine of the one before: its leases are ended, for it is known to be dead. Else they run out. */
  readonly isSameMachine: boolean;
}

export interface Daemon {
  wake(key: string): void;
  /** Wakes what waits for the proxies. */
  wakeMoving(): void;
}

export async function startDaemon(life: Life, ground: Ground): Promise<Daemon> {
  const { clock } = life;
  const { origin, proxies, boundary } = ground;
  const store = storeOf(life, ground);
  const backends = new Map([...ground.backends].map(([name, fake]) => [name, life.port<Backend>(fake)]));
  const moving = new Set<string>();
  const queue = createQueue(clock);
  if (ground.isSameMachine) await store.endLeases(MACHINE);

  const projectPass = origin.projectPass({ store, clock, boundary });
  const loop = createLoop({
    store,
    clock,
    holder: MACHINE,
    machine: MACHINE,
    pass: (claim) => pass(claim),
    onFailure: (key, failure) => life.isOver() || ground.noteFailure(key, failure),
    onRecovery: () => {},
  });
  const prober = createProber({
    clock,
    now: clock.now,
    probesOf: origin.probesOf,
    wake: loop.wake,
    send: async (endpoint) => ground.probe(endpoint),
  });
  const publisher = createPublisher({
    store: store.id,
    epoch: await store.nextEpoch(),
    tokens: [],
    clock,
    push: proxies.push,
  });
  const pass = createPasses({
    project: PROJECT,
    sync: projectPass,
    wake: loop.wake,
    owner: OWNER,
    machine: MACHINE,
    backends,
    takeProbes: prober.take,
    published: proxies.published,
    inflight: (_, replica) => ground.traffic.inflight(replica),
    traffic: (project, service, group, windowMs) =>
      ground.traffic.fact(`${project}/${service}`, group, clock.now(), windowMs),
    queue,
    find: createFinder({ owner: OWNER, backends, clock }),
    publish: publisher.set,
    processOf: origin.processOf,
    store,
    clock,
    boundary,
    noteState(key, state) {
      queue.note(key, state);
      prober.watch(key, state);
      if (state === null) publisher.set(key, null);
      if (state?.waiting.some(({ reason }) => reason === 'publish' || reason === 'drain')) moving.add(key);
      else moving.delete(key);
    },
  });

  for (const { key, service, state } of await store.list(PROJECT)) {
    loop.wake(key);
    if (service === '' || !state) continue;
    queue.note(key, state as ServiceState);
    publisher.set(key, (state as ServiceState).route);
    prober.watch(key, state as ServiceState);
  }
  for (const { key } of await store.around(PROJECT)) loop.wake(key);
  publisher.flush();
  await store.ensureProject(PROJECT);
  loop.start();
  sweepEvery(life, { owner: OWNER, backends, store, projects: [PROJECT] });
  return { wake: loop.wake, wakeMoving: () => wakeAll(loop, moving) };
}

// Private

/** The store as this life sees it; what it writes is noted, and crossing the end of a pass as well. */
function storeOf(life: Life, { store, boundary, noteSettled, noteDesired }: Ground): Store {
  const port = life.port(store);
  return {
    ...port,
    async settle(settlements) {
      const lost = await port.settle(settlements);
      const written = settlements.filter(({ lease }) => !lost.has(lease.key));
      for (const settlement of written) noteSettled(settlement);
      for (const { lease, release } of written) if (release) boundary('outcome-saved', lease.key);
      return lost;
    },
    async putDesired(lease, changes, ...rest) {
      const isWritten = await port.putDesired(lease, changes, ...rest);
      if (isWritten) noteDesired(changes);
      return isWritten;
    },
    subscribe(changed) {
      const unsubscribe = store.subscribe(changed);
      life.onEnd(unsubscribe);
      return unsubscribe;
    },
  };
}

function sweepEvery({ clock }: Life, deps: Parameters<typeof sweep>[0]): void {
  const run = () => {
    void sweep(deps);
    clock.after(SWEEP_MS, run);
  };
  clock.after(SWEEP_MS, run);
}

function wakeAll(loop: Loop, keys: Iterable<string>): void {
  for (const key of keys) loop.wake(key);
}
