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
import { createRules } from '../../reconciler/simulate/rules.ts';
import { type MemoryStore, openMemory } from '../../reconciler/store/memory.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { LOCAL } from '../plan/samples.ts';
import { isRunning, shapeOf, web } from './services.ts';

const START = 1_700_000_000_000;
const KEY = 'main/web';
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
  commit(service: DesiredService): Promise<void>;
  run(ms: number): Promise<void>;
  runUntil(what: string, until: (state: ServiceState | null) => boolean): Promise<void>;
}

async function openRivals(freeze: Freeze | null): Promise<Rivals> {
  const clock = virtualClock(START);
  const now = () => clock.now();
  const store = openMemory({ now, id: 'shared' });
  const cloud = openFake({ seed: 1, now, name: 'local', offers: [LOCAL], endMs: 50 });
  const backends = new Map([['local', cloud]]);
  const broken: string[] = [];
  const rules = createRules({
    live: cloud.live,
    ended: () => cloud.ended(0),
    // What is sent when a frozen process wakes cannot be called back: the sweeper ends what it makes.
    wasTaken: () => true,
    isServing: ({ endpoint }) => endpoint !== null && cloud.processAt(endpoint).kind === 'running',
    fleets: () => [],
    table: () => serving?.table() ?? null,
    now,
    report: (_, text) => broken.push(text),
  });
  /** Each has proxies of its own, on its own machine; clients come to those of whoever looks after the service. */
  let serving: Proxies | null = null;
  const begin = async (life: Life) => {
    let daemon: Daemon | null = null;
    const proxies = createProxies(clock, () => daemon?.wakeMoving());
    daemon = await startDaemon(life, {
      store,
      backends,
      proxies,
      origin,
      traffic: { inflight: () => 0, fact: () => ({ requests: 0, windowMs: 60_000, held: 0, quietMs: null }) },
      probe: (endpoint) =>
        cloud.healthy(endpoint) ? { ok: true, detail: '200' } : { ok: false, detail: '503' },
      boundary: () => {},
      noteSettled: ({ lease, state }) => {
        if (lease.key !== KEY || state === undefined) return;
        serving = proxies;
        rules.noteState(KEY, state as ServiceState | null);
      },
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
    commit: (service) => commit(store, service, tick, now),
    async run(ms) {
      for (const end = now() + ms; now() < end; ) await tick(end);
    },
    async runUntil(what, until) {
      for (const end = now() + 600_000; ; await tick(end)) {
        const state = ((await store.load(KEY))?.state ?? null) as ServiceState | null;
        if (until(state)) return;
        if (now() >= end) throw new Error(`not in time: ${what} ${JSON.stringify(state?.waiting)}`);
      }
    },
  };
}

async function commit(
  store: MemoryStore,
  service: DesiredService,
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
      const desired = { service, removed: false, problems: [] };
      await store.putDesired(claim.lease, [{ key: KEY, desired }], {}, []);
      await store.settle([{ lease: claim.lease, wakeAt: null, events: [], release: true }]);
      return;
    }
    await tick(now() + 1_000);
  }
}

/** A first deployment and an update; gives how much the first reconciler has asked for. */
async function story(freeze: Freeze | null): Promise<number> {
  const rivals = await openRivals(freeze);
  await rivals.commit(one);
  await rivals.runUntil('deployment 1 runs', isRunning(1));
  await rivals.commit(two);
  await rivals.runUntil('deployment 2 runs', isRunning(2));
  const asked = rivals.first.asked();
  await rivals.run(2 * FROZEN_MS);
  expect(rivals.broken).toEqual([]);
  const alive = rivals.cloud.machines().filter(({ endedAt }) => endedAt === null);
  expect(alive.map(({ tags }) => tags.shape)).toEqual([shapeOf(two)]);
  return asked;
}

test('two reconcilers at one store harm nothing, wherever one of them freezes and wakes again', async () => {
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
}, 600_000);

function raise(message: unknown): never {
  throw new Error(String(message));
}
