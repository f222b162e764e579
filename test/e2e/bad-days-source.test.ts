// Bad days of the repository: whatever happens to it, what runs goes on, and the status says what is wrong. One daemon
// watches a repository per case, so each case also shows that one project's trouble is not another's.
import { createHmac } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Status } from '../../schemas/api.ts';
import { makeBare, makeExecutable, openRepo } from '../git.ts';
import { ask } from './ask.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { newHome, smallService } from './repo.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const home = newHome();
const SECRET = 'a secret of both ends';
let daemon: Daemon;

const repos = {
  main: home.repo('main'),
  empty: home.repo('empty'),
  branch: home.repo('branch'),
  folder: home.repo('folder'),
  pushed: home.repo('pushed'),
  moved: home.repo('moved'),
  hooked: home.repo('hooked'),
  many: home.repo('many'),
};
const bare = (name: keyof typeof repos) => join(home.dir, `${name}.git`);

beforeAll(async () => {
  for (const name of ['main', 'pushed', 'moved', 'hooked'] as const) {
    repos[name].commit({ [`${name}.dstack.yml`]: smallService(name, 'first') }, 'First');
  }
  for (const name of ['branch', 'folder'] as const)
    repos[name].commit({ 'README.md': 'nothing yet' }, 'First');
  repos.many.commit({
    'one.dstack.yml': smallService('one', 'one'),
    'two.dstack.yml': smallService('two', 'two'),
    'trueup.yml': 'deletion_budget: 1\n',
  });
  for (const name of ['pushed', 'hooked'] as const) makeBare(repos[name], bare(name));
  daemon = await startDaemon({
    args: ['--config', writeConfig()],
    dataDir: home.dataDir,
    env: { GIT_SSH_COMMAND: makeSsh(), HOOK_SECRET: SECRET },
  });
  for (const name of ['main', 'pushed', 'moved', 'hooked'] as const) await saysIn(name, 'first');
});

afterAll(() => home.remove());

test('two files with one name: neither counts, and what runs stays', async () => {
  const { main } = repos;
  main.commit({ 'other.dstack.yml': smallService('main', 'the other') }, 'A second one');
  const status = await daemon.until('both files are at fault', (now) => problemsOf(now, 'main').length === 2);
  expect(
    problemsOf(status, 'main')
      .map(({ file }) => file)
      .toSorted(),
  ).toEqual(['main.dstack.yml', 'other.dstack.yml']);
  expect(status.services).toMatchObject([{ name: 'main', ready: 1, deployment: 1 }]);
  await says('main', 'first');
  main.commit({ 'other.dstack.yml': null }, 'Only one');
  await daemon.until('all is well', (now) => problemsOf(now, 'main').length === 0);
  await daemon.happens('fixed', /valid again/);
  expect((await daemon.service('main'))?.deployment).toBe(1);
});

test('a repository without a commit is waited for', async () => {
  await fails('empty', /no commit yet/);
  repos.empty.commit({ 'late.dstack.yml': smallService('late', 'better late') });
  await recovers('empty');
  await saysIn('empty', 'better late', 'late');
});

test('a branch that is not there is waited for, and those that are there are named', async () => {
  await fails('branch', /has no branch 'prod'.*: main/);
  repos.branch.git('branch', 'prod');
  await recovers('branch');
  expect((await daemon.status('branch')).commit).toBe(repos.branch.head());
});

test('a folder that is not there is waited for', async () => {
  await fails('folder', /no folder 'services'/);
  repos.folder.commit({ 'services/trueup.yml': '' });
  await recovers('folder');
});

test('a rewritten branch is followed, and said to be rewritten', async () => {
  const { pushed } = repos;
  pushed.commit({ 'pushed.dstack.yml': smallService('pushed', 'second') });
  pushed.git('push', '--quiet', 'origin', 'main');
  await saysIn('pushed', 'second');
  pushed.git('reset', '--quiet', '--hard', 'HEAD~1');
  pushed.commit({ 'pushed.dstack.yml': smallService('pushed', 'another second') }, 'Rewritten');
  pushed.git('push', '--quiet', '--force', 'origin', 'main');
  await saysIn('pushed', 'another second');
  await daemon.happens('commit', /Rewritten.*the branch was rewritten/, { project: 'pushed' });
});

test('a repository that goes away takes nothing with it, and is followed again when it is back', async () => {
  const { dir } = repos.moved;
  renameSync(dir, `${dir}-away`);
  await fails('moved', /cannot read/);
  await daemon.happens('source-failed', /cannot read/, { project: 'moved' });
  await says('moved', 'first');
  openRepo(`${dir}-away`).commit({ 'moved.dstack.yml': smallService('moved', 'back') });
  renameSync(`${dir}-away`, dir);
  await recovers('moved');
  await daemon.happens('source-recovered', /answers again/, { project: 'moved' });
  await saysIn('moved', 'back');
});

test('a webhook has the repository read at once, but only with the right signature', async () => {
  const { hooked } = repos;
  // It is polled once an hour, and is no folder of this machine: nothing else tells of a push.
  hooked.commit({ 'hooked.dstack.yml': smallService('hooked', 'pushed') });
  hooked.git('push', '--quiet', 'origin', 'main');
  const body = JSON.stringify({ ref: 'refs/heads/main' });
  expect(await deliver(body, 'another secret')).toBe(401);
  expect(await deliver(body, SECRET, 'main')).toBe(404);
  expect((await daemon.status('hooked')).commit).not.toBe(hooked.head());
  expect(await deliver(body, SECRET)).toBe(202);
  await saysIn('hooked', 'pushed');
});

test('more services than the budget allows are not removed at once, until they are named', async () => {
  const { many } = repos;
  const project = 'many';
  await saysIn(project, 'one', 'one');
  await saysIn(project, 'two', 'two');
  many.commit({ 'one.dstack.yml': null, 'two.dstack.yml': null }, 'Clean up');
  const held = await daemon.happens('deletions-held', /one, two/, { project });
  expect(held.reason).toContain('prune: { allow: [...] }');
  expect((await daemon.status(project)).held).toEqual(['one', 'two']);
  await says('one', 'one', project);
  await says('two', 'two', project);
  many.commit({ 'trueup.yml': 'deletion_budget: 1\nprune: {allow: [one, two]}\n' }, 'I mean it');
  await daemon.until('both are gone', ({ services }) => services.length === 0, { project });
  const url = `${daemon.url}/proxy/services/many/one/`;
  await eventually('the proxies know it no more', async () => (await ask(url)).status === 404);
});

test('all the while, the other projects were left alone', async () => {
  const { services } = await daemon.status();
  expect(services).toMatchObject([{ name: 'main', status: 'running', deployment: 1 }]);
  expect(services[0]?.replicas).toMatchObject([{ name: 'main-1', ready: true }]);
});

/** Service and project have one name here, unless said otherwise. */
async function says(service: string, text: string, project = service): Promise<void> {
  expect(await ask(`${daemon.url}/proxy/services/${project}/${service}/`)).toEqual({ status: 200, text });
}

/** Waits for the rollout of the repository's newest commit. */
async function saysIn(project: keyof typeof repos, text: string, service: string = project): Promise<void> {
  const commit = repos[project].head();
  const isDone = (status: Status) =>
    status.commit === commit &&
    status.services.some(({ name, status: word, rollout }) => {
      return (
        name === service && word === 'running' && rollout?.outcome === 'done' && rollout.commit === commit
      );
    });
  await daemon.until(`${project} runs ${commit}`, isDone, { project });
  await says(service, text, project);
}

async function fails(project: string, message: RegExp): Promise<void> {
  const isSo = ({ sourceFailure }: Status) => message.test(sourceFailure?.message ?? '');
  await daemon.until(`the source fails: ${message}`, isSo, { project });
}

async function recovers(project: string): Promise<void> {
  const isSo = ({ sourceFailure, commit }: Status) => sourceFailure === null && commit !== null;
  await daemon.until('the source is read', isSo, { project });
}

function problemsOf({ services }: Status, service: string) {
  return services.find(({ name }) => name === service)?.problems ?? [];
}

async function deliver(body: string, secret: string, project = 'hooked'): Promise<number> {
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature };
  const url = `${daemon.url}/webhooks/github?project=${project}`;
  return (await ask(url, { method: 'POST', headers, body })).status;
}

function writeConfig(): string {
  const file = join(home.dir, 'server.yml');
  const projects = {
    main: { repo: repos.main.dir },
    empty: { repo: repos.empty.dir },
    branch: { repo: repos.branch.dir, branch: 'prod' },
    folder: { repo: repos.folder.dir, path: 'services' },
    pushed: { repo: `file://${bare('pushed')}` },
    moved: { repo: repos.moved.dir },
    hooked: {
      repo: `ssh://forge.example${bare('hooked')}`,
      local: true,
      poll: '1h',
      webhook_secret: 'env:HOOK_SECRET',
    },
    many: { repo: repos.many.dir },
  };
  // Replicas of these tests may run as whoever runs the tests.
  writeFileSync(file, JSON.stringify({ allow_root: true, projects }));
  return file;
}

/** An `ssh` that finds every host on this machine: what makes a repository remote without a network. */
function makeSsh(): string {
  const file = join(home.dir, 'bin', 'ssh');
  mkdirSync(join(home.dir, 'bin'));
  writeFileSync(file, '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n');
  makeExecutable(file);
  return file;
}
