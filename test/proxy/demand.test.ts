// What the daemon learns of requests: how many came for which group, and which wait for a replica that is not there yet.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isRunning } from '../../backends/host/process-identity.ts';
import type { FleetOptions } from '../../proxy/fleet.ts';
import { livingRecords, signalProcess } from '../../proxy/record.ts';
import {
  ask,
  closedEndpoint,
  eventually,
  mirror,
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

const SLEEPS = { wakes: '0' };

async function lead(options: Partial<FleetOptions> = {}): Promise<Proxies> {
  const dataDir = options.dataDir ?? (await newDataDir());
  const proxies = await startProxies({ ...options, dataDir });
  onTestFinished(() => proxies.fleet.detach());
  return proxies;
}

const counted = ({ fleet }: Proxies, group = '0') => fleet.traffic('main', 'web', group, 60_000)?.requests;
const held = ({ fleet }: Proxies) => fleet.traffic('main', 'web', '0', 60_000)?.held;

async function isCounted(proxies: Proxies, requests: number, group = '0'): Promise<void> {
  await eventually(
    `${requests} requests of group ${group} are known`,
    () => counted(proxies, group) === requests,
  );
}

async function isHeld(proxies: Proxies, requests: number): Promise<void> {
  await eventually(`${requests} requests are known to wait`, () => held(proxies) === requests);
}

function asks(proxies: Proxies, count: number) {
  return Promise.all(Array.from({ length: count }, () => ask(proxies.url, `${PREFIX}/`)));
}

describe('requests are counted', () => {
  test('for the group of the replica that takes them, by all proxies together', async () => {
    const proxies = await lead({ count: 2 });
    await eventually('both accept', () => proxies.fleet.proxies().length === 2);
    const replica = await startReplica(named('web'));
    const members = [
      { name: 'web-1', group: 'a/b', endpoint: replica.endpoint },
      { name: 'web-2', group: 'gone', endpoint: await closedEndpoint() },
    ];
    await proxies.serve(tableOf([routeOf([], { replicas: members })]));
    await asks(proxies, 40);
    await eventually('each is known once, however often it was tried', () => {
      return (counted(proxies, 'a/b') ?? 0) + (counted(proxies, 'gone') ?? 0) === 40;
    });
    expect(counted(proxies, 'a/b')).toBeGreaterThan(0);
    expect(proxies.fleet.traffic('main', 'web', 'a/b', 60_000)).toMatchObject({ windowMs: 60_000, held: 0 });
    expect(proxies.fleet.traffic('main', 'web', 'a/b', 60_000)?.quietMs).toBeLessThan(10_000);
    expect(proxies.fleet.traffic('main', 'api', '0', 60_000)).toMatchObject({ requests: 0, quietMs: null });
  });

  test('as they arrive, not when they are answered; and not when they are refused', async () => {
    const proxies = await lead();
    const replica = await startReplica(() => {});
    const tokens = [{ sha256: createHash('sha256').update('secret').digest('hex'), projects: ['main'] }];
    await proxies.serve(tableOf([routeOf([replica.endpoint], { auth: true })], { tokens }));
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(403);
    const { hostname, port } = new URL(proxies.url);
    const headers = { authorization: 'Bearer secret' };
    const endless = request({ hostname, port, path: `${PREFIX}/`, headers, agent: false });
    onTestFinished(() => void endless.destroy());
    endless.on('error', () => {}).end();
    await isCounted(proxies, 1);
    expect(proxies.fleet.inflight('main', 'web-0')).toBe(1);
  });

  test('and stay known to the next daemon, and when a proxy has ended', async () => {
    const first = await lead();
    const replica = await startReplica(named('web'));
    const table = tableOf([routeOf([replica.endpoint])]);
    await first.serve(table);
    await asks(first, 7);
    first.fleet.detach();
    const second = await lead({ dataDir: first.dataDir });
    await second.serve(table);
    await isCounted(second, 7);
    const [record] = livingRecords(join(first.dataDir, 'proxy'));
    if (record) signalProcess(record.identity, 'SIGKILL');
    await eventually('it has ended', () => record && !isRunning(record.identity));
    await eventually('another has told what it counted', () => counted(second) === 7);
  });
});

describe('a request for a service that sleeps', () => {
  test('is held until there is a replica, and then answered with body and all', async () => {
    const woken: string[] = [];
    const proxies = await lead({ onHeld: (project, service) => woken.push(`${project}/${service}`) });
    await proxies.serveWeb([], SLEEPS);
    const answer = ask(proxies.url, `${PREFIX}/a?b=c`, { method: 'POST', body: 'hello' });
    await isHeld(proxies, 1);
    await isCounted(proxies, 1);
    expect(new Set(woken)).toEqual(new Set(['main/web']));
    await proxies.serveWeb([(await startReplica(mirror)).endpoint], SLEEPS);
    const { status, body } = await answer;
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ method: 'POST', url: '/a?b=c', body: 'hello' });
    await isHeld(proxies, 0);
    expect(counted(proxies)).toBe(1);
  });

  test('leaves its body with the caller, however long that is', async () => {
    const proxies = await lead();
    await proxies.serveWeb([], SLEEPS);
    const size = 64_000_000;
    const { hostname, port } = new URL(proxies.url);
    const headers = { 'content-length': String(size) };
    const sent = request({ hostname, port, path: `${PREFIX}/`, method: 'POST', headers, agent: false });
    const answer = new Promise((resolve) => {
      sent.once('response', (response) => resolve(wholeAnswer(response)));
    });
    sent.end(Buffer.alloc(size));
    await isHeld(proxies, 1);
    expect(sent.socket?.bytesWritten).toBeGreaterThan(0);
    expect(sent.writableFinished).toBe(false);
    let received = 0;
    const replica = await startReplica((incoming, outgoing) => {
      incoming.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      incoming.on('end', () => outgoing.end(String(received)));
    });
    await proxies.serveWeb([replica.endpoint], SLEEPS);
    expect(await answer).toMatchObject({ status: 200, body: String(size) });
  });

  test('may be one for another protocol', async () => {
    const proxies = await lead();
    await proxies.serveWeb([], SLEEPS);
    const { hostname, port } = new URL(proxies.url);
    const headers = { connection: 'upgrade', upgrade: 'websocket' };
    const sent = request({ hostname, port, path: `${PREFIX}/`, headers, agent: false });
    const joined = once(sent, 'upgrade');
    sent.end();
    await isHeld(proxies, 1);
    const replica = await startReplica(() => {});
    replica.server.on('upgrade', (_incoming, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    });
    await proxies.serveWeb([replica.endpoint], SLEEPS);
    const [, socket] = (await joined) as [unknown, Socket];
    onTestFinished(() => void socket.destroy());
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
  });

  test('is refused after a while, and told to come again', async () => {
    const proxies = await lead({ holdMs: 200 });
    await proxies.serveWeb([], SLEEPS);
    const answer = await ask(proxies.url, `${PREFIX}/`);
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(JSON.parse(answer.body)).toEqual({ detail: 'main/web has no replica that was ready in time' });
    await isHeld(proxies, 0);
  });

  test('is refused at once when too many wait already, and those go on waiting', async () => {
    const proxies = await lead();
    await proxies.serveWeb([], SLEEPS);
    const waiting = asks(proxies, 100);
    await isHeld(proxies, 100);
    const refused = await ask(proxies.url, `${PREFIX}/`);
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(refused.body).toContain('too many requests wait');
    await proxies.serveWeb([(await startReplica(named('web'))).endpoint], SLEEPS);
    expect(new Set((await waiting).map(({ body }) => body))).toEqual(new Set(['web']));
  });

  test('no longer waits when its caller has gone', async () => {
    const proxies = await lead();
    await proxies.serveWeb([], SLEEPS);
    const { hostname, port } = new URL(proxies.url);
    const sent = request({ hostname, port, path: `${PREFIX}/`, agent: false }).on('error', () => {});
    sent.end();
    await isHeld(proxies, 1);
    sent.destroy();
    await isHeld(proxies, 0);
  });

  test('is refused at once while no daemon is there to start a replica', async () => {
    const proxies = await lead();
    await proxies.serveWeb([], SLEEPS);
    proxies.fleet.detach();
    const answer = await eventually('it is refused', async () => {
      const { status, body, headers } = await ask(proxies.url, `${PREFIX}/`);
      return status === 503 && headers['retry-after'] === '5' && body;
    });
    expect(answer).toContain('the reconciler that would start one is not running');
  });
});

test('a service that always has replicas, none of them ready, refuses at once', async () => {
  const proxies = await lead();
  await proxies.serveWeb([]);
  expect(await ask(proxies.url, `${PREFIX}/`)).toMatchObject({
    status: 503,
    headers: { 'retry-after': '5' },
  });
  expect(held(proxies)).toBe(0);
});
