// Two reconcilers on one store. One of them freezes at every single thing it asks of the store or a cloud, for longer than
// its lease lasts, before it was done or after; the other takes over; then the first wakes up and goes on with what it
// had in mind. Whatever the two do, the rules hold, and what is asked for runs.

import { expect, test } from 'vitest';
import { type Fake, openFake } from '../../backends/fake.ts';

import { ownerOf } from '../../reconciler/process-request.ts';
import { settled, type VirtualClock, virtualClock } from '../../reconciler/simulate/clock.ts';
import { type Daemon, type Origin, startDaemon } from '../../reconciler/simulate/daemon.ts';
import type { Life } from '../../reconciler/simulate/life.ts';
import { createProxies, type Proxies } from '../../reconciler/simulate/proxies.ts';
import { createRules, ownerOfProcess } from '../../reconciler/simulate/rules.ts';
import { type MemoryStore, openMemory } from '../../reconciler/store/memory.ts';
import type { DesiredAround } from '../../schemas/around.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { FleetState } from '../../schemas/fleet.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import type { RouteTable, ServiceRoute } from '../../schemas/routes.ts';
import { LOCAL } from '../plan/samples.ts';
import { fleet, guest } from './around.ts';
import { isRunning, shapeOf, web } from './services.ts';

const START = 1_700_000_000_000;
const FLEET = 'main/fleet:pool';
/** Longer than a lease. */
const FROZEN_MS = 45_000;
const [one, two] = [web('one', 1), web('two', 1)];
/** Every so many questions, in turn before and after they are asked; a campaign looks at all of them. */
const EVERY = Number(process.env.TRUEUP_RIVALS ?? 3);

/** A life that may freeze: what it asks for then is asked, or answered, only when it thaws. */
interface Freezable extends Life {
  /** What it has asked for so far. */
  asked(): number;
}

interface Freeze {
  readonly at: number;
  readonly when: 'before' | 'after';
}

function createFreezable(clock: VirtualClock, freeze: Freeze | null): Freezable {
  let asked = 0;
  let isOver = false;
  let thawAt = 0;
  const thawed = async () => {
    while (clock.now() < thawAt)
      await new Promise<void>((resolve) => clock.after(thawAt - clock.now(), resolve));
    if (isOver) await new Promise(() => {});
  };
  const passed = async (number: number, when: Freeze['when']) => {
    if (freeze?.at === number && freeze.when === when) thawAt = clock.now() + FROZEN_MS;
    await thawed();
  };
  const after: VirtualClock['after'] = (ms, run) => clock.after(ms, () => void thawed().then(run));

  function port<T extends object>(real: T): T {
    return new Proxy(real, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (name === 'watch' || name === 'subscribe') return () => {};
          if (name === 'transport') return port(Reflect.apply(member, target, args) as object);
          return ask(() => Reflect.apply(member, target, args));
        };
      },
    });
  }
  async function ask(act: () => unknown): Promise<unknown> {
    const number = asked++;
    await passed(number, 'before');
    try {
      return await act();
    } finally {
      await passed(number, 'after');
    }
  }
  return {
    clock: { now: () => clock.now(), after },
    asked: () => asked,
    isOver: () => isOver,
    end: () => {
      isOver = true;
    },
    onEnd: () => {},
    port,
  };
}

const origin: Origin = {
  processOf: (deployment, replica) => ({
    replica: ownerOf(deployment, replica),
    spec: (deployment.spec.groups[0] ?? raise('no group')).process,
    env: {},
    registryPassword: null,
    stopMs: deployment.spec.stopMs,
    mounts: [],
    secrets: [],
  }),
  probesOf: (deployment) => deployment.spec.probes,
  projectPass: () => async (claim) => ({ lease: claim.lease, wakeAt: null, events: [], release: true }),
};

interface Rivals {
  readonly cloud: Fake;
  readonly broken: readonly string[];
  readonly first: Freezable;
  /** A service's, or what services need around them; null: its file is gone. */
  commit(name: string, desired: DesiredService | DesiredAround | null): Promise<void>;
  run(ms: number): Promise<void>;
  runUntil(what: string, name: string, until: (state: ServiceState | null) => boolean): Promise<void>;
  events(name: string): Promise<readonly string[]>;
}

async function openRivals(freeze: Freeze | null): Promise<Rivals> {
  const clock = virtualClock(START);
  const now = () => clock.now();
  const store = openMemory({ now, id: 'shared' });
  const cloud = openFake({ seed: 1, now, name: 'local', offers: [LOCAL], endMs: 50 });
  const backends = new Map([['local', cloud]]);
  const broken: string[] = [];
  const fleets = new Map<string, FleetState>();
  /**
   * Each has proxies of its own, on its own machine; clients of a service come to those of whoever looks after it. By
   * the service's key.
   */
  const serving = new Map<string, Proxies>();
  const rules = createRules({
    live: cloud.live,
    ended: () => cloud.ended(0),
    // What is sent when a frozen process wakes cannot be called back: the sweeper ends what it makes.
    wasTaken: () => true,
    isServing: ({ endpoint }) => endpoint !== null && cloud.processAt(endpoint).kind === 'running',
    fleets: () => [...fleets.values()],
    runsAt: (endpoint) => ownerOfProcess(cloud.processAt(endpoint)),
    table: () => tableOf(serving),
    now,
    report: (_, text) => broken.push(text),
  });
  /** As it is written, whether or not the writer ever hears of it. */
  const noted = (proxies: Proxies): MemoryStore => ({
    ...store,
    async settle(settlements) {
      const lost = await store.settle(settlements);
      for (const { lease, state } of settlements)
        if (state !== undefined && !lost.has(lease.key)) note(lease.key, state, proxies);
      return lost;
    },
  });
  function note(key: string, state: unknown, proxies: Proxies): void {
    if (key === FLEET && state === null) fleets.delete(key);
    else if (key === FLEET) fleets.set(key, state as FleetState);
    else if (key.includes('/')) {
      serving.set(key, proxies);
      rules.noteState(key, state as ServiceState | null);
    }
  }
  const begin = async (life: Life) => {
    let daemon: Daemon | null = null;
    const proxies = createProxies(clock, () => daemon?.wakeMoving());
    daemon = await startDaemon(life, {
      store: noted(proxies),
      backends,
      proxies,
      origin,
      traffic: { inflight: () => 0, fact: () => ({ requests: 0, windowMs: 60_000, held: 0, quietMs: null }) },
      probe: (endpoint) =>
        cloud.healthy(endpoint) ? { ok: true, detail: '200' } : { ok: false, detail: '503' },
      boundary: () => {},
      noteSettled: () => {},
      noteDesired: () => {},
      noteFailure: (_, failure) => failure.kind === 'bug' && broken.push(failure.message),
      isSameMachine: false,
    });
  };
  const first = createFreezable(clock, freeze);
  // It may freeze at once: nobody waits for it.
  begin(first).catch(raise);
  await begin(createFreezable(clock, null));
  const tick = async (limit: number) => {
    const next = Math.min(limit, clock.nextAt() ?? limit, cloud.nextChangeAt() ?? limit);
    await clock.moveTo(Math.max(next, now()));
    await settled();
    rules.look();
  };
  return {
    cloud,
    broken,
    first,
    commit: (name, desired) => commit(store, name, desired, tick, now),
    async run(ms) {
      for (const end = now() + ms; now() < end; ) await tick(end);
    },
    async events(name) {
      const events = await store.events({ project: 'main', service: name, limit: 1_000 });
      return events.map(({ event }) => event);
    },
    async runUntil(what, name, until) {
      for (const end = now() + 600_000; ; await tick(end)) {
        const state = ((await store.load(`main/${name}`))?.state ?? null) as ServiceState | null;
        if (until(state)) return;
        if (now() >= end) throw new Error(`not in time: ${what} ${JSON.stringify(state?.waiting)}`);
      }
    },
  };
}

function tableOf(serving: ReadonlyMap<string, Proxies>): RouteTable | null {
  const tables = [...serving].flatMap(([key, proxies]) => {
    const table = proxies.table();
    const isIts = ({ project, service }: ServiceRoute) => `${project}/${service}` === key;
    return table ? [{ ...table, routes: table.routes.filter(isIts) }] : [];
  });
  const [first] = tables;
  return first ? { ...first, routes: tables.flatMap(({ routes }) => routes) } : null;
}

async function commit(
  store: MemoryStore,
  name: string,
  asked: DesiredService | DesiredAround | null,
  tick: (limit: number) => Promise<void>,
  now: () => number,
): Promise<void> {
  for (;;) {
    await store.wake(['main']);
    const [claim] = await store.claim({
      holder: 'git',
      machine: 'here',
      limit: 1,
      leaseMs: 30_000,
      keys: ['main'],
    });
    if (claim) {
      const desired = asked && ('shapes' in asked ? { service: asked, removed: false, problems: [] } : asked);
      await store.putDesired(claim.lease, [{ key: `main/${name}`, desired }], {}, []);
      await store.settle([{ lease: claim.lease, wakeAt: null, events: [], release: true }]);
      return;
    }
    await tick(now() + 1_000);
  }
}

/** A first deployment and an update; gives how much the first reconciler has asked for. */
async function story(freeze: Freeze | null): Promise<number> {
  const rivals = await openRivals(freeze);
  await rivals.commit('web', one);
  await rivals.runUntil('deployment 1 runs', 'web', isRunning(1));
  await rivals.commit('web', two);
  await rivals.runUntil('deployment 2 runs', 'web', isRunning(2));
  const asked = rivals.first.asked();
  await rivals.run(2 * FROZEN_MS);
  expect(rivals.broken).toEqual([]);
  const alive = rivals.cloud.machines().filter(({ endedAt }) => endedAt === null);
  expect(alive.map(({ tags }) => tags.shape)).toEqual([shapeOf(two)]);
  return asked;
}

/** A fleet of one machine, which goes from one service to another; what runs there last is not hurt. */
async function storyOnFleet(freeze: Freeze | null): Promise<number> {
  const rivals = await openRivals(freeze);
  await rivals.commit('fleet:pool', fleet({ nodes: { min: 1, target: 1, max: 1 } }));
  await rivals.commit('web', guest({ version: 'one' }));
  await rivals.runUntil('web runs', 'web', isRunning(1));
  await rivals.commit('web', null);
  await rivals.commit('api', guest({ name: 'api', version: 'one' }));
  await rivals.runUntil('api runs', 'api', isRunning(1));
  const asked = rivals.first.asked();
  await rivals.run(2 * FROZEN_MS);
  expect(rivals.broken).toEqual([]);
  const alive = rivals.cloud.live().map(({ tags, runs }) => [tags.replica, runs?.service]);
  expect(alive).toEqual([[expect.stringMatching(/^pool-m/), 'api']]);
  const hurt = (await rivals.events('api')).filter((event) => /lost|failed|unready|drift/.test(event));
  expect(hurt).toEqual([]);
  return asked;
}

test.each([
  ['', story],
  [' with a machine that goes from one service to another', storyOnFleet],
])(
  'two reconcilers at one store%s harm nothing, wherever one of them freezes and wakes again',
  async (_, story) => {
    const asked = await story(null);
    console.log(`rivals: ${asked} questions of the first reconciler, frozen before and after each`);
    expect(asked).toBeGreaterThan(100);
    for (let at = 0; at < asked; at += EVERY) {
      const turns =
        EVERY === 1 ? (['before', 'after'] as const) : ([at % 2 === 0 ? 'before' : 'after'] as const);
      for (const when of turns) {
        await story({ at, when }).catch((error: unknown) => {
          throw new Error(`frozen ${when} question ${at}: ${error}`);
        });
      }
    }
  },
  600_000,
);

function raise(message: unknown): never {
  throw new Error(String(message));
}
