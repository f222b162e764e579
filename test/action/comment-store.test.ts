// The one comment of a pull request, among many, of several writers and runs, on a GitHub that has its bad moments.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createGitHub } from '../../action/github/client.ts';
import { type CommentStore, createCommentStore } from '../../action/github/comment-store.ts';
import { makeRepo, temporaryFolder } from '../git.ts';
import { BOT, NAME, OWNER, startGitHub, type TestGitHub, TOKENS } from './github.ts';

const folder = temporaryFolder();
let github: TestGitHub;
let number: number;

beforeAll(async () => {
  github = await startGitHub(makeRepo(folder.dir));
});
afterAll(async () => {
  await github.close();
  folder.remove();
});
beforeEach(async () => {
  number = await github.open('a'.repeat(40), 'b'.repeat(40));
  github.calls.length = 0;
});

/** As a job has it. */
function store(): CommentStore {
  const client = createGitHub({ token: TOKENS.job, apiUrl: github.url, pauseMs: 1 });
  return createCommentStore(client, { owner: OWNER, repo: NAME });
}

function bodyOf(text: string, at: string, path = '', run?: number): string {
  const marker = { version: 1, project: 'main', path, at, run, head: 'a'.repeat(40), digest: 'd'.repeat(64) };
  return `<!-- trueup ${JSON.stringify(marker)} -->\n${text}`;
}

const [EARLY, LATE] = ['2026-01-05T09:00:00.000Z', '2026-01-05T09:00:01.000Z'];

interface More {
  readonly path?: string;
  readonly isNew?: boolean;
  readonly run?: number;
}

function write(text: string, at = EARLY, { path = '', isNew = false, run }: More = {}) {
  return store().write({
    number,
    marker: { project: 'main', path, at, run },
    body: bodyOf(text, at, path, run),
    isNew,
  });
}

const texts = async () => (await github.comments(number)).map(({ body }) => body.split('\n')[1] ?? body);

describe('a comment', () => {
  test('is made once, and then kept up to date', async () => {
    expect((await write('one')).kind).toBe('created');
    expect((await write('two', LATE)).kind).toBe('updated');
    expect(await texts()).toEqual(['two']);
  });

  test('is found behind more than a hundred others', async () => {
    for (let count = 0; count < 105; count++) await github.comment(number, `No. ${count}`);
    await write('mine');
    for (let count = 0; count < 5; count++) await github.comment(number, 'more');
    expect((await write('mine, again', LATE)).kind).toBe('updated');
    const pages = github.calls.filter((call) => call.startsWith('GET') && call.includes('/comments'));
    expect(pages.length).toBeGreaterThanOrEqual(4);
  });

  test('of an older run never replaces that of a newer one', async () => {
    await write('newer', LATE);
    expect(await write('older', EARLY)).toEqual({ kind: 'newer' });
    expect(await texts()).toEqual(['newer']);
  });

  test('of an older run stays behind, though it began late, and a re-run goes by when it began', async () => {
    await write('newer', EARLY, { run: 12 });
    expect((await write('older', LATE, { run: 11 })).kind).toBe('newer');
    expect((await write('again', LATE)).kind).toBe('updated');
    expect(await texts()).toEqual(['again']);
  });

  test('that says the same is not written again, whichever run says it', async () => {
    const saying = (run: number) =>
      `one\n<sub>Plan · kept as <code>p-${run}</code> until 2026-06-0${run} · [run](https://github.com/ada/services/actions/runs/${run})</sub>\n`;
    await write(saying(1), EARLY, { run: 1 });
    expect((await write(saying(1), EARLY, { run: 1 })).kind).toBe('same');
    expect((await write(saying(2), LATE, { run: 2 })).kind).toBe('same');
    expect(github.calls.filter((call) => call.startsWith('PATCH'))).toEqual([]);
  });

  test('of somebody else is never touched, whatever it says it is', async () => {
    await github.comment(number, bodyOf('forged', LATE));
    expect((await write('mine')).kind).toBe('created');
    const found = await github.comments(number);
    expect(found.map(({ author }) => author)).toEqual(['grace', BOT]);
    expect(await texts()).toEqual(['forged', 'mine']);
  });

  test('is one for each watched folder', async () => {
    await write('one');
    await write('other', EARLY, { path: 'other' });
    await write('other, again', LATE, { path: 'other' });
    expect(await texts()).toEqual(['one', 'other, again']);
  });

  test('is another one each time, where that is wished for', async () => {
    await write('one');
    await write('two', LATE, { isNew: true });
    expect(await texts()).toEqual(['one', 'two']);
  });

  test('told of in many words is looked for among all the others once, and made anew when it is gone', async () => {
    const one = store();
    const say = (text: string, at = EARLY) =>
      one.write({ number, marker: { project: 'main', path: '', at }, body: bodyOf(text, at), isNew: false });
    for (const text of ['one', 'two', 'three', 'four']) await say(text);
    const lists = github.calls.filter((call) => /^GET .*\/issues\/\d+\/comments/.test(call));
    // Nothing was found the first time.
    expect(lists).toHaveLength(2);
    expect(await texts()).toEqual(['four']);
    const [comment] = await github.comments(number);
    await github.forget(comment?.id ?? 0);
    expect((await say('five')).kind).toBe('created');
    expect(await texts()).toEqual(['five']);
  });

  test('of whoever the token speaks for is found where there is no GraphQL', async () => {
    github.fail({ call: /graphql/, status: 404, times: 2 });
    const client = createGitHub({ token: TOKENS.person, apiUrl: github.url, pauseMs: 1 });
    const say = (text: string) =>
      createCommentStore(client, { owner: OWNER, repo: NAME }).write({
        number,
        marker: { project: 'main', path: '', at: EARLY },
        body: bodyOf(text, EARLY),
        isNew: false,
      });
    expect((await say('one')).kind).toBe('created');
    expect((await say('two')).kind).toBe('updated');
  });

  test('is made once, though the answer to making it was lost', async () => {
    github.fail({ call: /^POST .*comments$/, status: 502, isDone: true });
    expect((await write('one')).kind).toBe('same');
    expect(await texts()).toEqual(['one']);
  });
});

describe('GitHub', () => {
  test('is asked again after a hiccup, and after as long as a limit says', async () => {
    github.fail({ call: /^GET .*comments/, status: 500, times: 2 });
    github.fail({ call: /^POST .*comments$/, status: 403, headers: { 'retry-after': '0' }, times: 2 });
    expect((await write('one')).kind).toBe('created');
    expect(await texts()).toEqual(['one']);
  });

  test('is not asked again when it says no', async () => {
    github.fail({ call: /^POST .*comments$/, status: 403 });
    await expect(write('one')).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(github.calls.filter((call) => call.startsWith('POST') && call.endsWith('comments'))).toHaveLength(
      1,
    );
  });

  test('is not waited for longer than a job should', async () => {
    github.fail({ call: /^POST .*comments$/, status: 429, headers: { 'retry-after': '3600' } });
    await expect(write('one')).rejects.toMatchObject({
      kind: 'rate-limited',
      message: expect.stringMatching(/^GitHub takes no more requests until \d\d:\d\d:\d\d UTC$/),
    });
    const [reset, left] = [String(Math.floor(Date.now() / 1000) + 3600), '0'];
    const headers = { 'x-ratelimit-remaining': left, 'x-ratelimit-reset': reset };
    github.fail({ call: /^POST .*comments$/, status: 403, headers });
    await expect(write('one')).rejects.toMatchObject({ kind: 'rate-limited' });
  });

  test('may say in words alone that it is asked too often', async () => {
    const message = 'You have exceeded a secondary rate limit. Please wait a few minutes.';
    github.fail({ call: /^POST .*comments$/, status: 403, message });
    const client = createGitHub({ token: TOKENS.job, apiUrl: github.url, pauseMs: 1, longestPauseMs: 1 });
    const wish = { number, marker: { project: 'main', path: '', at: EARLY }, isNew: false };
    const writing = createCommentStore(client, { owner: OWNER, repo: NAME }).write({
      ...wish,
      body: bodyOf('one', EARLY),
    });
    await expect(writing).rejects.toMatchObject({ kind: 'rate-limited' });
  });

  test('that never answers is given up', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const apiUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const client = createGitHub({ token: TOKENS.job, apiUrl, pauseMs: 1, timeoutMs: 20 });
    await expect(client.rest.repos.get({ owner: OWNER, repo: NAME })).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringContaining('GitHub gave no answer'),
    });
    silent.closeAllConnections();
    silent.close();
  });

  test('is asked for few things at once, and for all of them', async () => {
    let [open, most] = [0, 0];
    const slow = createServer(async (_, response) => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const apiUrl = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const client = createGitHub({ token: TOKENS.job, apiUrl });
    const asks = Array.from({ length: 40 }, () => client.rest.repos.get({ owner: OWNER, repo: NAME }));
    expect(await Promise.all(asks)).toHaveLength(40);
    expect(most).toBeLessThanOrEqual(8);
    slow.closeAllConnections();
    slow.close();
  });
});
