// The one composition root: makes every part from the configuration, connects them, and ends them in order.
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import type { Backend } from '../backends/backend.ts';
import { openLocal } from '../backends/local/local.ts';
import { type Fleet, startFleet } from '../proxy/fleet.ts';
import { preparePlace } from '../proxy/place.ts';
import type { GroupSpec, Placement } from '../schemas/desired.ts';
import { asFailure, type Failure } from '../schemas/errors.ts';
import type { Offer } from '../schemas/offer.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { createApi } from './api.ts';
import { noBoundary } from './boundary.ts';
import { writeAddress } from './cli/address.ts';
import { systemClock } from './clock.ts';
import type { ProjectConfig, ServerConfig } from './config.ts';
import { type Console, createConsole } from './console.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { endEverything } from './end.ts';
import { acquire } from './lock.ts';
import { startLoop } from './loop.ts';
import { createPlanner } from './planner.ts';
import { createProber } from './probe.ts';
import { processRequest } from './process-request.ts';
import { createPublisher } from './publish.ts';
import { type ReconcileDeps, reconcile } from './reconcile.ts';
import { replicaLogs } from './replica-logs.ts';
import { createVault, loadKey, type Vault } from './secrets.ts';
import { openSource, type Source } from './source/git.ts';
import type { Store } from './store/store.ts';
import { sweep } from './sweep.ts';
import { createSync } from './sync.ts';
import { loadTokens } from './tokens.ts';
import { createWebhook } from './webhook.ts';

const SWEEP_MS = 60_000;
const PRUNE_MS = 3_600_000;
const EVENT_AGE_MS = 30 * 86_400_000;
/** A local repository is asked this often even if its files do not seem to change. */
const LOCAL_POLL_MS = 5_000;

/** Runs the daemon until it is told to end: SIGTERM leaves proxies and replicas running, Ctrl-C ends them too. */
export async function serve(config: ServerConfig): Promise<void> {
  const env = process.env;
  const console = createConsole(process.stdout, env);
  const dataDir = openDataDir(config.dataDir, env);
  if (config.stop) return stopLeftovers(config, dataDir, console);
  const end = untilToldToEnd(config.detachOnExit);
  const listen = `${config.listen.host.includes(':') ? `[${config.listen.host}]` : config.listen.host}:${config.listen.port}`;
  const lock = await acquire(dataDir.path, { url: config.listen.port === 0 ? '' : `http://${listen}` });
  const closers: (() => unknown)[] = [() => lock.release()];
  try {
    const daemon = await start(config, dataDir, listen, console, env, closers);
    const how = await end.told;
    console.note(
      how === 'everything'
        ? 'Ending everything (Ctrl-C again: at once)'
        : 'Ending the daemon; proxies and replicas go on',
    );
    await daemon.stop(how === 'everything', end.hurry);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
  // Whatever may still hold a handle, the daemon is over.
  process.exit(process.exitCode ?? 0);
}

// Private

interface Daemon {
  stop(everything: boolean, hurry: AbortSignal): Promise<void>;
}

interface Project {
  readonly config: ProjectConfig;
  readonly source: Source;
  /** The backends this project may use. */
  readonly backends: ReadonlyMap<string, Backend>;
}

async function start(
  config: ServerConfig,
  dataDir: DataDir,
  listen: string,
  console: Console,
  env: NodeJS.ProcessEnv,
  closers: (() => unknown)[],
): Promise<Daemon> {
  const tokens = await loadTokens(dataDir.path, env);
  const vault = createVault(loadKey(dataDir.path, env));
  const store = await openStore(config, dataDir);
  closers.push(() => store.close());
  const local = await openLocal({
    dir: join(dataDir.path, 'replicas'),
    machine: dataDir.machine,
    slots: config.slots,
  });
  closers.push(() => local.close());
  const projects = await openProjects(config, dataDir, local);
  closers.push(() => {
    for (const { source } of projects) source.close();
  });
  const backends = new Map([[local.name, local]]);
  const entries = [...tokens.entries, ...config.tokens];

  const { sockets } = await preparePlace(dataDir.path);
  const apiSocket = join(sockets, 'api.sock');
  const moving = new Set<string>();
  const log = (line: string) => console.note(line);
  const fleet = await startFleet({
    dataDir: dataDir.path,
    listen,
    count: config.proxies,
    apiSocket,
    onChange: () => {
      for (const key of moving) loop.wake(key);
    },
    log,
  });
  closers.push(() => fleet.detach());
  const publisher = createPublisher({
    store: store.id,
    epoch: await store.nextEpoch(),
    tokens: entries.filter(({ scopes }) => scopes.includes('call') || scopes.includes('admin')),
    clock: systemClock,
    push: (table) => fleet.push(table),
  });
  closers.push(() => publisher.close());
  const prober = createProber({
    clock: systemClock,
    now: Date.now,
    probesOf: (deployment) => vault.open(deployment.sealed).probes,
    wake: (key) => loop.wake(key),
  });
  closers.push(() => prober.close());

  const reconcileDeps = (project: Project): ReconcileDeps => ({
    owner: dataDir.owner,
    machine: dataDir.machine,
    backends: project.backends,
    takeProbes: (key) => prober.take(key),
    published: (key) => fleet.published().get(key) ?? -1,
    inflight: (name, replica) => fleet.inflight(name, replica),
    publish: (key, route) => publisher.set(key, route),
    processOf: (deployment, replica, name) =>
      processRequest(vault, project.source, deployment, replica, name),
    store,
    clock: systemClock,
    boundary: noBoundary,
    noteState(key, state) {
      prober.watch(key, state);
      if (state === null) publisher.set(key, null);
      if (state?.waiting.some(({ reason }) => reason === 'publish' || reason === 'drain')) moving.add(key);
      else moving.delete(key);
    },
  });
  const passes = new Map(
    projects.map((project) => {
      const sync = createSync({
        project: project.config.name,
        source: project.source,
        store,
        secrets: project.config.secrets,
        vault,
        refusal: refusalOf(project.backends),
        pollMs: project.source.isLocal
          ? Math.min(LOCAL_POLL_MS, project.config.pollMs)
          : project.config.pollMs,
        random: Math.random,
        boundary: noBoundary,
      });
      return [project.config.name, { sync, deps: reconcileDeps(project) }] as const;
    }),
  );
  // The lock of the data dir says so: whoever held leases for this machine before is dead.
  await store.endLeases(dataDir.machine);
  await restore(store, projects, publisher.set, (key, state) => prober.watch(key, state));
  publisher.flush();

  for (const { config: project } of projects) await store.ensureProject(project.name);
  await console.follow(
    store,
    projects.map(({ config: project }) => project.name),
  );
  closers.push(() => console.stop());
  let storeFailure: string | null = null;
  const loop = startLoop({
    store,
    clock: systemClock,
    holder: dataDir.machine,
    machine: dataDir.machine,
    pass: (claim) => {
      const project = passes.get(claim.record.project);
      if (!project) throw new Error(`project ${claim.record.project} is not configured here`);
      return claim.record.service === '' ? project.sync(claim) : reconcile(project.deps, claim);
    },
    onFailure(key, failure) {
      if (key === null) storeFailure = failure.message;
      log(failureText(key, failure));
    },
    onRecovery() {
      storeFailure = null;
      log('the database answers again');
    },
  });
  closers.push(() => loop.stop());
  for (const { config: project, source } of projects) {
    loop.wake(project.name);
    closers.push(source.watch(() => loop.wake(project.name)));
  }
  closers.push(local.watch(({ project, service }) => loop.wake(`${project}/${service}`)));
  closers.push(
    every(
      SWEEP_MS,
      () => sweep({ owner: dataDir.owner, backends, store, projects: [...passes.keys()] }),
      log,
    ),
  );
  closers.push(every(PRUNE_MS, () => prune(store, projects), log));

  const urlOf = (project: string, service: string) => `${fleet.url}/proxy/services/${project}/${service}/`;
  const api = createApi({
    store,
    tokens: entries,
    projects: [...passes.keys()],
    page: config.page,
    unready: () => storeFailure,
    urlOf,
    logs: (request) => replicaLogs({ store, backends }, request),
    plan: createPlanner({
      store,
      wanted: (name) => wantedOptions(projects, name, vault),
      offers: (name, placement) => offersOf(projectNamed(projects, name).backends, placement),
    }),
    webhook: webhooksOf(projects, (name) => loop.wake(name)),
    report: (error) => log(`error: ${error.stack ?? error.message}`),
  });
  const server = await listenOn(apiSocket, getRequestListener(api.fetch));
  closers.push(() => closeServer(server));
  writeAddress(dataDir.path, { url: fleet.url, token: tokens.admin });
  console.greet({
    url: fleet.url,
    store: store.kind,
    dataDir: config.dataDir,
    sources: projects.map(({ config: project, source }) => ({ project: project.name, source })),
    callToken: tokens.call,
    isTour: projects.some(({ config: project }) => project.path === 'examples'),
  });
  return {
    stop: (everything, hurry) => stopDaemon({ everything, hurry, loop, fleet, backends, dataDir, log }),
  };
}

async function openStore(config: ServerConfig, dataDir: DataDir): Promise<Store> {
  if (config.databaseUrl) return (await import('./store/postgres.ts')).openPostgres(config.databaseUrl);
  return (await import('./store/pglite.ts')).openPglite(join(dataDir.path, 'db'));
}

function openProjects(config: ServerConfig, dataDir: DataDir, local: Backend): Promise<Project[]> {
  return Promise.all(
    config.projects.map(async (project) => {
      const source = await openSource({
        repo: project.repo.kind === 'local' ? project.repo.path : project.repo.url,
        dir: join(dataDir.path, 'git', project.name),
        ...(project.branch === null ? {} : { branch: project.branch }),
        ...(project.path === '.' ? {} : { path: project.path }),
        ...(project.gitToken === null ? {} : { token: project.gitToken }),
      });
      return { config: project, source, backends: new Map(project.local ? [[local.name, local]] : []) };
    }),
  );
}

/** Proxies and probes go on from what is stored, before the first pass. */
async function restore(
  store: Store,
  projects: readonly Project[],
  setRoute: (key: string, route: ServiceState['route']) => void,
  watch: (key: string, state: ServiceState) => void,
): Promise<void> {
  for (const { config } of projects) {
    for (const { key, service, state } of await store.list(config.name)) {
      if (service === '' || !state) continue;
      setRoute(key, (state as ServiceState).route);
      watch(key, state as ServiceState);
    }
  }
}

/** A process that every backend refuses is a problem of its file; the first backend's reason is given. */
function refusalOf(backends: ReadonlyMap<string, Backend>) {
  return ({ process }: GroupSpec) => {
    const path = process.image === null ? 'commands' : 'image';
    if (backends.size === 0) {
      return {
        path: '',
        message: 'no backend is configured for this project',
        fix: 'start with --backend local, or configure one',
      };
    }
    const refusals = [...backends.values()].map((backend) => backend.refuses(process));
    const [first] = refusals;
    return first && refusals.every((refusal) => refusal !== null) ? { path, ...first } : null;
  };
}

async function offersOf(backends: ReadonlyMap<string, Backend>, placement: Placement): Promise<Offer[]> {
  const lists = await Promise.all(
    [...backends.values()].map((backend) => backend.offers(placement).catch(() => [])),
  );
  return lists.flat().toSorted((a, b) => a.price - b.price);
}

function projectNamed(projects: readonly Project[], name: string): Project {
  const project = projects.find(({ config }) => config.name === name);
  if (!project) throw new Error(`project ${name} is not configured`);
  return project;
}

function wantedOptions(projects: readonly Project[], name: string, vault: Vault) {
  const { config, source, backends } = projectNamed(projects, name);
  return {
    root: source.path(),
    secrets: config.secrets,
    vault,
    refusal: refusalOf(backends),
    async mountIds(paths: readonly string[]) {
      const newest = await source.fetch();
      const ids = new Map<string, string | null>();
      for (const path of paths) {
        const object = await source.object(newest.commit, path);
        ids.set(path, object && `${object.mode}:${object.id}`);
      }
      return ids;
    },
  };
}

function webhooksOf(projects: readonly Project[], wake: (project: string) => void) {
  const hooks = new Map(
    projects.flatMap(({ config, source }) =>
      config.webhookSecret === null
        ? []
        : [
            [
              config.name,
              createWebhook({
                secret: config.webhookSecret,
                branch: source.branch,
                wake: () => wake(config.name),
              }),
            ] as const,
          ],
    ),
  );
  return (project: string) => hooks.get(project) ?? null;
}

/** Forgets old events, and commits that no deployment needs any more. */
async function prune(store: Store, projects: readonly Project[]): Promise<void> {
  await store.pruneEvents((await store.now()) - EVENT_AGE_MS);
  for (const { config, source } of projects) {
    const states = (await store.list(config.name)).flatMap(({ service, state }) =>
      service && state ? [state as ServiceState] : [],
    );
    await source.keep([
      ...new Set(states.flatMap(({ deployments }) => deployments.map(({ commit }) => commit))),
    ]);
  }
}

function every(ms: number, work: () => Promise<void>, log: (line: string) => void): () => void {
  const run = () => void work().catch((error: unknown) => log(failureText(null, asFailure(error))));
  const timer = setInterval(run, ms);
  run();
  return () => clearInterval(timer);
}

function failureText(key: string | null, failure: Failure): string {
  const fix = failure.fix ? `. ${failure.fix}` : '';
  const trace =
    failure.kind === 'bug' ? `\n${(failure.cause as Error | undefined)?.stack ?? failure.stack}` : '';
  return `${key ? `${key}: ` : ''}${failure.message}${fix}${trace}`;
}

async function listenOn(socket: string, listener: Parameters<typeof createServer>[1]): Promise<Server> {
  const { rm } = await import('node:fs/promises');
  await rm(socket, { force: true });
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return server;
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}

interface StopOptions {
  readonly everything: boolean;
  readonly hurry: AbortSignal;
  readonly loop: { stop(): Promise<void> };
  readonly fleet: Fleet;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly dataDir: DataDir;
  readonly log: (line: string) => void;
}

async function stopDaemon({
  everything,
  hurry,
  loop,
  fleet,
  backends,
  dataDir,
  log,
}: StopOptions): Promise<void> {
  await loop.stop();
  if (!everything) return;
  log('  ends the proxies');
  await fleet.stop(hurry.aborted ? 0 : 2_000);
  await endEverything({ backends: [...backends.values()], owner: dataDir.owner, say: log, hurry });
}

/** `serve --stop`: ends the daemon of the data dir if one runs, then what it left. */
async function stopLeftovers(config: ServerConfig, dataDir: DataDir, console: Console): Promise<void> {
  const { lockOwner } = await import('./lock.ts');
  const { isRunning } = await import('../backends/host/process-identity.ts');
  const { stopProxies } = await import('../proxy/fleet.ts');
  const owner = await lockOwner(dataDir.path);
  if (owner) {
    console.note(`  ends the daemon, pid ${owner.pid}`);
    process.kill(owner.pid, 'SIGTERM');
    while (isRunning(owner)) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const lock = await acquire(dataDir.path, { url: '' });
  try {
    await stopProxies(dataDir.path, (line) => console.note(`  ${line}`));
    const local = await openLocal({
      dir: join(dataDir.path, 'replicas'),
      machine: dataDir.machine,
      slots: config.slots,
    });
    const hurry = new AbortController().signal;
    await endEverything({
      backends: [local],
      owner: dataDir.owner,
      say: (line) => console.note(line),
      hurry,
    });
    await local.close();
  } finally {
    await lock.release();
  }
  console.note('Nothing of this data dir runs any more.');
}

/** SIGINT: everything ends, unless told otherwise; a second one does not wait. SIGTERM: the daemon ends. */
function untilToldToEnd(detachOnExit: boolean) {
  const hurry = new AbortController();
  const told = new Promise<'daemon' | 'everything'>((resolve) => {
    process.once('SIGTERM', () => resolve('daemon'));
    process.once('SIGHUP', () => resolve('daemon'));
    process.once('SIGINT', () => {
      process.on('SIGINT', () => hurry.abort());
      resolve(detachOnExit ? 'daemon' : 'everything');
    });
  });
  return { told, hurry: hurry.signal };
}
