// A process of its own in which many services run on a virtual clock, and some of them get a new version every minute: the
// real loop, pass, decision, checker and prober; backend and probes answer at once, from memory. Speaks JSON: a
// `SteadyJob` as its argument, a `SteadyReport` on stdout.

import type { Backend } from '../../backends/backend.ts';
import { noBoundary } from '../../reconciler/boundary.ts';
import { readFleets } from '../../reconciler/fleets.ts';
import { createLoop } from '../../reconciler/loop.ts';
import { createProber } from '../../reconciler/probe.ts';
import { ownerOf } from '../../reconciler/process-request.ts';
import { type ReconcileDeps, reconcile } from '../../reconciler/reconcile.ts';
import { virtualClock } from '../../reconciler/simulate/clock.ts';
import { type MemoryStore, openMemory } from '../../reconciler/store/memory.ts';
import { createVolumes } from '../../reconciler/volumes.ts';
import type { Instance } from '../../schemas/actual.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import { Failure } from '../../schemas/errors.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { web } from '../simulation/services.ts';
import { peakMbOf } from './machine.ts';
import { convergedState, fineBackend, nameOf, OWNER, PROJECT } from './services.ts';

export interface SteadyJob {
  readonly services: number;
  readonly minutes: number;
  readonly changingPercent: number;
}

export interface SteadyReport {
  readonly services: number;
  readonly changes: number;
  readonly passes: number;
  readonly minutes: readonly { readonly cpuMs: number; readonly wallMs: number }[];
  readonly peakMb: number;
}

const START = Date.parse('2026-01-01T00:00:00Z');
const MINUTE = 60_000;
const CLAIM = { holder: 'git', machine: 'bench', leaseMs: 30_000 };

async function main({ services, minutes, changingPercent }: SteadyJob): Promise<SteadyReport> {
  const clock = virtualClock(START);
  const store = openMemory({ now: clock.now });
  await store.ensureProject(PROJECT);
  const names = Array.from({ length: services }, (_, i) => nameOf(i));
  await fill(store, names);
  let passes = 0;
  const prober = createProber({
    clock,
    now: clock.now,
    probesOf: ({ spec }) => spec.probes,
    wake: (key) => loop.wake(key),
    send: async () => ({ ok: true, detail: '200' }),
  });
  const deps: ReconcileDeps = {
    owner: OWNER,
    machine: CLAIM.machine,
    backends: new Map([['local', mortal(fineBackend())]]),
    takeProbes: prober.take,
    published: () => Number.MAX_SAFE_INTEGER,
    inflight: () => 0,
    publish: () => {},
    processOf: (deployment, replica) => ({
      replica: ownerOf(deployment, replica),
      spec: deployment.spec.groups[0]?.process ?? raise('no group'),
      env: {},
      registryPassword: null,
      stopMs: deployment.spec.stopMs,
      mounts: [],
      secrets: [],
    }),
    fleets: readFleets({ project: 'main', store, wake: () => {} }),
    volumes: createVolumes({ project: 'main', store }),
    store,
    clock,
    boundary: noBoundary,
    noteState: prober.watch,
  };
  const loop = createLoop({
    store,
    clock,
    holder: 'bench',
    machine: CLAIM.machine,
    projects: [PROJECT],
    pass: (claim) => {
      passes += 1;
      return claim.record.service === ''
        ? Promise.resolve({ lease: claim.lease, wakeAt: null, events: [], release: true })
        : reconcile(deps, claim);
    },
    onFailure: (key, failure) => raise(`${key}: ${failure.message}`),
    onRecovery: () => {},
  });
  for (const { key, state, service } of await store.list(PROJECT))
    if (service !== '') prober.watch(key, state as ServiceState);
  loop.start();
  const measured: { cpuMs: number; wallMs: number }[] = [];
  const changing = Math.round((services * changingPercent) / 100);
  for (let minute = 0; minute < minutes; minute++) {
    const [cpu, wall] = [process.cpuUsage(), performance.now()];
    for (let i = 0; i < changing; i++) {
      const name = names[(minute * changing + i) % names.length] ?? '';
      await put(store, [versionOf(name, minute + 2)]);
      await clock.moveTo(START + minute * MINUTE + ((i + 1) * MINUTE) / changing);
    }
    await clock.moveTo(START + (minute + 1) * MINUTE);
    const { user, system } = process.cpuUsage(cpu);
    measured.push({ cpuMs: (user + system) / 1000, wallMs: performance.now() - wall });
  }
  await clock.moveTo(clock.now() + MINUTE);
  await verify(store, names);
  return { services, changes: changing * minutes, passes, minutes: measured, peakMb: peakMbOf('self') ?? 0 };
}

function versionOf(name: string, version: number): DesiredService {
  const base = web(`v${version}`, 1);
  return { ...base, name, spec: { ...base.spec, name, probes: base.spec.probes.map(everyHalfMinute) } };
}

function everyHalfMinute<Probe extends { readonly intervalMs: number }>(probe: Probe): Probe {
  return { ...probe, intervalMs: 30_000 };
}

async function fill(store: MemoryStore, names: readonly string[]): Promise<void> {
  const desired = names.map((name) => versionOf(name, 1));
  await put(store, desired);
  const claims = await store.claim({ ...CLAIM, limit: names.length });
  const services = new Map(desired.map((service) => [`${PROJECT}/${service.name}`, service]));
  await store.settle(
    claims.map(({ lease, record }) => {
      const service = services.get(record.key);
      const state = service && convergedState({ service, removed: false, problems: [] }, START - MINUTE);
      // As they would be after a while: each has its own moment.
      const wakeAt = START + Math.floor(Math.random() * 300_000);
      return { lease, ...(state && { state, machine: CLAIM.machine }), wakeAt, events: [], release: true };
    }),
  );
}

/** As a commit that touches these. */
async function put(store: MemoryStore, desired: readonly DesiredService[]): Promise<void> {
  await store.wake([PROJECT]);
  const [project] = await store.claim({ ...CLAIM, limit: 1, keys: [PROJECT] });
  if (!project) return raise('somebody else holds the project');
  const changes = desired.map((service) => ({
    key: `${PROJECT}/${service.name}`,
    desired: { service, removed: false, problems: [] },
  }));
  await store.putDesired(project.lease, changes, {}, []);
  await store.settle([{ lease: project.lease, wakeAt: null, events: [], release: true }]);
}

/** Instances that are ended are gone, and processes that are stopped have exited. */
function mortal(backend: Backend): Backend {
  const [ended, stopped] = [new Set<string>(), new Set<string>()];
  return {
    ...backend,
    get: async (id) => (ended.has(id) ? null : backend.get(id)),
    async terminate(id) {
      if (ended.has(id)) throw new Failure('not-found', `there is no ${id}`);
      ended.add(id);
    },
    transport: (instance: Instance) => ({
      ...backend.transport(instance),
      async stop() {
        stopped.add(instance.id);
      },
      status: async () =>
        stopped.has(instance.id)
          ? { kind: 'exited', code: 0, signal: null, at: 0, detail: '', log: [] }
          : backend.transport(instance).status(),
    }),
  };
}

/** What is measured is a system that works. */
async function verify(store: MemoryStore, names: readonly string[]): Promise<void> {
  const records = await store.list(PROJECT);
  const running = records.filter(({ state }) => (state as ServiceState | null)?.status === 'running');
  if (running.length !== names.length) raise(`${running.length} of ${names.length} services run`);
}

function raise(message: string): never {
  throw new Error(message);
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as SteadyJob)));
