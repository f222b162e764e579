import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Endpoint } from '../../schemas/actual.ts';
import {
  ask,
  closedEndpoint,
  mirror,
  named,
  PREFIX,
  type Proxies,
  startProxies,
  startReplica,
} from './world.ts';

let proxies: Proxies;
beforeAll(async () => {
  proxies = await startProxies();
});
afterAll(() => proxies.end());

type Behaviour = 'answer' | 'close' | 'close in the head';

interface Fickle {
  readonly endpoint: Endpoint;
  /** Of every request it saw: the connection it came on, counted from 1. */
  readonly seen: number[];
}

/** Does with the n-th request that it sees what `script` says. */
async function startFickle(script: readonly Behaviour[]): Promise<Fickle> {
  const seen: number[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', () => {
      const behaviour = script[seen.push(connection) - 1] ?? 'answer';
      if (behaviour === 'answer') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine');
      else if (behaviour === 'close') socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\n', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  return { endpoint: { kind: 'tcp', host: '127.0.0.1', port }, seen };
}

async function statuses(endpoint: Endpoint, methods: readonly string[], body?: string): Promise<number[]> {
  await proxies.serveWeb([endpoint]);
  const found: number[] = [];
  for (const method of methods) {
    found.push(
      (await ask(proxies.url, `${PREFIX}/`, { method, ...(body !== undefined && { body }) })).status,
    );
  }
  return found;
}

// Idle connections live for 1.5 s: where the machine stalls for longer, there is none to use again, and so a retry.
describe('a connection that the replica closes as it is used again', { retry: 2 }, () => {
  test.each(['GET', 'DELETE', 'PUT'])('%s without a body is repeated on a new one', async (method) => {
    const replica = await startFickle(['answer', 'close', 'answer']);
    expect(await statuses(replica.endpoint, ['GET', method])).toEqual([200, 200]);
    expect(replica.seen).toEqual([1, 1, 2]);
  });

  test('it is repeated once, not for ever', async () => {
    const replica = await startFickle(['answer', 'close', 'close', 'answer']);
    expect(await statuses(replica.endpoint, ['GET', 'GET'])).toEqual([200, 502]);
    expect(replica.seen).toEqual([1, 1, 2]);
  });

  test('POST is never repeated, with a body or without', async () => {
    const empty = await startFickle(['answer', 'close']);
    expect(await statuses(empty.endpoint, ['GET', 'POST'])).toEqual([200, 502]);
    expect(empty.seen).toEqual([1, 1]);
    const full = await startFickle(['answer', 'close']);
    await statuses(full.endpoint, ['GET']);
    expect((await ask(proxies.url, `${PREFIX}/`, { method: 'POST', body: 'order' })).status).toBe(502);
    expect(new Set(full.seen)).toEqual(new Set([1]));
  });

  test('nothing is repeated once a byte of the answer came', async () => {
    const replica = await startFickle(['answer', 'close in the head', 'answer']);
    expect(await statuses(replica.endpoint, ['GET', 'GET'])).toEqual([200, 502]);
    expect(replica.seen).toEqual([1, 1]);
  });
});

describe('a new connection that the replica closes before it answers', () => {
  test.each(['GET', 'HEAD', 'OPTIONS'])('%s is moved to another replica', async (method) => {
    const ending = await startFickle(Array(20).fill('close'));
    const other = await startFickle([]);
    await proxies.serveWeb([ending.endpoint, other.endpoint]);
    for (let times = 0; ending.seen.length === 0 && times < 50; times += 1) {
      expect((await ask(proxies.url, `${PREFIX}/`, { method })).status).toBe(200);
    }
    expect(ending.seen).toEqual([1]);
  });

  test('it is moved once: what ends two replicas does not meet the third', async () => {
    const replicas = await Promise.all([1, 2, 3].map(() => startFickle(Array(20).fill('close'))));
    await proxies.serveWeb(replicas.map(({ endpoint }) => endpoint));
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(502);
    expect(replicas.flatMap(({ seen }) => seen)).toHaveLength(2);
  });

  test('the same replica is not asked again', async () => {
    const replica = await startFickle(['close', 'answer']);
    expect(await statuses(replica.endpoint, ['GET'])).toEqual([502]);
    expect(replica.seen).toEqual([1]);
  });

  test.each(['POST', 'PUT', 'DELETE'])('%s is not moved: it may have done its work', async (method) => {
    const replicas = await Promise.all([1, 2].map(() => startFickle(['close', 'answer'])));
    await proxies.serveWeb(replicas.map(({ endpoint }) => endpoint));
    expect((await ask(proxies.url, `${PREFIX}/`, { method })).status).toBe(502);
    expect(replicas.flatMap(({ seen }) => seen)).toEqual([1]);
  });
});

describe('a replica that takes no connection', () => {
  test('is passed over for another, whatever the method, and the body arrives whole', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([await closedEndpoint(), replica.endpoint]);
    const body = 'x'.repeat(300_000);
    for (let times = 0; times < 10; times += 1) {
      const answer = await ask(proxies.url, `${PREFIX}/`, { method: 'POST', body });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body).body === body).toBe(true);
    }
  });

  test('is 502 when all are like that', async () => {
    await proxies.serveWeb([await closedEndpoint(), await closedEndpoint(), await closedEndpoint()]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(502);
  });
});

test('requests are shared among the replicas', async () => {
  const names = ['one', 'two', 'three'];
  const replicas = await Promise.all(names.map((name) => startReplica(named(name))));
  await proxies.serveWeb(replicas.map((replica) => replica.endpoint));
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(proxies.url, `${PREFIX}/`)));
  expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(names));
});
