// The daemon's life: the ground it stands on, the engine, the front; then it waits to be told to end.
// With `serve/`, the one composition root: only here are backends, proxies and stores made.
import type { ServerConfig } from './config.ts';
import { createConsole } from './console.ts';
import { openDataDir } from './data-dir.ts';
import { endEverything } from './end.ts';
import { acquire } from './lock.ts';
import { type Closing, createClosing } from './serve/closing.ts';
import { createEngine, type Engine } from './serve/engine.ts';
import { openFront } from './serve/front.ts';
import { type Ground, openGround } from './serve/ground.ts';
import { stopLeftovers } from './serve/leftovers.ts';
import { parkServices } from './serve/park.ts';

/** Runs the daemon until it is told to end: SIGTERM leaves proxies and replicas running, Ctrl-C ends them too. */
export async function serve(config: ServerConfig): Promise<void> {
  const console = createConsole(process.stdout, process.env);
  const dataDir = openDataDir(config.dataDir, process.env);
  if (config.stop) return stopLeftovers(config, dataDir, console.note);
  const { told, hurry } = untilToldToEnd(config.detachOnExit);
  // One part's slip must not end all the others.
  process.on('unhandledRejection', (error) => console.note(`error: ${(error as Error)?.stack ?? error}`));
  const closing = createClosing((error) => console.note(`while ending: ${error}`));
  const listen = addressText(config.listen);
  const lock = await acquire(dataDir.path, { url: config.listen.port === 0 ? '' : `http://${listen}` });
  closing.add(() => lock.release());
  try {
    const ground = await openGround(config, dataDir, process.env, closing);
    const engine = await createEngine(ground, listen, console.note, closing);
    await open(ground, engine, console, closing);
    const how = await told;
    console.note(
      how === 'everything'
        ? 'Ending everything (Ctrl-C again: at once)'
        : 'Ending the daemon; proxies and replicas go on',
    );
    await engine.loop.stop();
    if (how === 'everything') await endAll(ground, engine, console.note, hurry);
  } finally {
    await closing.run();
  }
  // Whatever may still hold a handle, the daemon is over.
  process.exit(process.exitCode ?? 0);
}

// Private

async function open(
  ground: Ground,
  engine: Engine,
  console: ReturnType<typeof createConsole>,
  closing: Closing,
): Promise<void> {
  const { config, dataDir, store, projects, own } = ground;
  const urlOf = await openFront(ground, engine, console.note, closing);
  console.greet({
    url: engine.fleet.url,
    store: store.kind,
    dataDir: dataDir.path,
    sources: [...projects].map(([project, { source }]) => ({ project, source })),
    callToken: own.call,
    isTour: config.projects.some(({ path }) => path === 'examples'),
  });
  await console.follow(store, [...projects.keys()], urlOf);
  closing.add(() => console.stop());
  await engine.start();
}

async function endAll(
  { store, projects, backends, dataDir }: Ground,
  { fleet }: Engine,
  say: (line: string) => void,
  hurry: AbortSignal,
): Promise<void> {
  say('  ends the proxies');
  await fleet.stop(hurry.aborted ? 0 : PROXY_GRACE_MS);
  await endEverything({ backends: [...backends.values()], owner: dataDir.owner, say, hurry });
  if (!hurry.aborted) await parkServices(store, [...projects.keys()], dataDir.machine);
}

/** Somebody pressed Ctrl-C: requests in flight get a moment, not minutes. */
const PROXY_GRACE_MS = 2_000;

function addressText({ host, port }: ServerConfig['listen']): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
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
