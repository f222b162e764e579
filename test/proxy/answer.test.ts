import { createHash } from 'node:crypto';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask,
  closedEndpoint,
  mirror,
  named,
  PREFIX,
  type Proxies,
  routeOf,
  startProxies,
  startReplica,
  tableOf,
} from './world.ts';

let proxies: Proxies;
beforeAll(async () => {
  proxies = await startProxies({ answerMs: 500 });
});
afterAll(() => proxies.end());

const TOKENS = [{ sha256: createHash('sha256').update('secret').digest('hex'), projects: ['main'] }];

describe('a request for a service', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    '%s reaches the replica with body and query',
    async (method) => {
      const replica = await startReplica(mirror);
      await proxies.serveWeb([replica.endpoint]);
      const body = method === 'GET' || method === 'OPTIONS' ? '' : 'hello';
      const answer = await ask(proxies.url, `${PREFIX}/a?b=c`, { method, ...(body && { body }) });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({ method, url: '/a?b=c', body });
    },
  );

  test('keeps escapes, dots and double slashes as they were written', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/a%2Fb//../c%20d?q=%2F`);
    expect(JSON.parse(answer.body).url).toBe('/a%2Fb//../c%20d?q=%2F');
  });

  test('keeps its prefix when the service asks for that', async () => {
    const replica = await startReplica((_incoming, outgoing) => {
      outgoing.writeHead(302, { location: '/login', 'set-cookie': 'a=1; Path=/' }).end(_incoming.url);
    });
    await proxies.serveWeb([replica.endpoint], { stripPrefix: false });
    const answer = await ask(proxies.url, `${PREFIX}/x`);
    expect(answer.body).toBe(`${PREFIX}/x`);
    expect(answer.headers).toMatchObject({ location: '/login', 'set-cookie': ['a=1; Path=/'] });
  });

  test('tells the replica who called, and where it is reached', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([replica.endpoint]);
    const { headers } = JSON.parse(
      (await ask(proxies.url, `${PREFIX}/`, { headers: { host: 'shop.example' } })).body,
    );
    expect(headers).toMatchObject({
      host: 'shop.example',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-prefix': PREFIX,
    });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers).not.toHaveProperty('accept-encoding');
    expect(headers).not.toHaveProperty('user-agent');
  });

  test('keeps what a proxy on this machine said of the caller', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([replica.endpoint]);
    const said = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', 'x-request-id': 'mine' };
    const { headers } = JSON.parse((await ask(proxies.url, `${PREFIX}/`, { headers: said })).body);
    expect(headers).toMatchObject({ ...said, 'x-forwarded-for': '203.0.113.9, 127.0.0.1' });
  });

  test('leaves behind what belongs to one hop', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/`, {
      headers: {
        connection: 'keep-alive, x-hop',
        'x-hop': '1',
        te: 'trailers',
        'proxy-authorization': 'x',
        'x-kept': '1',
      },
    });
    const { headers } = JSON.parse(answer.body);
    expect(headers['x-kept']).toBe('1');
    for (const name of ['x-hop', 'te', 'proxy-authorization']) expect(headers).not.toHaveProperty(name);
  });

  test('gets every cookie, moved below the prefix, and redirects that stay there', async () => {
    const replica = await startReplica((_incoming, outgoing) => {
      outgoing.writeHead(302, { location: '/login', 'set-cookie': ['a=1; Path=/', 'b=2; Path=/x'] }).end();
    });
    await proxies.serveWeb([replica.endpoint]);
    const { headers } = await ask(proxies.url, `${PREFIX}/`);
    expect(headers.location).toBe(`${PREFIX}/login`);
    expect(headers['set-cookie']).toEqual([`a=1; Path=${PREFIX}/`, `b=2; Path=${PREFIX}/x`]);
  });

  test.each([204, 304, 404, 418, 503])('gets the status %i as the replica gave it', async (status) => {
    const replica = await startReplica((_incoming, outgoing) =>
      outgoing.writeHead(status, { 'x-mine': '1' }).end(),
    );
    await proxies.serveWeb([replica.endpoint]);
    expect(await ask(proxies.url, `${PREFIX}/`)).toMatchObject({
      status,
      body: '',
      headers: { 'x-mine': '1' },
    });
  });

  test('HEAD gets the length but no body', async () => {
    const replica = await startReplica((_incoming, outgoing) =>
      outgoing.writeHead(200, { 'content-length': 5 }).end(),
    );
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/`, { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '5' } });
  });

  test('without the slash at its end is redirected, whoever asks', async () => {
    await proxies.serve(tableOf([]));
    const answer = await ask(proxies.url, `${PREFIX}?x=1`);
    expect(answer).toMatchObject({ status: 308, headers: { location: `${PREFIX}/?x=1` } });
  });

  test('reaches a replica behind a unix socket', async () => {
    const replica = await startReplica(named('socket'), join(proxies.dataDir, 'replica.sock'));
    await proxies.serveWeb([replica.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('socket');
  });
});

describe('auth', () => {
  test('a good token passes and goes no further', async () => {
    const replica = await startReplica(mirror);
    await proxies.serve(tableOf([routeOf([replica.endpoint], { auth: true })], { tokens: TOKENS }));
    const answer = await ask(proxies.url, `${PREFIX}/`, { headers: { authorization: 'Bearer secret' } });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).headers).not.toHaveProperty('authorization');
  });

  test.each([undefined, 'Basic secret', 'Bearer', 'Bearer wrong'])(
    '%s is refused with 403',
    async (authorization) => {
      const replica = await startReplica(mirror);
      await proxies.serve(tableOf([routeOf([replica.endpoint], { auth: true })], { tokens: TOKENS }));
      const answer = await ask(
        proxies.url,
        `${PREFIX}/`,
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toEqual({ detail: expect.any(String) });
      expect(answer.headers).not.toHaveProperty('www-authenticate');
      expect(replica.connections).toHaveLength(0);
    },
  );

  test('a token of another project is refused', async () => {
    const replica = await startReplica(mirror);
    const route = routeOf([replica.endpoint], { auth: true, project: 'other' });
    await proxies.serve(tableOf([route], { tokens: TOKENS }));
    const answer = await ask(proxies.url, '/proxy/services/other/web/', {
      headers: { authorization: 'Bearer secret' },
    });
    expect(answer.status).toBe(403);
  });

  test('a service without auth sees the Authorization header: it is its own', async () => {
    const replica = await startReplica(mirror);
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, `${PREFIX}/`, { headers: { authorization: 'Bearer its-own' } });
    expect(JSON.parse(answer.body).headers.authorization).toBe('Bearer its-own');
  });
});

describe('errors', () => {
  test('an unknown service is 404', async () => {
    await proxies.serve(tableOf([]));
    expect(await ask(proxies.url, `${PREFIX}/`)).toMatchObject({
      status: 404,
      body: expect.stringContaining('detail'),
    });
  });

  test('a known service without ready replicas is 503, to be tried again', async () => {
    await proxies.serveWeb([]);
    expect(await ask(proxies.url, `${PREFIX}/`)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
    });
  });

  test('a replica that takes no connection is 502', async () => {
    await proxies.serveWeb([await closedEndpoint()]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(502);
  });

  test('a replica that closes before it answers is 502', async () => {
    const replica = await startReplica((incoming) => incoming.socket.destroy());
    await proxies.serveWeb([replica.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(502);
  });

  test('a replica that does not speak HTTP is 502', async () => {
    const replica = await startReplica((incoming) => incoming.socket.end('nonsense\r\n\r\n'));
    await proxies.serveWeb([replica.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(502);
  });

  test('a replica that never answers is 504, and its request is given up', async () => {
    let isGivenUp = false;
    const replica = await startReplica((incoming) => incoming.socket.once('close', () => (isGivenUp = true)));
    await proxies.serveWeb([replica.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(504);
    await expect.poll(() => isGivenUp).toBe(true);
  });

  test('a replica that breaks off in the middle ends the caller in the middle too', async () => {
    const replica = await startReplica((incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '100' });
      outgoing.write('half', () => incoming.socket.destroy());
    });
    await proxies.serveWeb([replica.endpoint]);
    await expect(ask(proxies.url, `${PREFIX}/`)).rejects.toThrow(/aborted|hang up/);
  });

  test('TRACE is refused, and other addresses below /proxy are unknown', async () => {
    await proxies.serveWeb([]);
    expect((await ask(proxies.url, `${PREFIX}/`, { method: 'TRACE' })).status).toBe(405);
    expect((await ask(proxies.url, '/proxy/elsewhere')).status).toBe(404);
  });

  test('a model that is not there is an error of the OpenAI shape', async () => {
    const answer = await ask(proxies.url, '/v1/models/none');
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body).error).toMatchObject({ code: 'model_not_found', param: null });
  });
});

describe("what is not the proxy's", () => {
  test('goes to the daemon while it runs, credentials included', async () => {
    const api = await startReplica(mirror, proxies.apiSocket);
    const answer = await ask(proxies.url, '/api/v1/status?x=1', {
      method: 'POST',
      headers: { authorization: 'Bearer admin' },
      body: '{}',
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      method: 'POST',
      url: '/api/v1/status?x=1',
      body: '{}',
      headers: { authorization: 'Bearer admin' },
    });
    await api.stop();
  });

  test('is 503 without it, while services go on', async () => {
    const replica = await startReplica(named('served'));
    await proxies.serveWeb([replica.endpoint]);
    const answer = await ask(proxies.url, '/api/v1/status');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ detail: 'reconciler is not running' });
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('served');
  });

  test('is streamed as it comes', async () => {
    let finish = () => {};
    const api = createServer((_incoming, outgoing) => {
      outgoing.write('first');
      finish = () => outgoing.end('last');
    });
    await new Promise<void>((resolve) => api.listen(proxies.apiSocket, resolve));
    const seen = await new Promise<string>((resolve) => {
      request(`${proxies.url}/api/v1/events`, (response) => {
        response.setEncoding('utf8').once('data', (text: string) => {
          finish();
          response.resume().on('end', () => resolve(text));
        });
      }).end();
    });
    expect(seen).toBe('first');
    await new Promise((resolve) => api.close(resolve));
  });
});

describe('health', () => {
  test('tells the generation in force and whether a reconciler is there', async () => {
    const table = tableOf([]);
    await proxies.serve(table);
    const answer = await ask(proxies.url, '/healthz');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ status: 'ok', reconciler: 'up', generation: table.generation });
  });
});
