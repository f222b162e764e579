// What moves: the loop and its passes, the proxies and their table, the prober, the sweeper.
import { join } from 'node:path';
import { type Fleet, startFleet } from '../../proxy/fleet.ts';
import { preparePlace } from '../../proxy/place.ts';
import type { DesiredRecord } from '../../schemas/desired.ts';
import { asFailure, type Failure } from '../../schemas/errors.ts';
import type { ProjectState } from '../../schemas/project.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { noBoundary } from '../boundary.ts';
import { systemClock } from '../clock.ts';
import { createFinder } from '../found.ts';
import { createLoop, type Loop } from '../loop.ts';
import { type Ask, priceOfMachine, priceOfSpec } from '../markets.ts';
import { createPasses } from '../passes.ts';
import { createProber, type Prober } from '../probe.ts';
import { processRequest } from '../process-request.ts';
import { createPublisher, type Publisher } from '../publish.ts';
import { createQueue, type Queue } from '../queue.ts';
import type { Reporter } from '../report/reporter.ts';
import type { Claim, Settlement } from '../store/store.ts';
import { sweep } from '../sweep.ts';
import { createSync, requireKey } from '../sync.ts';
import type { Closing } from './closing.ts';
import type { Ground } from './ground.ts';
import { lastingOf, marketOf, type Project, refusalOf } from './projects.ts';
import { openReporters } from './reports.ts';

export interface Engine {
  readonly loop: Loop;
  readonly fleet: Fleet;
  readonly apiSocket: string;
  /** Of the projects whose commits get their statuses from here. */
  readonly reporters: ReadonlyMap<string, Reporter>;
  /** Why work is held up; null when it is not. */
  readonly trouble: () => string | null;
  /** Begins to work, with what is stored as the starting point. */
  start(): Promise<void>;
}

const SWEEP_MS = 60_000;
const PRUNE_MS = 3_600_000;
const EVENT_AGE_MS = 30 * 86_400_000;
/** A plan that has expired is kept a while longer: an apply that names it then hears why. */
const EXPIRED_AGE_MS = 86_400_000;
/** A local repository is asked this often even if its files do not seem to change. */
const LOCAL_POLL_MS = 5_000;

/** Makes everything and adopts the proxies that run; nothing is decided before `start`. */
export async function createEngine(
  ground: Ground,
  listen: string,
  log: (line: string) => void,
  closing: Closing,
): Promise<Engine> {
  const { store, vault, dataDir, projects } = ground;
  const passes = new Map<string, Pass>();
  const trouble = createTrouble(log);
  const loop = createLoop({
    store,
    clock: systemClock,
    holder: dataDir.machine,
    machine: dataDir.machine,
    projects: [...projects.keys()],
    pass: async (claim) => (passes.get(claim.record.project) ?? notOurs)(claim),
    ...trouble.handlers,
  });
  const moving = new Set<string>();
  const queue = createQueue(systemClock);
  const { sockets } = await preparePlace(dataDir.path);
  const apiSocket = join(sockets, 'api.sock');
  const fleet = await startFleet({
    dataDir: dataDir.path,
    listen,
    count: ground.config.proxies,
    apiSocket,
    onChange: () => {
      for (const key of moving) loop.wake(key);
    },
    onHeld: (project, service) => loop.wake(`${project}/${service}`),
    log,
  });
  closing.add(() => fleet.detach());
  const publisher = createPublisher({
    store: store.id,
    epoch: await store.nextEpoch(),
    tokens: ground.tokens.filter(({ scopes }) => scopes.includes('call') || scopes.includes('admin')),
    clock: systemClock,
    push: (table) => fleet.push(table),
  });
  closing.add(() => publisher.close());
  const prober = createProber({
    clock: systemClock,
    now: Date.now,
    probesOf: (deployment) => vault.open(deployment.sealed).probes,
    wake: (key) => loop.wake(key),
  });
  closing.add(() => prober.close());
  for (const project of projects.values()) {
    passes.set(
      project.config.name,
      passOf(ground, project, { fleet, prober, publisher, queue, moving, wake: loop.wake }),
    );
  }
  const reporters = await openReporters(ground, fleet.url, log, closing);
  return {
    loop,
    fleet,
    apiSocket,
    reporters,
    trouble: trouble.now,
    async start() {
      // The lock of the data dir says so: whoever held leases for this machine before is dead.
      await store.endLeases(dataDir.machine);
      for (const name of projects.keys()) requireKey(await projectState(store, name), vault);
      await restore(ground, loop, { prober, publisher, queue });
      for (const name of projects.keys()) await store.ensureProject(name);
      closing.add(() => loop.stop());
      loop.start();
      wakeOnEvents(ground, loop, closing);
      for (const reporter of reporters.values()) reporter.start();
      closing.add(
        every(
          SWEEP_MS,
          () => sweep({ ...ground, owner: dataDir.owner, projects: [...projects.keys()] }),
          log,
        ),
      );
      closing.add(every(PRUNE_MS, () => prune(ground), log));
    },
  };
}

// Private

async function projectState(store: Ground['store'], project: string): Promise<Partial<ProjectState>> {
  return ((await store.load(project))?.state ?? {}) as Partial<ProjectState>;
}

type Pass = (claim: Claim) => Promise<Settlement>;

function notOurs({ record }: Claim): never {
  throw new Error(`project ${record.project} is in the database, but not in this server's configuration`);
}

interface Parts {
  readonly fleet: Fleet;
  readonly prober: Prober;
  readonly publisher: Publisher;
  readonly queue: Queue;
  /** Keys whose next move depends on the proxies: woken when those have something new. */
  readonly moving: Set<string>;
  readonly wake: (key: string) => void;
}

/** The pass of a project's keys. */
function passOf(
  { dataDir, store, vault }: Ground,
  project: Project,
  { fleet, prober, publisher, queue, moving, wake }: Parts,
): Pass {
  const { config, source, backends } = project;
  const ask: Ask = (placement) => marketOf(project, placement);
  const lasting = lastingOf(project);
  const sync = createSync({
    project: config.name,
    source,
    store,
    secrets: config.secrets,
    vault,
    refusal: refusalOf(backends),
    apply: config.apply,
    approved: async (name) => (await store.approval(name))?.commit ?? null,
    priceOf: (spec, standing) => priceOfSpec(spec, ask, { ...standing, ...lasting }),
    priceOfMachine: (spec) => priceOfMachine(spec, ask, lasting),
    pollMs: source.isLocal ? Math.min(LOCAL_POLL_MS, config.pollMs) : config.pollMs,
    random: Math.random,
    boundary: noBoundary,
  });
  return createPasses({
    project: config.name,
    sync,
    owner: dataDir.owner,
    machine: dataDir.machine,
    backends,
    takeProbes: (key) => prober.take(key),
    published: (key) => fleet.published().get(key) ?? -1,
    inflight: (name, replica) => fleet.inflight(name, replica),
    traffic: (name, service, group, windowMs) => fleet.traffic(name, service, group, windowMs),
    queue,
    find: createFinder({ owner: dataDir.owner, backends, clock: systemClock }),
    publish: (key, route) => publisher.set(key, route),
    processOf: (deployment, replica, name) => processRequest(vault, source, deployment, replica, name),
    store,
    clock: systemClock,
    boundary: noBoundary,
    wake,
    noteState(key, state) {
      queue.note(key, state);
      prober.watch(key, state);
      if (state === null) publisher.set(key, null);
      if (state?.waiting.some(({ reason }) => reason === 'publish' || reason === 'drain')) moving.add(key);
      else moving.delete(key);
    },
  });
}

/** Proxies and probes go on from what is stored, before the first pass; every service gets one. */
async function restore(
  { store, projects }: Ground,
  loop: Loop,
  { prober, publisher, queue }: Pick<Parts, 'prober' | 'publisher' | 'queue'>,
): Promise<void> {
  for (const name of projects.keys()) {
    for (const { key, service, state } of await store.list(name)) {
      if (service === '' || !state) continue;
      queue.note(key, state as ServiceState);
      publisher.set(key, (state as ServiceState).route);
      prober.watch(key, state as ServiceState);
      loop.wake(key);
    }
    for (const { key } of await store.around(name)) loop.wake(key);
  }
  publisher.flush();
}

function wakeOnEvents({ projects, backends }: Ground, loop: Loop, closing: Closing): void {
  for (const [name, { source }] of projects) {
    loop.wake(name);
    closing.add(source.watch(() => loop.wake(name)));
  }
  for (const backend of backends.values()) {
    closing.add(backend.watch(({ project, service }) => loop.wake(`${project}/${service}`)));
  }
}

/** Forgets old events and plans, and commits that nothing deployed or wished for needs any more. */
async function prune({ store, projects }: Ground): Promise<void> {
  const now = await store.now();
  await store.pruneEvents(now - EVENT_AGE_MS);
  await store.pruneQuotes(now - EXPIRED_AGE_MS);
  for (const [name, { source }] of projects) {
    const records = (await store.list(name)).filter(({ service }) => service !== '');
    const inUse = records.flatMap(({ desired, state }) => [
      (desired as DesiredRecord | null)?.service ?? [],
      (state as ServiceState | null)?.deployments ?? [],
    ]);
    const commits = inUse.flat().map(({ commit }) => commit);
    await source.keep([...new Set(commits)]);
  }
}

function every(ms: number, work: () => Promise<void>, log: (line: string) => void): () => void {
  const run = () => void work().catch((error: unknown) => log(failureText(null, asFailure(error))));
  const timer = setInterval(run, ms);
  run();
  return () => clearInterval(timer);
}

/** Tells of failures of passes and of the store, and remembers the store's while it lasts. */
function createTrouble(log: (line: string) => void) {
  let storeFailure: string | null = null;
  return {
    now: () => storeFailure,
    handlers: {
      onFailure(key: string | null, failure: Failure) {
        if (key === null) storeFailure = failure.message;
        log(failureText(key, failure));
      },
      onRecovery() {
        storeFailure = null;
        log('the database answers again');
      },
    },
  };
}

function failureText(key: string | null, failure: Failure): string {
  const fix = failure.fix ? `. ${failure.fix}` : '';
  const cause = failure.cause instanceof Error ? failure.cause : failure;
  return `${key ? `${key}: ` : ''}${failure.message}${fix}${failure.kind === 'bug' ? `\n${cause.stack}` : ''}`;
}
