// What a changed field does to processes that run: nothing, where it can be nothing.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TestRepo } from '../git.ts';
import { type Answer, ask } from './ask.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { replicaPids } from './processes.ts';
import { newHome, smallService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
const secret = join(home.dir, 'secret');
let repo: TestRepo;
let daemon: Daemon;
let file = smallService('web', `\${{ secrets.SAYS }}`, 'replicas: 2\n');

beforeAll(async () => {
  repo = home.repo();
  repo.commit({ 'web.dstack.yml': file });
  writeFileSync(secret, 'first');
  const config = join(home.dir, 'server.yml');
  writeFileSync(
    config,
    JSON.stringify({ projects: { main: { repo: repo.dir, secrets: { SAYS: `file:${secret}` } } } }),
  );
  daemon = await startDaemon({ args: ['--config', config], dataDir: home.dataDir });
  await isDone(1);
});

afterAll(() => home.remove());

test('`auth` is a matter of the route: no process is touched', async () => {
  const before = pids();
  await change('auth: false', 'auth: true', 2);
  expect((await asked()).status).toBe(403);
  await change('auth: true', 'auth: false', 3);
  expect(await asked()).toEqual({ status: 200, text: 'first' });
  expect(pids()).toEqual(before);
});

test('new probes are tried on the replicas that run', async () => {
  const before = pids();
  await change('replicas: 2', 'replicas: 2\nprobes: [{type: http, url: /, interval: 1s}]', 4);
  expect(pids()).toEqual(before);
});

test('one replica more, two less: the others are kept', async () => {
  const before = pids();
  await change('replicas: 2', 'replicas: 3', 5);
  expect(pids()).toEqual(expect.arrayContaining([...before]));
  expect(pids()).toHaveLength(3);
  await change('replicas: 3', 'replicas: 1', 6);
  expect(pids()).toHaveLength(1);
  expect(before).toEqual(expect.arrayContaining([...pids()]));
});

test('another order and spelling, a comment, a default written out change nothing', async () => {
  const before = pids();
  const lines = file.trim().split('\n');
  const head = lines.slice(0, 2);
  file = ['# a comment', 'strip_prefix: true', ...lines.slice(2), ...head.toReversed(), ''].join('\n');
  const commit = repo.commit({ 'web.dstack.yml': file });
  const status = await daemon.until('the commit is read', (now) => now.commit === commit);
  expect(status.services).toMatchObject([{ status: 'running', deployment: 6, problems: [] }]);
  expect(pids()).toEqual(before);
});

test('a new value of a secret is rolled out, without a commit', async () => {
  writeFileSync(secret, 'second');
  await isDone(7);
  expect(await asked()).toEqual({ status: 200, text: 'second' });
});

test('a new name: the old one serves until the new one does', async () => {
  repo.commit({ 'web.dstack.yml': file.replace('name: web', 'name: site') });
  await daemon.untilService('site', 'runs', ({ status }) => status === 'running');
  expect(await asked('site')).toEqual({ status: 200, text: 'second' });
  const { seq: gone } = await daemon.happens('removed', /it is called site now; its replicas are ended/);
  const { seq: there } = await daemon.happens('rollout-done', /deployment 1 is done: 1 replica /);
  expect(there).toBeLessThan(gone);
  await daemon.until('the old one is gone', ({ services }) => services.length === 1);
});

async function change(from: string, to: string, deployment: number): Promise<void> {
  expect(file).toContain(from);
  file = file.replace(from, to);
  repo.commit({ 'web.dstack.yml': file }, to);
  await isDone(deployment);
}

async function isDone(deployment: number): Promise<void> {
  await daemon.untilService(
    'web',
    `runs deployment ${deployment}`,
    ({ status, rollout }) => status === 'running' && rollout?.to === deployment && rollout.outcome === 'done',
  );
}

function pids(): readonly number[] {
  return [...replicaPids(home.dataDir).values()];
}

function asked(name = 'web'): Promise<Answer> {
  return ask(`${daemon.url}/proxy/services/main/${name}/`);
}
