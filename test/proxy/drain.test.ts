import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask,
  eventually,
  named,
  PREFIX,
  type Proxies,
  routeOf,
  startProxies,
  startReplica,
  tableOf,
  wholeAnswer,
} from './world.ts';

let proxies: Proxies;
beforeAll(async () => {
  proxies = await startProxies();
});
afterAll(() => proxies.end());

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false }, resolve).on('error', reject).end();
  });
}

/** A replica whose answers have begun and end when the test says so. */
async function startSlow() {
  const answers: ServerResponse[] = [];
  const replica = await startReplica((_incoming, outgoing) => {
    outgoing.write('begun ');
    answers.push(outgoing);
  });
  return { ...replica, answers };
}

describe('a replica that leaves the table', () => {
  test('finishes what it is answering, gets nothing new, and its connection is closed at the end', async () => {
    const old = await startSlow();
    const fresh = await startReplica(named('fresh'));
    await proxies.serveWeb([old.endpoint]);
    const running = await open(`${proxies.url}${PREFIX}/`);
    const both = routeOf([old.endpoint, fresh.endpoint]);
    await proxies.serve(tableOf([{ ...both, replicas: both.replicas.slice(1) }]));
    for (let times = 0; times < 20; times += 1)
      expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('fresh');
    expect(old.answers).toHaveLength(1);
    old.answers[0]?.end('and finished');
    expect((await wholeAnswer(running)).body).toBe('begun and finished');
    await eventually('its connection is closed', () => old.connections.every((socket) => socket.destroyed));
  });

  test('is counted in flight from the moment the table is acknowledged until it has finished', async () => {
    const slow = await startSlow();
    await proxies.serveWeb([slow.endpoint]);
    const running = await open(`${proxies.url}${PREFIX}/`);
    const table = tableOf([routeOf([])]);
    proxies.fleet.push(table);
    await eventually(
      'it is published',
      () => proxies.fleet.published().get('main/web') === table.routes[0]?.version,
    );
    expect(proxies.fleet.inflight('main', 'web-0')).toBe(1);
    slow.answers[0]?.end();
    await wholeAnswer(running);
    await eventually('it has finished', () => proxies.fleet.inflight('main', 'web-0') === 0);
  });

  test('may come back at once', async () => {
    const replica = await startReplica(named('back'));
    await proxies.serveWeb([replica.endpoint]);
    await proxies.serveWeb([]);
    expect((await ask(proxies.url, `${PREFIX}/`)).status).toBe(503);
    await proxies.serveWeb([replica.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('back');
  });
});

describe('a replica that stays in the table', () => {
  test('keeps its connections through a change of others', { retry: 2 }, async () => {
    const replica = await startReplica(named('here'));
    await proxies.serveWeb([replica.endpoint]);
    await ask(proxies.url, `${PREFIX}/`);
    const other = await startReplica(named('other'));
    await proxies.serve(
      tableOf([routeOf([replica.endpoint]), routeOf([other.endpoint], { service: 'api' })]),
    );
    await ask(proxies.url, `${PREFIX}/`);
    expect(replica.connections).toHaveLength(1);
  });

  test('is another one when its endpoint changed', async () => {
    const before = await startReplica(named('before'));
    const after = await startReplica(named('after'));
    await proxies.serveWeb([before.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('before');
    await proxies.serveWeb([after.endpoint]);
    expect((await ask(proxies.url, `${PREFIX}/`)).body).toBe('after');
  });
});

test('two services of one name in different projects are counted apart', async () => {
  const slow = await startSlow();
  const routes = [routeOf([slow.endpoint]), routeOf([slow.endpoint], { project: 'other' })];
  await proxies.serve(tableOf(routes));
  const running = await open(`${proxies.url}/proxy/services/other/web/`);
  await eventually('it is counted', () => proxies.fleet.inflight('other', 'web-0') === 1);
  expect(proxies.fleet.inflight('main', 'web-0')).toBe(0);
  slow.answers[0]?.end();
  await wholeAnswer(running);
});
