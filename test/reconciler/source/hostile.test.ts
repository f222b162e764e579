// A repository whose owner wants the one who watches it to run something.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { openSource, type Source } from '../../../reconciler/source/git.ts';
import { makeExecutable, makeRepo, type TestRepo, temporaryFolder } from '../../git.ts';

const place = temporaryFolder();
const opened: Source[] = [];
let count = 0;
let at: string;
let traps: string;
let repo: TestRepo;

beforeEach(() => {
  at = join(place.dir, String(++count));
  traps = join(at, 'traps');
  repo = makeRepo(join(at, 'repo'));
  mkdirSync(traps);
});

afterAll(() => {
  for (const source of opened) source.close();
  place.remove();
});

/** A command that leaves a trace when anything runs it. */
function trap(name: string): string {
  const script = join(at, `run-${name}`);
  writeFileSync(script, `#!/bin/sh\ntouch '${join(traps, name)}'\n`);
  makeExecutable(script);
  return script;
}

function sprung(): readonly string[] {
  return readdirSync(traps);
}

async function source(): Promise<Source> {
  const made = await openSource({ repo: repo.dir, dir: join(at, 'data') });
  opened.push(made);
  return made;
}

test('no hook, helper or filter of the watched repository is run, by anything we do', async () => {
  repo.commit({ 'a.yml': 'one', '.gitattributes': '* filter=evil diff=evil\n' });
  const settings = {
    'core.fsmonitor': trap('fsmonitor'),
    'core.sshCommand': trap('ssh'),
    'core.hooksPath': join(at, 'hooks'),
    'core.pager': trap('pager'),
    'core.alternateRefsCommand': trap('alternates'),
    'uploadpack.packObjectsHook': trap('pack-objects'),
    'filter.evil.smudge': trap('smudge'),
    'filter.evil.clean': trap('clean'),
    'diff.evil.textconv': trap('textconv'),
    'diff.external': trap('external'),
    'credential.helper': `!${trap('credential')}`,
    'gpg.program': trap('gpg'),
  };
  for (const [name, command] of Object.entries(settings)) repo.git('config', name, command);
  mkdirSync(join(at, 'hooks'));
  for (const hook of readdirSync(join(repo.dir, '.git', 'hooks'))) {
    const name = hook.replace('.sample', '');
    writeFileSync(join(at, 'hooks', name), `#!/bin/sh\ntouch '${join(traps, name)}'\n`, { mode: 0o755 });
  }

  const watched = await source();
  const first = await watched.fetch();
  // Written beside git, so that the commit itself springs no trap.
  const tree = repo.git('rev-parse', 'HEAD^{tree}');
  const next = repo.git('commit-tree', tree, '-p', first.commit, '-m', 'next');
  writeFileSync(join(repo.dir, '.git', 'refs', 'heads', 'main'), `${next}\n`);
  expect((await watched.fetch()).commit).toBe(next);
  const entries = await watched.list(next);
  await watched.read(entries.map((entry) => entry.id));
  await watched.changed(first.commit, next);
  for await (const file of watched.mount(next, '')()) expect(file.mode).toBe(0o644);
  await watched.keep([]);
  expect(sprung()).toEqual([]);

  // The traps are real: the same repository, used carelessly.
  execFileSync('git', ['status'], { cwd: repo.dir, stdio: 'ignore' });
  expect(sprung()).toContain('fsmonitor');
});

test('a partial clone does not make us fetch what it lacks by a command of its choice', async () => {
  repo.commit({ 'a.yml': 'one' });
  const blob = repo.git('rev-parse', 'HEAD:a.yml');
  rmSync(join(repo.dir, '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
  const settings = {
    'core.repositoryFormatVersion': '1',
    'extensions.partialClone': 'origin',
    'remote.origin.promisor': 'true',
    'remote.origin.url': 'ssh://example.org/repo',
    'remote.origin.uploadpack': trap('upload-pack'),
    'core.sshCommand': trap('ssh'),
  };
  for (const [name, value] of Object.entries(settings)) repo.git('config', name, value);
  const watched = await source();
  await expect(watched.fetch()).rejects.toThrow('partial clone');
  expect(sprung()).toEqual([]);

  // The trap is real: git itself walks into it.
  expect(() => execFileSync('git', ['cat-file', 'blob', blob], { cwd: repo.dir, stdio: 'ignore' })).toThrow();
  expect(sprung()).toContain('ssh');
});

test('git files that name other places lead nowhere', async () => {
  repo.commit({ 'a.yml': 'one' });
  writeFileSync(
    join(repo.dir, '.git', 'config'),
    `[core]\n\trepositoryformatversion = 0\n\tbare = false\n[include]\n\tpath = ${join(at, 'more')}\n[alias]\n\tls-tree = !${trap('alias')}\n`,
  );
  writeFileSync(join(at, 'more'), `[core]\n\tfsmonitor = ${trap('included')}\n`);
  const watched = await source();
  const { commit } = await watched.fetch();
  expect(await watched.list(commit)).toHaveLength(1);
  expect(sprung()).toEqual([]);
  expect(existsSync(join(at, 'data', 'mirror', 'hooks'))).toBe(false);
});
