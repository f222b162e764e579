// A local backend in a temporary folder, with servers to run on it, and the check that nothing of it is left.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, ProcessRequest } from '../../backends/backend.ts';
import { type LocalOptions, openLocal } from '../../backends/local/local.ts';
import { mount, processSpec } from './builders.ts';

/** Prints `started` and `$TOLD`; listens on its first argument, else on `$PORT`; answers with its environment. */
const SERVER = `
import { createServer } from 'node:http';
console.log('started');
if (process.env.TOLD) console.log(process.env.TOLD);
createServer((_, response) => response.end(JSON.stringify(process.env))).listen(Number(process.argv[2] ?? process.env.PORT), '127.0.0.1');
`;

export function server(argument = ''): Pick<ProcessRequest, 'spec' | 'mounts'> {
  const spec = processSpec({ commands: [`exec node server.mjs ${argument}`] });
  return { spec, mounts: [mount('.', { 'server.mjs': SERVER })] };
}

export interface LocalWorld {
  readonly dir: string;
  readonly backend: Backend;
  /** Another daemon's view of the same slots, as after a restart. */
  readonly reopen: (options?: Partial<LocalOptions>) => Promise<Backend>;
  /** Terminates what is left, then throws if any process of these slots still lives. */
  readonly close: () => Promise<void>;
}

export async function openWorld(options: Partial<LocalOptions> = {}): Promise<LocalWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'trueup-local-'));
  const open = (other: Partial<LocalOptions> = {}) =>
    openLocal({ dir, machine: 'machine-1', ...options, ...other });
  const backends = [await open()];
  const close = async () => {
    for (const backend of backends) await backend.close();
    const [backend] = backends;
    for (const name of await readdir(dir)) {
      await until(
        async () =>
          backend?.terminate(name).then(
            () => null,
            () => true,
          ) ?? null,
      );
    }
    await until(async () => (await processesIn(dir)).length === 0 || null);
    await rm(dir, { recursive: true, force: true });
  };
  const reopen = async (other: Partial<LocalOptions> = {}) => {
    const backend = await open(other);
    backends.push(backend);
    return backend;
  };
  return { dir, backend: backends[0] as Backend, reopen, close };
}

export async function until<T>(look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${look}`);
    await sleep(20);
  }
}

/** Replicas carry their slot in the environment, keepers in the command line. */
export async function processesIn(dir: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(
    pids.map(async (pid) => [
      await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
      await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ]),
  );
  return pids.filter((_, at) => texts[at]?.some((text) => text.includes(dir))).map(Number);
}
