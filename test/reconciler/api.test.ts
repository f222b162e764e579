// The HTTP API over a real socket: who may ask what, what is answered, and streams that go on.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replicaLogs } from '../../reconciler/replica-logs.ts';
import { statusSchema, whySchema } from '../../schemas/api.ts';
import { planSchema } from '../../schemas/plan.ts';
import { fleet, fleetState, H100, machine, used, volume, volumeState } from '../plan/around-samples.ts';
import { replica, service, state } from '../plan/samples.ts';
import { COMMIT, startWorld, TOKENS, type World } from './api-server.ts';

let world: World;
const web = service('web');

beforeAll(async () => {
  world = await startWorld();
  await world.putProject({});
  await world.put('web', { service: web, removed: false, problems: [] }, state(web));
  await world.say({ service: 'web', event: 'deployment', reason: 'deployment 1 of c0ffee00' });
  await world.say({ service: '', event: 'commit', reason: 'c0ffee00 by <me>' });
});
afterAll(() => world.close());

function ask(path: string, token: string | null = TOKENS.read, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  return fetch(`${world.url}${path}`, { ...init, headers });
}

describe('access', () => {
  test.each([
    ['no token', null, 401],
    ['an unknown token', 'guess', 401],
    ['a token of another scope', TOKENS.call, 403],
    ['a token of another project', TOKENS.other, 403],
    ['a read token', TOKENS.read, 200],
    ['the admin token', TOKENS.admin, 200],
  ])('%s', async (_, token, expected) => {
    const response = await ask('/api/v1/status', token);
    expect(response.status).toBe(expected);
    if (expected !== 200) expect(await response.json()).toMatchObject({ detail: expect.any(String) });
  });

  test('what is not there says what is near', async () => {
    const answers = await Promise.all(
      [
        '/api/v1/services/wbe',
        '/api/v1/status?service=wbe',
        '/api/v1/services/wbe/why',
        '/api/v1/services/wbe/logs',
      ].map(async (path) => {
        const response = await ask(path);
        return [response.status, await response.json()];
      }),
    );
    for (const answer of answers)
      expect(answer).toEqual([404, { detail: 'there is no service `wbe`', fix: 'Did you mean `web`?' }]);
    expect(await (await ask('/api/v1/status?project=mian', TOKENS.admin)).json()).toMatchObject({
      fix: 'Did you mean `main`?',
    });
    expect((await ask('/api/v2')).status).toBe(404);
  });
});

describe('reading', () => {
  test('status, a service and why are what the schemas promise', async () => {
    const status = statusSchema.parse(await (await ask('/api/v1/status')).json());
    expect(status).toMatchObject({
      project: 'main',
      commit: COMMIT,
      services: [{ name: 'web', status: 'running', url: `${world.url}/proxy/services/main/web/` }],
    });
    expect(await (await ask('/api/v1/services/web')).json()).toEqual(status.services[0]);
    expect(whySchema.parse(await (await ask('/api/v1/services/web/why')).json()).status).toBe('running');
  });

  test('a project that nothing was read of yet is empty, not missing', async () => {
    expect(await (await ask('/api/v1/status?project=other', TOKENS.other)).json()).toMatchObject({
      commit: null,
      services: [],
    });
  });

  test('metrics count services by status', async () => {
    const text = await (await ask('/metrics', null)).text();
    expect(text).toContain('trueup_services{project="main",status="running"} 1\n');
    expect(text).toContain('trueup_replicas_ready{project="main",service="web"} 1\n');
  });

  test('readiness follows the daemon', async () => {
    expect((await ask('/readyz', null)).status).toBe(200);
    const unready = await startWorld({ unready: () => 'the database is away' });
    const response = await fetch(`${unready.url}/readyz`);
    expect([response.status, await response.json()]).toEqual([503, { detail: 'the database is away' }]);
    await unready.close();
  });

  test('what breaks inside is told to the operator, not to the caller', async () => {
    const broken = await startWorld({ plan: () => Promise.reject(new Error('secret detail')) });
    const headers = { authorization: `Bearer ${TOKENS.read}` };
    const response = await fetch(`${broken.url}/api/v1/plan`, { headers });
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining('secret')]);
    expect(broken.reports.map(({ message }) => message)).toEqual(['secret detail']);
    await broken.close();
  });
});

describe('what is around services', () => {
  const asked = async (path: string) => (await ask(path)).json();
  let around: World;
  beforeAll(async () => {
    around = await startWorld();
    await around.putProject({});
    const mounted = [{ volume: 'models', id: 'vol-1', path: '/models' }];
    const replicas = [replica('web-1', { offer: { ...H100, fleet: 'pool', mounted } })];
    await around.put('web', { service: web, removed: false, problems: [] }, state(web, { replicas }));
    await around.put('api', { service: service('api'), removed: false, problems: [] }, null);
    const pool = fleet({ nodes: { min: 2, target: 2, max: 4 } });
    await around.putAround('fleet:pool', pool, fleetState([used(1), machine(2)]));
    await around.putAround('volume:models', volume(), volumeState(volume()));
    await around.say({ service: 'fleet:pool', event: 'machine-idle', reason: 'pool-m2 is idle' });
  });
  afterAll(() => around.close());
  const get = async (path: string) => {
    const headers = { authorization: `Bearer ${TOKENS.read}` };
    return fetch(`${around.url}${path}`, { headers });
  };

  test('is in the status, beside the services and never among them', async () => {
    const status = statusSchema.parse(await (await get('/api/v1/status')).json());
    expect(status.services.map(({ name }) => name)).toEqual(['api', 'web']);
    expect(status.around).toMatchObject([
      {
        kind: 'fleet',
        name: 'pool',
        status: 'ready',
        services: [{ name: 'web', waits: false }],
        machines: [
          { name: 'pool-m1', guest: { replica: 'web-1' }, pricePerHour: 2.5 },
          { name: 'pool-m2', guest: null },
        ],
      },
      { kind: 'volume', name: 'models', status: 'ready', heldBy: [{ replica: 'web-1' }] },
    ]);
  });

  test('is there by its name; and for a service what that has to do with it', async () => {
    const of = async (name: string) => {
      const { services, around: found } = statusSchema.parse(
        await (await get(`/api/v1/status?service=${name}`)).json(),
      );
      return [services.map((each) => each.name), found.map((each) => each.name)];
    };
    expect(await of('fleet:pool')).toEqual([[], ['pool']]);
    expect(await of('web')).toEqual([['web'], ['pool', 'models']]);
    expect(await of('api')).toEqual([['api'], []]);
    expect(await (await get('/api/v1/status?service=fleet:pol')).json()).toMatchObject({
      fix: 'Did you mean `fleet:pool`?',
    });
  });

  test('has a why of its own, and its events, but no logs', async () => {
    const why = whySchema.parse(await (await get('/api/v1/services/fleet%3Apool/why')).json());
    expect(why).toMatchObject({
      service: 'fleet:pool',
      status: 'ready',
      waiting: [],
      next: expect.stringMatching(/^Nothing/),
      around: { kind: 'fleet', machines: [{ name: 'pool-m1' }, { name: 'pool-m2' }] },
    });
    expect(await (await get('/api/v1/services/volume%3Amodels')).json()).toMatchObject({ id: 'vol-1' });
    expect(await (await get('/api/v1/events?service=fleet:pool')).text()).toContain('pool-m2 is idle');
    expect((await get('/api/v1/services/fleet%3Apool/logs')).status).toBe(404);
  });

  test('is counted by the metrics', async () => {
    const text = await (await get('/metrics')).text();
    expect(text).toContain('trueup_machines{project="main",fleet="pool"} 2\n');
    expect(text).toContain('trueup_machines_idle{project="main",fleet="pool"} 1\n');
    expect(text).toContain('trueup_unused_usd_per_hour{project="main",fleet="pool"} 2.5\n');
    expect(text).not.toContain('service="fleet:pool"');
  });

  test('is on the page', async () => {
    const html = (await (await get('/')).text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
    expect(html).toContain('pool ready 1/2 2 pool-m1 web-1 pool-m2 idle $2.50/h');
    expect(html).toContain('models ready aws (us) 100GB web-1');
  });

  test('is not there where nothing is', async () => {
    expect(await asked('/api/v1/status')).toMatchObject({ around: [] });
    expect(await (await ask('/')).text()).not.toContain('<th>Fleet</th>');
  });
});

describe('plans', () => {
  const post = (body: string) =>
    ask('/api/v1/plan', TOKENS.read, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });

  test('of the newest commit compares it with what was applied', async () => {
    const plan = planSchema.parse(await (await ask('/api/v1/plan')).json());
    expect(plan).toMatchObject({
      commit: COMMIT,
      base: COMMIT,
      changes: [{ service: 'web', change: 'keep' }],
    });
  });

  test('of posted files shows changes, deletions and problems, with secrets masked', async () => {
    const text = 'type: service\nport: 80\ncommands: [run]\nenv: {PASSWORD: hunter2}\n';
    const files = [{ path: 'api.dstack.yml', text }];
    const plan = planSchema.parse(await (await post(JSON.stringify({ files }))).json());
    expect(plan.changes.map(({ service, change }) => [service, change])).toEqual([
      ['api', 'create'],
      ['web', 'delete'],
    ]);
    expect(plan.deletions).toEqual(['web']);
    expect(plan.changes[0]?.groups).toMatchObject([{ name: '0', totalOffers: 1, price: 0 }]);
    expect(JSON.stringify(plan)).not.toContain('hunter2');
  });

  test('a file that no longer parses deletes nothing', async () => {
    const files = [{ path: web.file, text: 'type: service\nname: other\nport: eighty\ncommands: [a]\n' }];
    const plan = planSchema.parse(await (await post(JSON.stringify({ files }))).json());
    expect(plan.deletions).toEqual([]);
    expect(plan.problems[0]).toMatchObject({ file: web.file, line: 3 });
  });

  test.each(['', '{}', '{"files": 1}', '{"files": [{"path": ""}]}'])(
    '%j is not a list of files',
    async (body) => {
      expect((await post(body)).status).toBe(400);
    },
  );
});

describe('streams', () => {
  async function* lines(response: Response): AsyncGenerator<{ seq: number; event: string }> {
    let rest = '';
    for await (const chunk of response.body ?? []) {
      const parts = (rest + new TextDecoder().decode(chunk)).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part !== '') yield JSON.parse(part);
    }
  }

  async function collect(response: Promise<Response>) {
    const found: { seq: number; event: string }[] = [];
    for await (const line of lines(await response)) found.push(line);
    return found;
  }

  test('events come in order, after a number, of one service', async () => {
    const all = await collect(ask('/api/v1/events'));
    expect(all.slice(0, 2).map(({ event }) => event)).toEqual(['deployment', 'commit']);
    const later = await collect(ask(`/api/v1/events?after=${all[0]?.seq}&limit=1`));
    expect(later).toEqual([all.at(-1)]);
    const own = await collect(ask('/api/v1/events?service=web'));
    expect(own.map(({ event }) => event)).toEqual(['deployment']);
    expect((await ask('/api/v1/events?service=wbe')).status).toBe(404);
    expect((await ask('/api/v1/events?after=soon')).status).toBe(400);
  });

  test('a follower sees each later event once, in order', async () => {
    const leaving = new AbortController();
    const response = await ask('/api/v1/events?follow=1&limit=1', TOKENS.read, { signal: leaving.signal });
    const events = lines(response);
    expect((await events.next()).value?.event).toBe('commit');
    for (const number of [1, 2, 3]) await world.say({ service: 'web', event: 'status', reason: `${number}` });
    const seen = [(await events.next()).value, (await events.next()).value, (await events.next()).value];
    expect(seen.map((event) => (event as unknown as { reason: string }).reason)).toEqual(['1', '2', '3']);
    leaving.abort();
  });

  test('logs of a replica that failed and is gone are its last lines', async () => {
    const failure = { replica: 'web-7', deployment: 2, at: 7, reason: 'exited with 1', log: ['a', 'boom'] };
    await world.put(
      'web',
      { service: web, removed: false, problems: [] },
      state(web, { replicas: [replica('web-0')], failures: [failure] }),
    );
    expect((await ask('/api/v1/services/web/logs?replica=7')).status).toBe(200);
    expect((await ask('/api/v1/services/web/logs?replica=8')).status).toBe(404);
    const { signal } = new AbortController();
    const request = { project: 'main', service: 'web', replica: 7, tail: 1, follow: true, signal };
    const kept = await Array.fromAsync(replicaLogs({ store: world.store, backends: new Map() }, request));
    expect(kept).toEqual([{ at: 7, replica: 'web-7', stream: 'out', text: 'boom' }]);
  });

  test('logs of one replica or all; a follower that leaves is let go', async () => {
    const line = (name: string, text: string) => ({ at: 0, replica: name, stream: 'out', text }) as const;
    await world.put(
      'web',
      { service: web, removed: false, problems: [] },
      state(web, { replicas: [replica('web-0'), replica('web-1')] }),
    );
    world.logs.set('web', [line('web-0', 'a'), line('web-1', 'b')]);
    expect(await collect(ask('/api/v1/services/web/logs'))).toHaveLength(2);
    expect(await collect(ask('/api/v1/services/web/logs?replica=1'))).toEqual([
      { time: '1970-01-01T00:00:00.000Z', replica: 'web-1', stream: 'out', text: 'b' },
    ]);
    expect((await ask('/api/v1/services/web/logs?replica=7')).status).toBe(404);

    const leaving = new AbortController();
    const response = await ask('/api/v1/services/web/logs?follow=1', TOKENS.read, { signal: leaving.signal });
    const following = lines(response);
    await following.next();
    await following.next();
    await expect.poll(() => world.following()).toBe(1);
    leaving.abort();
    await expect.poll(() => world.following()).toBe(0);
  });
});

describe('webhooks', () => {
  test('reach the one who knows the secret, without a token', async () => {
    const response = await ask('/webhooks/github', null, { method: 'POST', body: '{}' });
    expect([response.status, await response.json()]).toEqual([202, { detail: 'github accepted' }]);
    expect((await ask('/webhooks/git?project=other', null, { method: 'POST' })).status).toBe(404);
    expect((await ask('/webhooks/svn', null, { method: 'POST' })).status).toBe(404);
  });
});

describe('the page', () => {
  test('shows services and escapes everything, without a script', async () => {
    await world.put(
      'evil',
      {
        service: null,
        removed: false,
        problems: [
          {
            file: '<img src=x>',
            line: 1,
            column: 1,
            path: '',
            message: '"><script>alert(1)</script>',
            fix: '',
            severity: 'error',
          },
        ],
      },
      null,
    );
    const response = await ask('/', null);
    const html = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(html).toContain('>web</a>');
    expect(html).toContain('c0ffee00 by &lt;me&gt;');
    expect(html).not.toMatch(/<script|<img/);
  });

  test('is not for a foreign name that points here', async () => {
    const { hostname, port } = new URL(world.url);
    const { request } = await import('node:http');
    const call = request({ hostname, port, path: '/', headers: { host: 'evil.example' } }).end();
    const [response] = await once(call, 'response');
    response.resume();
    expect(response.statusCode).toBe(401);
  });

  test('asks for a token where the server says so; a browser may send it as a password', async () => {
    const closed = await startWorld({ page: 'token' });
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
    });
    const denied = await fetch(`${closed.url}/`);
    expect([denied.status, denied.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Basic /),
    ]);
    expect((await fetch(`${closed.url}/`, { headers: basic(TOKENS.read) })).status).toBe(200);
    expect((await fetch(`${closed.url}/`, { headers: basic('guess') })).status).toBe(401);
    expect((await fetch(`${closed.url}/metrics`, { headers: basic(TOKENS.call) })).status).toBe(403);
    await closed.close();
  });
});
