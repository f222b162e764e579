// The client of the server: asks again what was lost, and turns every refusal into a sentence with what to do.
import { once } from 'node:events';
import { createServer as createHttp, type Server as Http } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInputs } from '../../action/inputs.ts';
import { logIn } from '../../action/login.ts';
import { createServer } from '../../action/server.ts';

const ABLE = { version: '1', project: 'main', apply: 'gated', github: { statuses: false }, scopes: ['read'] };

let http: Http;
let url: string;
/** What is answered, one after the other; the last for good. */
let answers: { readonly status: number; readonly body: unknown }[];
let asked: string[];

beforeEach(async () => {
  asked = [];
  http = createHttp((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    const { status, body } = (answers.length > 1 ? answers.shift() : answers[0]) ?? { status: 500, body: {} };
    if (status === 0) return request.socket.destroy();
    response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {});
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterEach(() => {
  http.closeAllConnections();
  http.close();
});

const server = (pausesMs = [1, 1, 1]) =>
  createServer({ url, project: 'main', token: 'secret-token', pausesMs });

describe('the server', () => {
  test('is asked again while it is away, and answers then', async () => {
    answers = [
      { status: 503, body: { detail: 'reconciler is not running' } },
      { status: 0, body: null },
      { status: 502, body: 'bad gateway' },
      { status: 200, body: ABLE },
    ];
    expect(await server().capabilities()).toEqual(ABLE);
    expect(asked).toEqual(Array(4).fill('GET /api/v1/capabilities?project=main Bearer secret-token'));
  });

  test('that stays away is a failure that may pass', async () => {
    answers = [{ status: 503, body: { detail: 'reconciler is not running', fix: 'Start it.' } }];
    await expect(server([1]).status()).rejects.toMatchObject({
      kind: 'transient',
      message: 'the server says: reconciler is not running',
      fix: 'Start it.',
    });
    http.close();
    http.closeAllConnections();
    await expect(server([1]).status()).rejects.toMatchObject({
      kind: 'transient',
      fix: expect.stringContaining('runner'),
    });
  });

  test('that refuses is asked once, and its words are passed on without the token', async () => {
    answers = [{ status: 403, body: { detail: 'no rule fits', fix: 'Add one.' } }];
    const failure = await server()
      .status()
      .catch((error: Error) => error);
    expect(failure).toMatchObject({
      kind: 'unauthorized',
      message: 'the server says: no rule fits',
      fix: 'Add one.',
    });
    expect(JSON.stringify(failure)).not.toContain('secret-token');
    expect(asked).toHaveLength(1);
  });

  test('that does not know the token any more gets a new one, once', async () => {
    const unknown = { status: 401, body: { detail: 'this token is not known here' } };
    answers = [unknown, { status: 200, body: ABLE }];
    const renewing = createServer({
      url,
      project: 'main',
      token: 'old',
      renew: async () => 'new',
      pausesMs: [],
    });
    expect(await renewing.capabilities()).toEqual(ABLE);
    expect(asked.map((each) => each.split(' ').at(-1))).toEqual(['old', 'new']);
    answers = [unknown];
    await expect(renewing.capabilities()).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(asked).toHaveLength(4);
  });

  test('never gets its token sent elsewhere, and the way to where it is instead is shown', async () => {
    answers = [{ status: 302, body: '' }];
    await expect(server().status()).rejects.toMatchObject({
      kind: 'invalid',
      message: `${url} sends us on to http://127.0.0.1:1`,
      fix: expect.stringContaining('input `server`'),
    });
    expect(asked).toHaveLength(1);
  });

  test('that has failed within is no fault of the workflow', async () => {
    answers = [{ status: 500, body: { detail: 'the server failed', fix: 'See the log of `trueup serve`.' } }];
    await expect(server([1]).status()).rejects.toMatchObject({
      kind: 'transient',
      message: 'the server says: the server failed',
    });
    expect(asked).toHaveLength(2);
  });

  test('that cannot be reached says why', async () => {
    answers = [{ status: 0, body: null }];
    await expect(server([]).status()).rejects.toThrow(/cannot reach the server .*: the connection was cut/);
    http.close();
    http.closeAllConnections();
    await expect(server([]).status()).rejects.toThrow(/cannot reach the server .*: nothing listens there/);
  });

  test('that is none says so', async () => {
    answers = [{ status: 200, body: { hello: 'world' } }];
    await expect(server().status()).rejects.toThrow('something else than expected');
    answers = [{ status: 418, body: 'a teapot' }];
    await expect(server().status()).rejects.toThrow('not as trueup does');
  });

  test('that refuses an apply has answered', async () => {
    const body = { accepted: false, commit: 'c', refusal: 'stale', detail: 'no', difference: [] };
    answers = [{ status: 409, body }];
    expect(await server().apply({ commit: 'c', plan: 'p' })).toEqual(body);
  });
});

describe('a login', () => {
  const masked: string[] = [];
  const out = { mask: (text: string) => void masked.push(text) };
  const inputs = (more: NodeJS.ProcessEnv = {}) => readInputs({ INPUT_SERVER: url, ...more });

  test('uses the token that was given, and has it masked', async () => {
    const login = await logIn({ inputs: inputs({ TRUEUP_TOKEN: 'given' }), env: {}, out, server: server() });
    expect(login).toEqual({ kind: 'token', token: 'given' });
    expect(masked).toContain('given');
  });

  test('exchanges the identity of the job, for the address of the server', async () => {
    const expires = '2026-01-05T09:00:00.000Z';
    answers = [
      { status: 200, body: { value: 'identity' } },
      { status: 200, body: { token: 'ours', expires, name: 'run 42', scopes: ['plan'], projects: ['*'] } },
    ];
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/id?v=1`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of the job',
    };
    const login = await logIn({ inputs: inputs(), env, out, server: server() });
    expect(login).toEqual({ kind: 'token', token: 'ours' });
    expect(asked[0]).toBe(`GET /id?v=1&audience=${encodeURIComponent(url)} Bearer of the job`);
    expect(masked).toEqual(expect.arrayContaining(['identity', 'ours']));
  });

  test('is none for a job without either', async () => {
    expect(await logIn({ inputs: inputs(), env: {}, out, server: server() })).toMatchObject({ kind: 'none' });
  });

  test('says when GitHub gives no identity', async () => {
    answers = [{ status: 500, body: '' }];
    const env = { ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/id`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of the job' };
    await expect(logIn({ inputs: inputs(), env, out, server: server(), pausesMs: [1, 1] })).rejects.toThrow(
      'no identity: it answered 500',
    );
    expect(asked).toHaveLength(3);
  });
});
