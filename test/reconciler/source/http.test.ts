import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSource, type Source, type SourceOptions } from '../../../reconciler/source/git.ts';
import { Failure } from '../../../schemas/errors.ts';
import {
  type GitServer,
  makeBare,
  makeExecutable,
  makeRepo,
  serveGit,
  type TestRepo,
  temporaryFolder,
} from '../../git.ts';

const PASSWORD = 'correct-horse';
const place = temporaryFolder();
const root = join(place.dir, 'served');
const opened: Source[] = [];
let repo: TestRepo;
let open: GitServer;
let guarded: GitServer;
let count = 0;

beforeAll(async () => {
  repo = makeRepo(join(place.dir, 'repo'));
  repo.commit({ 'a.yml': 'one' });
  makeBare(repo, join(root, 'repo.git'));
  open = await serveGit(root);
  guarded = await serveGit(root, { password: PASSWORD });
});

afterAll(async () => {
  for (const source of opened) source.close();
  await Promise.all([open.close(), guarded.close()]);
  place.remove();
});

async function source(repo: string, options: Partial<SourceOptions> = {}): Promise<Source> {
  const made = await openSource({ repo, dir: join(place.dir, `data-${++count}`), ...options });
  opened.push(made);
  return made;
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Failure);
  return error as Failure;
}

test('a repository is followed over http', async () => {
  const watched = await source(`${open.url}/repo.git`);
  expect(await watched.fetch()).toMatchObject({ commit: repo.head(), forced: false });
  expect(watched.isLocal).toBe(false);
  const pushed = repo.commit({ 'a.yml': 'two' });
  repo.git('push', '--quiet', 'origin', 'main');
  expect(await watched.fetch()).toMatchObject({ commit: pushed, forced: false });
  repo.commit({ 'a.yml': 'three' });
  repo.git('commit', '--quiet', '--amend', '--message=rewritten');
  repo.git('reset', '--quiet', '--soft', 'HEAD~2');
  repo.git('commit', '--quiet', '--message=squashed');
  repo.git('push', '--quiet', '--force', 'origin', 'main');
  expect(await watched.fetch()).toMatchObject({ commit: repo.head(), forced: true });
});

test('a token opens a guarded repository; without one, or with a wrong one, it is said what to do', async () => {
  const right = await source(`${guarded.url}/repo.git`, { token: PASSWORD });
  expect((await right.fetch()).commit).toBe(repo.head());
  const missing = await failureOf((await source(`${guarded.url}/repo.git`)).fetch());
  expect(missing).toMatchObject({ kind: 'unauthorized' });
  expect(missing.message).toContain('none is configured');
  const wrong = await failureOf((await source(`${guarded.url}/repo.git`, { token: 'wrong-horse' })).fetch());
  expect(wrong).toMatchObject({ kind: 'unauthorized' });
  expect(wrong.fix).toContain('token');
});

test('a password written in the URL works, and appears in no message, file, description or command line', async () => {
  const { host } = new URL(guarded.url);
  const log = await withLoggedGit(async () => {
    const watched = await source(`http://ada:${PASSWORD}@${host}/repo.git`);
    await watched.fetch();
    expect(watched.description).toBe(`http://${host}/repo.git`);
    const failing = await source(`http://ada:${PASSWORD}@${host}/nothing.git`);
    const failure = await failureOf(failing.fetch());
    expect(failure.message + failure.fix + failure.stack).not.toContain(PASSWORD);
  });
  expect(log).toContain('fetch');
  expect(log).not.toContain(PASSWORD);
  for (const dir of readdirSync(place.dir).filter((name) => name.startsWith('data-'))) {
    expect(readFileSync(join(place.dir, dir, 'config'), 'utf8')).not.toContain(PASSWORD);
    expect(readFileSync(join(place.dir, dir, 'mirror', 'config'), 'utf8')).not.toContain(PASSWORD);
  }
});

test('a redirect to another server does not take the password along', async () => {
  const other = await serveGit(root, { password: 'of another server' });
  const moved = await serveGit(root, { redirectTo: other.url });
  const watched = await source(`${moved.url}/repo.git`, { token: PASSWORD });
  expect((await failureOf(watched.fetch())).kind).toBe('unauthorized');
  expect(other.passwords()).toEqual([]);
  await Promise.all([moved.close(), other.close()]);
});

test('a repository that was never there is a mistake; one that was is awaited', async () => {
  const never = await failureOf((await source(`${open.url}/nothing.git`)).fetch());
  expect(never.kind).toBe('invalid');
  const watched = await source(`${open.url}/repo.git`);
  await watched.fetch();
  renameSync(join(root, 'repo.git'), join(root, 'away.git'));
  expect((await failureOf(watched.fetch())).kind).toBe('transient');
  renameSync(join(root, 'away.git'), join(root, 'repo.git'));
  expect((await watched.fetch()).commit).toBe(repo.head());
});

test('a server that is down is transient, and what was fetched stays readable', async () => {
  const server = await serveGit(root);
  const dir = join(place.dir, 'data-kept');
  const watched = await source(`${server.url}/repo.git`, { dir });
  const { commit } = await watched.fetch();
  await server.close();
  expect((await failureOf(watched.fetch())).kind).toBe('transient');
  const restarted = await source(`${server.url}/repo.git`, { dir });
  for (const each of [watched, restarted]) expect(await each.list(commit)).toHaveLength(1);
});

test('a server that never answers is given up, and the next one is asked afresh', async () => {
  const server = await serveGit(root);
  const watched = await source(`${server.url}/repo.git`, { timeoutMs: 1000 });
  server.hang(true);
  const failure = await failureOf(watched.fetch());
  expect(failure.kind).toBe('transient');
  expect(failure.message).toContain('no answer for 1 s');
  server.hang(false);
  expect((await watched.fetch()).commit).toBe(repo.head());
  await server.close();
});

test('closing ends a fetch that hangs', async () => {
  const server = await serveGit(root);
  const watched = await source(`${server.url}/repo.git`);
  server.hang(true);
  const failing = failureOf(watched.fetch());
  watched.close();
  expect((await failing).kind).toBe('transient');
  await server.close();
});

test("settings of the machine and of the daemon's environment change nothing", async () => {
  const home = join(place.dir, 'home');
  mkdirSync(home);
  const trap = join(home, 'trap');
  writeFileSync(
    join(home, '.gitconfig'),
    `[url "file:///nowhere/"]\n\tinsteadOf = http://\n[core]\n\tsshCommand = touch ${trap}\n[credential]\n\thelper = "!touch ${trap}"\n`,
  );
  const before = { ...process.env };
  Object.assign(process.env, {
    HOME: home,
    GIT_DIR: '/nowhere',
    GIT_WORK_TREE: '/nowhere',
    GIT_ASKPASS: `touch ${trap}`,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.gitProxy',
    GIT_CONFIG_VALUE_0: `touch ${trap}`,
  });
  try {
    expect((await (await source(`${open.url}/repo.git`)).fetch()).commit).toBe(repo.head());
    expect((await failureOf((await source(`${guarded.url}/repo.git`)).fetch())).kind).toBe('unauthorized');
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
  expect(readdirSync(home)).toEqual(['.gitconfig']);
});

/** Runs with a `git` that writes down how it was called; gives what it wrote. */
async function withLoggedGit(body: () => Promise<void>): Promise<string> {
  const bin = join(place.dir, 'bin');
  const log = join(place.dir, 'calls');
  mkdirSync(bin);
  const path = process.env.PATH ?? '';
  writeFileSync(
    join(bin, 'git'),
    `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\nPATH='${path}' exec git "$@"\n`,
  );
  makeExecutable(join(bin, 'git'));
  process.env.PATH = `${bin}:${path}`;
  try {
    await body();
  } finally {
    process.env.PATH = path;
  }
  return readFileSync(log, 'utf8');
}
