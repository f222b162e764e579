import { readdirSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isRunning } from '../../backends/host/process-identity.ts';
import { PROTOCOL } from '../../proxy/control.ts';
import { type FleetOptions, stopProxies } from '../../proxy/fleet.ts';
import { preparePlace } from '../../proxy/place.ts';
import { livingRecords } from '../../proxy/record.ts';
import { spawnProxy } from '../../proxy/spawn.ts';
import { saveTable } from '../../proxy/table-file.ts';
import { pidsOf } from '../e2e/processes.ts';
import {
  ask,
  eventually,
  named,
  newDataDir,
  PREFIX,
  type Proxies,
  routeOf,
  startProxies,
  startReplica,
  tableOf,
  wholeAnswer,
} from './world.ts';

/** Proxies that end with the test; those of an earlier leader are adopted where `dataDir` is given. */
async function lead(options: Partial<FleetOptions> = {}): Promise<Proxies> {
  const dataDir = options.dataDir ?? (await newDataDir());
  const proxies = await startProxies({ ...options, dataDir });
  onTestFinished(() => proxies.fleet.detach());
  return proxies;
}

function pids(proxies: Proxies): number[] {
  return proxies.fleet.proxies().map((proxy) => proxy.pid);
}

function firstPid(proxies: Proxies): number {
  const [pid] = pids(proxies);
  if (pid === undefined) throw new Error('there is no proxy');
  return pid;
}

async function allAccept(proxies: Proxies, count: number, except: readonly number[] = []): Promise<void> {
  await eventually(`${count} proxies accept`, () => {
    const found = proxies.fleet.proxies();
    const isWhole =
      found.length === count &&
      found.every(({ phase, protocol }) => phase === 'accepting' && protocol === PROTOCOL);
    return isWhole && !found.some(({ pid }) => except.includes(pid));
  });
}

async function isServed(url: string): Promise<boolean> {
  return ask(url, `${PREFIX}/`).then(
    (answer) => answer.status === 200,
    () => false,
  );
}

/** Callers that use their connections again and again, until told to stop; gives what went wrong. */
function startLoad(url: string): { readonly answered: () => number; stop(): Promise<readonly string[]> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const failures: string[] = [];
  let answered = 0;
  let isOver = false;
  async function call(): Promise<void> {
    while (!isOver) {
      try {
        const { status } = await new Promise<{ status: number }>((resolve, reject) => {
          const sent = request(`${url}${PREFIX}/`, { agent }, (response) => resolve(wholeAnswer(response)));
          sent.on('error', reject).end();
        });
        if (status !== 200) failures.push(`status ${status}`);
      } catch (error) {
        failures.push(String(error));
      }
      answered += 1;
    }
  }
  const callers = Array.from({ length: 8 }, call);
  async function stop(): Promise<readonly string[]> {
    isOver = true;
    await Promise.all(callers);
    agent.destroy();
    return failures;
  }
  onTestFinished(async () => {
    await stop();
  });
  return { answered: () => answered, stop };
}

async function moreAnswers(load: { answered(): number }, count: number): Promise<void> {
  const before = load.answered();
  await eventually(`${count} more answers`, () => load.answered() >= before + count);
}

describe('a fleet', () => {
  test('keeps its number of proxies on one address, and publishes what all have acknowledged', async () => {
    const replica = await startReplica(named('web'));
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    expect(proxies.fleet.published().size).toBe(0);
    const table = tableOf([routeOf([replica.endpoint])]);
    await proxies.serve(table);
    expect(proxies.fleet.published()).toEqual(new Map([['main/web', table.routes[0]?.version]]));
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('web');
  });

  test('has no health before its first table', async () => {
    const proxies = await lead();
    expect((await ask(proxies.url, '/healthz')).status).toBe(503);
  });

  test('says so when an older table is pushed, and goes on with the newer one', async () => {
    const replica = await startReplica(named('newer'));
    const proxies = await lead();
    await proxies.serve(tableOf([routeOf([replica.endpoint])], { epoch: 5 }));
    proxies.fleet.push(tableOf([], { epoch: 4 }));
    await eventually('it is refused', () => proxies.fleet.proxies()[0]?.refused.includes('epoch 5'));
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('newer');
  });

  test('keeps what it stores to itself', async () => {
    const proxies = await lead();
    await proxies.serve(tableOf([]));
    const folder = join(proxies.dataDir, 'proxy');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect((await stat(join(folder, name))).mode & 0o077).toBe(0);
  });

  test('ends all of its proxies', async () => {
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    const identities = livingRecords(join(proxies.dataDir, 'proxy')).map((record) => record.identity);
    await proxies.fleet.stop(200);
    expect(identities.filter(isRunning)).toEqual([]);
    await expect(ask(proxies.url, '/healthz')).rejects.toThrow();
  });

  test('ends the one too that is just being started', async () => {
    const proxies = await lead({ count: 2 });
    await proxies.fleet.stop(200);
    expect(pidsOf(proxies.dataDir, 'proxy')).toEqual([]);
  });

  test('whose daemon is gone is ended by its data dir', async () => {
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    proxies.fleet.detach();
    const said: string[] = [];
    await stopProxies(proxies.dataDir, (line) => said.push(line));
    expect(said).toHaveLength(2);
    expect(livingRecords(join(proxies.dataDir, 'proxy'))).toEqual([]);
  });
});

describe('an address', () => {
  test('that is taken is refused, naming who holds it', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const dataDir = await newDataDir();
    await expect(startProxies({ dataDir, listen: `127.0.0.1:${port}` })).rejects.toThrow(
      new RegExp(`127.0.0.1:${port} is taken by pid ${process.pid} \\(`),
    );
    expect(livingRecords(join(dataDir, 'proxy'))).toEqual([]);
  });

  test('that is none is refused, with an example', async () => {
    await expect(startProxies({ dataDir: await newDataDir(), listen: 'nowhere' })).rejects.toThrow('nowhere');
  });

  test('that differs from before is opened, and the one before is given up', async () => {
    const first = await lead();
    first.fleet.detach();
    const second = await lead({ dataDir: first.dataDir, listen: '[::1]:0' });
    await allAccept(second, 1, pids(first));
    expect(await ask('http://127.0.0.1:1', '/').catch(() => null)).toBeNull();
    await expect(ask(first.url, '/healthz')).rejects.toThrow('ECONNREFUSED');
    expect(second.url).toMatch('http://[::1]:');
  });
});

describe('a proxy that dies', () => {
  test('is replaced on the same socket by the one that lives', async () => {
    const replica = await startReplica(named('web'));
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    await proxies.serveWeb([replica.endpoint]);
    const victim = firstPid(proxies);
    process.kill(victim, 'SIGKILL');
    await allAccept(proxies, 2, [victim]);
    expect(await isServed(proxies.url)).toBe(true);
    await eventually('it is published again', () => proxies.fleet.published().has('main/web'));
  });

  test('with all others is replaced on the same address, which serves by the last table', async () => {
    const replica = await startReplica(named('web'));
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    await proxies.serveWeb([replica.endpoint]);
    const victims = pids(proxies);
    for (const victim of victims) process.kill(victim, 'SIGKILL');
    await allAccept(proxies, 2, victims);
    expect(await isServed(proxies.url)).toBe(true);
  });

  test('in its sleep is killed and replaced', async () => {
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    const victim = firstPid(proxies);
    process.kill(victim, 'SIGSTOP');
    await allAccept(proxies, 2, [victim]);
  });

  test('holds nothing back that the living have acknowledged', async () => {
    const proxies = await lead({ count: 2 });
    await allAccept(proxies, 2);
    const victim = firstPid(proxies);
    process.kill(victim, 'SIGSTOP');
    const table = tableOf([routeOf([])]);
    proxies.fleet.push(table);
    await eventually('one acknowledges', () =>
      proxies.fleet.proxies().some((proxy) => proxy.generation !== null),
    );
    expect(proxies.fleet.published().size).toBe(0);
    await eventually('the other is gone, and it is published', () =>
      proxies.fleet.published().has('main/web'),
    );
  });
});

describe('without a daemon', () => {
  test('services are served, and health says that no reconciler is there', async () => {
    const replica = await startReplica(named('web'));
    const first = await lead();
    await first.serveWeb([replica.endpoint]);
    first.fleet.detach();
    await eventually('no reconciler is there', async () =>
      (await ask(first.url, '/healthz')).body.includes('"reconciler":"down"'),
    );
    expect(await isServed(first.url)).toBe(true);
    await lead({ dataDir: first.dataDir });
  });

  test('proxies wait for the next one, which adopts them and goes on', async () => {
    const replica = await startReplica(named('web'));
    const first = await lead({ count: 2 });
    await allAccept(first, 2);
    await first.serveWeb([replica.endpoint]);
    first.fleet.detach();
    const second = await lead({ dataDir: first.dataDir, count: 2 });
    expect(second.url).toBe(first.url);
    expect(pids(second).sort()).toEqual(pids(first).sort());
    const table = tableOf([routeOf([replica.endpoint])], { epoch: 2, generation: 1 });
    await second.serve(table);
    expect(second.fleet.published().get('main/web')).toBe(table.routes[0]?.version);
    expect(await isServed(second.url)).toBe(true);
  });

  test('proxies that died too are started with the last table, before a new one comes', async () => {
    const replica = await startReplica(named('web'));
    const first = await lead();
    await first.serveWeb([replica.endpoint]);
    first.fleet.detach();
    const victim = firstPid(first);
    process.kill(victim, 'SIGKILL');
    await eventually('it is dead', () => livingRecords(join(first.dataDir, 'proxy')).length === 0);
    const second = await lead({ dataDir: first.dataDir });
    expect(await isServed(second.url)).toBe(true);
    expect(second.fleet.published().size).toBe(0);
  });

  test('a proxy whose data dir is gone ends', async () => {
    const first = await lead({ orphanMs: 300 });
    const [record] = livingRecords(join(first.dataDir, 'proxy'));
    first.fleet.detach();
    await rm(first.dataDir, { recursive: true });
    await eventually('it has ended', () => record !== undefined && !isRunning(record.identity));
  });
});

describe('a handover', () => {
  test('loses no request of callers that keep their connections', async () => {
    const replica = await startReplica(named('web'));
    const first = await lead({ count: 2 });
    await allAccept(first, 2);
    await first.serveWeb([replica.endpoint]);
    const load = startLoad(first.url);
    await moreAnswers(load, 100);
    first.fleet.detach();
    const second = await lead({ dataDir: first.dataDir, count: 1 }); // one is too many now, and retires
    await eventually('one has left', () => pids(second).length === 1);
    await moreAnswers(load, 100);
    expect(await load.stop()).toEqual([]);
  });

  test('replaces a proxy of another protocol, on the same socket, without losing a request', async () => {
    const dataDir = await newDataDir();
    const place = await preparePlace(dataDir);
    const { folder } = place;
    const config = {
      place,
      listen: '127.0.0.1:0',
      apiSocket: '',
      inherited: null,
      answerMs: 1_000,
      orphanMs: 60_000,
    };
    const program = join(import.meta.dirname, 'old-proxy.ts');
    const replica = await startReplica(named('web'));
    const table = tableOf([routeOf([replica.endpoint])]);
    saveTable(folder, table);
    const { pid } = await spawnProxy({ program, config, env: {}, log: 'inherit' });
    const old = livingRecords(folder).find((record) => record.identity.pid === pid);
    const load = startLoad(old?.url ?? '');
    await moreAnswers(load, 100);
    const proxies = await lead({ dataDir });
    proxies.fleet.push(table);
    await allAccept(proxies, 1, [pid]);
    await moreAnswers(load, 100);
    expect(await load.stop()).toEqual([]);
    expect(proxies.url).toBe(old?.url);
    expect(proxies.fleet.published().has('main/web')).toBe(true);
  });
});

describe('a data dir with a long path', () => {
  test('has its sockets elsewhere, where every later daemon finds them', async () => {
    const dataDir = await newDataDir('x'.repeat(120));
    const first = await lead({ dataDir });
    first.fleet.detach();
    const sockets = await readFile(join(dataDir, 'proxy', 'sockets'), 'utf8');
    onTestFinished(() => rm(sockets, { recursive: true, force: true }));
    expect((await stat(sockets)).mode & 0o777).toBe(0o700);
    const second = await lead({ dataDir });
    expect(pids(second)).toEqual(pids(first));
  });
});
