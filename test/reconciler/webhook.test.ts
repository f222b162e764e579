import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createWebhook,
  pushedRef,
  readCapped,
  verifyWebhook,
  type WebhookProvider,
} from '../../reconciler/webhook.ts';

const SECRET = "It's a Secret to Everybody";
const bytes = (text: string) => new TextEncoder().encode(text);
const sign = (body: string, secret = SECRET) => createHmac('sha256', secret).update(body).digest('hex');

function verify(provider: WebhookProvider, headers: IncomingHttpHeaders, body = 'body', secret = SECRET) {
  return verifyWebhook({ provider, headers, body: bytes(body), secret });
}

describe('who sent it', () => {
  test("GitHub's own example verifies", () => {
    // docs.github.com, "Validating webhook deliveries": the published test values.
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    expect(verify('github', { 'x-hub-signature-256': signature }, 'Hello, World!')).toEqual({ ok: true });
  });

  test.each<[string, WebhookProvider, IncomingHttpHeaders]>([
    ['GitHub', 'github', { 'x-hub-signature-256': `sha256=${sign('body')}` }],
    ['Gitea', 'git', { 'x-gitea-signature': sign('body') }],
    ['Forgejo', 'git', { 'x-forgejo-signature': sign('body'), 'x-gitea-signature': sign('body') }],
    ['GitLab', 'git', { 'x-gitlab-token': SECRET }],
  ])('%s is believed with the secret', (_, provider, headers) => {
    expect(verify(provider, headers)).toEqual({ ok: true });
  });

  test.each<[string, WebhookProvider, IncomingHttpHeaders]>([
    ['no signature', 'github', {}],
    ['an empty one', 'github', { 'x-hub-signature-256': '' }],
    ['one of another body', 'github', { 'x-hub-signature-256': `sha256=${sign('other')}` }],
    ['one with another secret', 'github', { 'x-hub-signature-256': `sha256=${sign('body', 'x')}` }],
    ['one without its prefix', 'github', { 'x-hub-signature-256': sign('body') }],
    ['one of the weaker kind', 'github', { 'x-hub-signature': `sha1=${sign('body')}` }],
    ["a GitLab token at GitHub's address", 'github', { 'x-gitlab-token': SECRET }],
    ['a part of the token', 'git', { 'x-gitlab-token': SECRET.slice(0, -1) }],
    ['the empty token', 'git', { 'x-gitlab-token': '' }],
    ['a wrong Gitea signature', 'git', { 'x-gitea-signature': sign('other') }],
  ])('%s is refused', (_, provider, headers) => {
    expect(verify(provider, headers)).toMatchObject({ ok: false, status: 401 });
  });

  test('without a secret, nothing is believed: not even what the empty secret signed', () => {
    const headers = { 'x-gitlab-token': '', 'x-gitea-signature': sign('body', '') };
    expect(verify('git', headers, 'body', '')).toMatchObject({ ok: false, status: 404 });
  });
});

describe('what it is about', () => {
  test.each([
    ['{"ref":"refs/heads/main","after":"x"}', 'application/json', 'refs/heads/main'],
    [
      `payload=${encodeURIComponent('{"ref":"refs/heads/main"}')}`,
      'application/x-www-form-urlencoded',
      'refs/heads/main',
    ],
    ['{"zen":"Design for failure."}', 'application/json', null],
    ['{"ref":["refs/heads/main"]}', 'application/json', null],
    ['null', 'application/json', null],
    ['no json', 'application/json', null],
    ['', '', null],
  ])('%s', (body, type, ref) => {
    expect(pushedRef(bytes(body), type)).toBe(ref);
  });
});

describe('reading the body', () => {
  async function* chunks(...texts: string[]) {
    for (const text of texts) yield bytes(text);
  }

  test('a body up to the cap is read; one byte more is refused, without reading on', async () => {
    expect(await readCapped(chunks('12', '34'), 4)).toEqual({ ok: true, body: Buffer.from('1234') });
    let taken = 0;
    const endless = (async function* () {
      for (;;) {
        taken += 1;
        yield bytes('1234567890');
      }
    })();
    expect(await readCapped(endless, 25)).toMatchObject({ ok: false, status: 413 });
    expect(taken).toBe(3);
  });

  test('a body that never ends is given up', async () => {
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
    };
    expect(await readCapped(silent, 100, 20)).toMatchObject({ ok: false, status: 408 });
  });
});

describe('over http', () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    vi.useRealTimers();
  });

  async function serve(branch: string): Promise<{ url: string; woken: () => number }> {
    let woken = 0;
    const handle = createWebhook({
      secret: SECRET,
      branch: () => branch,
      wake: () => {
        woken += 1;
      },
    });
    server = createServer((request, response) => {
      void handle(request.url === '/webhooks/github' ? 'github' : 'git', request).then(({ status, body }) => {
        response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, woken: () => woken };
  }

  function deliver(url: string, headers: Record<string, string>, body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = send(url, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  const github = (body: string) => ({ 'x-hub-signature-256': `sha256=${sign(body)}` });

  test('a push to the watched branch wakes; to another, or unsigned, it does not', async () => {
    const { url, woken } = await serve('main');
    const other = JSON.stringify({ ref: 'refs/heads/other' });
    const main = JSON.stringify({ ref: 'refs/heads/main' });
    expect(await deliver(`${url}/webhooks/github`, github(other), other)).toBe(202);
    expect(await deliver(`${url}/webhooks/github`, {}, main)).toBe(401);
    expect(woken()).toBe(0);
    expect(await deliver(`${url}/webhooks/git`, { 'x-gitlab-token': SECRET }, main)).toBe(202);
    expect(woken()).toBe(1);
  });

  test('while the branch is unknown, or HEAD itself is watched, every push wakes', async () => {
    for (const branch of ['', 'HEAD']) {
      const { url, woken } = await serve(branch);
      const body = JSON.stringify({ ref: 'refs/heads/other' });
      await deliver(`${url}/webhooks/github`, github(body), body);
      expect(woken()).toBe(1);
    }
  });

  test('a storm of deliveries wakes once, and once more when the second is over', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { url, woken } = await serve('main');
    for (let i = 0; i < 20; i++) await deliver(`${url}/webhooks/github`, github('{}'), '{}');
    expect(woken()).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(woken()).toBe(2);
    vi.advanceTimersByTime(10_000);
    expect(woken()).toBe(2);
  });

  test('a body over the cap is refused before anything is computed over it', async () => {
    const { url, woken } = await serve('main');
    const body = 'x'.repeat(1_100_000);
    const status = await deliver(`${url}/webhooks/github`, github(body), body).catch(() => 413);
    expect(status).toBe(413);
    expect(woken()).toBe(0);
  });
});
