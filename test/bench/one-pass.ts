// A process of its own that looks once at every service of a store: the real loop, pass, decision, prober and vault;
// only the backend answers from memory. Speaks JSON: a `Job` as its argument, a `Report` on stdout.

import { noBoundary } from '../../reconciler/boundary.ts';
import { systemClock } from '../../reconciler/clock.ts';
import { readFleets } from '../../reconciler/fleets.ts';
import { createLoop } from '../../reconciler/loop.ts';
import { createProber } from '../../reconciler/probe.ts';
import { type ReconcileDeps, reconcile } from '../../reconciler/reconcile.ts';
import { createVault } from '../../reconciler/secrets.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import { openPglite } from '../../reconciler/store/pglite.ts';
import { openPostgres } from '../../reconciler/store/postgres.ts';
import type { Claim, Settlement, Store } from '../../reconciler/store/store.ts';
import { createVolumes } from '../../reconciler/volumes.ts';
import { peakMbOf } from './machine.ts';
import { convergedState, desiredOf, fineBackend, nameOf, OWNER, PROJECT } from './services.ts';

export interface Job {
  readonly store: 'memory' | 'pglite' | 'postgres';
  /** URL or folder; '' for memory. */
  readonly where: string;
  readonly services: number;
  /** 0: only fill the store. */
  readonly passes: number;
  readonly fill: boolean;
}

export interface Report {
  /** Milliseconds of each pass over all services. */
  readonly passes: readonly number[];
  /** Of the same loop with a pass that does nothing: what claiming and settling cost alone. */
  readonly floors: readonly number[];
  /** Peak of this process's memory. */
  readonly peakMb: number;
  /** Keys written with a new state: none, if nothing was to do. */
  readonly written: number;
  readonly events: number;
}

const MACHINE = 'bench';
const FAR_MS = 86_400_000;
const AT_ONCE = 500;

async function main(job: Job): Promise<Report> {
  const store = await openStore(job);
  try {
    if (job.fill) await fill(store, job.services);
    return await measure(store, job);
  } finally {
    await store.close();
  }
}

function openStore({ store, where }: Job): Promise<Store> {
  switch (store) {
    case 'memory':
      return Promise.resolve(openMemory());
    case 'pglite':
      return openPglite(where);
    case 'postgres':
      return openPostgres(where);
  }
}

const vault = () => createVault(Buffer.from('a key for measuring, and no secret'));

/** Puts converged services into the store, as sync and reconcile would have. */
async function fill(store: Store, services: number): Promise<void> {
  const key = vault();
  const start = Date.now();
  await store.ensureProject(PROJECT);
  for (let from = 0; from < services; from += AT_ONCE) {
    const names = indexes(from, Math.min(services, from + AT_ONCE)).map((index) => desiredOf(index, key));
    const [project] = await store.claim({ ...CLAIM, limit: 1, keys: [PROJECT] });
    if (!project) throw new Error('the project cannot be claimed');
    const changes = names.map((desired) => ({ key: keyOf(desired.service?.name ?? ''), desired }));
    await store.putDesired(project.lease, changes, {}, []);
    await store.settle([{ lease: project.lease, wakeAt: start, events: [], release: true }]);
    const claims = await store.claim({ ...CLAIM, limit: AT_ONCE, keys: changes.map(({ key }) => key) });
    await store.settle(
      claims.map(({ lease, record }) => ({
        lease,
        state: convergedState(record.desired as (typeof names)[number], start),
        machine: MACHINE,
        wakeAt: start + FAR_MS,
        events: [],
        release: true,
      })),
    );
  }
  const [project] = await store.claim({ ...CLAIM, limit: 1, keys: [PROJECT] });
  if (project) await store.settle([{ lease: project.lease, wakeAt: null, events: [], release: true }]);
}

const CLAIM = { holder: 'fill', machine: MACHINE, leaseMs: 30_000 };

async function measure(store: Store, { services, passes }: Job): Promise<Report> {
  const seen: Settlement[] = [];
  const real = reconcileDeps(store);
  const look = async (claim: Claim) => {
    const settlement = await reconcile(real.deps, claim);
    if ('state' in settlement || settlement.events.length > 0) seen.push(settlement);
    return settlement;
  };
  const nothing = async ({ lease, now }: Claim): Promise<Settlement> => ({
    lease,
    wakeAt: now + FAR_MS,
    events: [],
    release: true,
  });
  const report = { passes: [] as number[], floors: [] as number[] };
  // The first of each warms the code up.
  for (let i = 0; i <= passes && passes > 0; i += 1) {
    const [floor, pass] = [await over(store, services, nothing), await over(store, services, look)];
    if (i === 0) continue;
    report.floors.push(floor);
    report.passes.push(pass);
  }
  real.close();
  const events = seen.reduce((sum, settlement) => sum + settlement.events.length, 0);
  return {
    ...report,
    peakMb: peakMbOf('self') ?? 0,
    written: seen.filter((each) => 'state' in each).length,
    events,
  };
}

/** Makes every key due, runs the loop until each was settled once, and gives the milliseconds from its start. */
async function over(
  store: Store,
  services: number,
  pass: (claim: Claim) => Promise<Settlement>,
): Promise<number> {
  await store.wake(indexes(0, services).map((index) => keyOf(nameOf(index))));
  let settled = 0;
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const counting: Store = {
    ...store,
    async settle(settlements) {
      const lost = await store.settle(settlements);
      settled += settlements.length - lost.size;
      if (settled >= services) done();
      return lost;
    },
  };
  const started = performance.now();
  const loop = createLoop({
    store: counting,
    clock: systemClock,
    holder: MACHINE,
    machine: MACHINE,
    pass,
    onFailure: (key, failure) => {
      throw new Error(`${key}: ${failure.message}`, { cause: failure });
    },
    onRecovery: () => {},
  });
  loop.start();
  loop.start();
  await all;
  const ms = performance.now() - started;
  await loop.stop();
  return ms;
}

function reconcileDeps(store: Store): { readonly deps: ReconcileDeps; close(): void } {
  const key = vault();
  const prober = createProber({
    clock: systemClock,
    now: Date.now,
    probesOf: (deployment) => key.open(deployment.sealed).probes,
    wake: () => {},
    send: async () => ({ ok: true, detail: '200' }),
  });
  const deps: ReconcileDeps = {
    owner: OWNER,
    machine: MACHINE,
    backends: new Map([['local', fineBackend()]]),
    takeProbes: (service) => prober.take(service),
    published: () => Number.MAX_SAFE_INTEGER,
    inflight: () => 0,
    publish: () => {},
    processOf: () => {
      throw new Error('nothing is to be started');
    },
    fleets: readFleets({ project: 'main', store, wake: () => {} }),
    volumes: createVolumes({ project: 'main', store }),
    store,
    clock: systemClock,
    boundary: noBoundary,
    noteState: (service, state) => prober.watch(service, state),
  };
  return { deps, close: () => prober.close() };
}

const keyOf = (name: string) => `${PROJECT}/${name}`;

const indexes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as Job)));
process.exit(0);
