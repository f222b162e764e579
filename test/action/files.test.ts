// The files of a commit, from a checkout and by the API: the same, and nothing but them.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkedOut, hasCheckout, readCheckout, readCommit } from '../../action/files.ts';
import { createGitHub } from '../../action/github/client.ts';
import { createTrees, type Trees } from '../../action/github/trees.ts';
import { mountedObjects } from '../../action/mounted.ts';
import { smallService } from '../e2e/repo.ts';
import { makeRepo, type TestRepo, temporaryFolder } from '../git.ts';
import { NAME, OWNER, startGitHub, type TestGitHub, TOKENS } from './github.ts';

const folder = temporaryFolder();
let repo: TestRepo;
let commit: string;
let github: TestGitHub;
let trees: Trees;

beforeAll(async () => {
  repo = makeRepo(join(folder.dir, 'repo'));
  mkdirSync(join(repo.dir, 'prod'));
  symlinkSync('/etc/passwd', join(repo.dir, 'prod/link.dstack.yml'));
  commit = repo.commit({
    'README.md': 'hello',
    'web.dstack.yml': 'of the root',
    'prod/web.dstack.yml': smallService('web', 'hi', 'files:\n  - page:/page\n'),
    'prod/deep/er/api.dstack.yaml': smallService('api', 'hi'),
    'prod/page/index.html': 'hello',
    'prod/trueup.yml': 'suspend: false\n',
    'prod/deep/trueup.yml': 'not at the root of the folder',
    'prod/.dstack/profiles.yml': 'profiles: []\n',
    'prod/large.dstack.yml': `# ${'x'.repeat(1 << 20)}\n`,
  });
  github = await startGitHub(repo);
  const client = createGitHub({ token: TOKENS.job, apiUrl: github.url });
  trees = createTrees(client, { owner: OWNER, repo: NAME });
});
afterAll(async () => {
  await github.close();
  folder.remove();
});

const PATHS = [
  'prod/.dstack/profiles.yml',
  'prod/deep/er/api.dstack.yaml',
  'prod/large.dstack.yml',
  'prod/link.dstack.yml',
  'prod/trueup.yml',
  'prod/web.dstack.yml',
];

describe('files', () => {
  test('of a checkout are those of the watched folder', () => {
    expect(hasCheckout(repo.dir)).toBe(true);
    const { files } = readCheckout(repo.dir, 'prod');
    expect(files.map(({ path }) => path)).toEqual(PATHS);
    expect(readCheckout(repo.dir, '').files.map(({ path }) => path)).toContain('web.dstack.yml');
  });

  test('of the API are the same', async () => {
    const { files, notes } = await readCommit(trees, commit, 'prod');
    const here = readCheckout(repo.dir, 'prod');
    expect(files.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(here.files);
    expect(notes.toSorted()).toEqual(here.notes.toSorted());
  });

  test('that are links, or too large, are named without their text', () => {
    const { files, notes } = readCheckout(repo.dir, 'prod');
    const texts = new Map(files.map(({ path, text }) => [path, text]));
    expect([texts.get('prod/link.dstack.yml'), texts.get('prod/large.dstack.yml')]).toEqual(['', '']);
    expect(notes).toEqual([
      expect.stringContaining('large.dstack.yml'),
      expect.stringContaining('links are not followed'),
    ]);
  });

  test('that tools have put there are left out', () => {
    mkdirSync(join(repo.dir, 'prod/node_modules'));
    writeFileSync(join(repo.dir, 'prod/node_modules/x.dstack.yml'), 'no');
    expect(readCheckout(repo.dir, 'prod').files.map(({ path }) => path)).toEqual(PATHS);
  });

  test('of a submodule, or of another repository beside them, are none of theirs', () => {
    mkdirSync(join(repo.dir, 'prod/module/deep'), { recursive: true });
    writeFileSync(join(repo.dir, 'prod/module/.git'), 'gitdir: ../../.git/modules/module');
    writeFileSync(join(repo.dir, 'prod/module/deep/x.dstack.yml'), 'no');
    expect(readCheckout(repo.dir, 'prod').files.map(({ path }) => path)).toEqual(PATHS);
  });

  test('are not taken from a sparse checkout, where what is left out would be deleted', () => {
    const sparse = makeRepo(join(folder.dir, 'sparse'));
    sparse.commit({ 'web.dstack.yml': 'of the root' });
    sparse.git('sparse-checkout', 'set', 'prod');
    expect(hasCheckout(sparse.dir)).toBe(false);
  });

  test('are of the commit that is checked out: on a branch, without one, in a worktree', () => {
    const other = makeRepo(join(folder.dir, 'other'));
    const first = other.commit({ 'web.dstack.yml': 'one' });
    expect(checkedOut(other.dir)).toBe(first);
    other.git('worktree', 'add', '--quiet', '--detach', join(folder.dir, 'tree'), first);
    const second = other.commit({ 'web.dstack.yml': 'two' });
    expect([checkedOut(other.dir), checkedOut(join(folder.dir, 'tree'))]).toEqual([second, first]);
    other.git('checkout', '--quiet', '--detach', first);
    expect(checkedOut(other.dir)).toBe(first);
    writeFileSync(join(other.dir, '.git/HEAD'), 'ref: refs/../../../../etc/passwd\n');
    expect([checkedOut(other.dir), checkedOut(folder.dir)]).toEqual([null, null]);
  });

  test('that are here already are not asked for', async () => {
    const { files } = readCheckout(repo.dir, 'prod');
    github.calls.length = 0;
    await readCommit(trees, commit, 'prod', files);
    expect(github.calls.filter((call) => call.includes('/git/blobs/'))).toEqual([]);
  });

  test('are not looked for behind a link', () => {
    symlinkSync('prod', join(repo.dir, 'linked'));
    for (const path of ['linked', 'linked/deep'])
      expect(() => readCheckout(repo.dir, path)).toThrow(`\`${path}\``);
  });

  test('of no folder are an error that names it', async () => {
    expect(() => readCheckout(repo.dir, 'nowhere')).toThrow('`nowhere`');
    await expect(readCommit(trees, commit, 'nowhere')).rejects.toThrow('`nowhere`');
    await expect(readCommit(trees, commit, 'README.md')).rejects.toThrow('`README.md`');
  });
});

describe('what services mount', () => {
  test('is named as git names it', async () => {
    const { files } = readCheckout(repo.dir, 'prod');
    const objects = await mountedObjects(files, 'prod', (path) => trees.nameOf(commit, path));
    expect(objects).toEqual({ 'prod/page': `040000:${repo.git('rev-parse', 'HEAD:prod/page')}` });
  });

  test('is nothing where there is a link, or nothing', async () => {
    expect(await trees.nameOf(commit, 'prod/link.dstack.yml')).toBeNull();
    expect(await trees.nameOf(commit, 'prod/none')).toBeNull();
    expect(await trees.nameOf(commit, 'README.md/below')).toBeNull();
    expect(await trees.nameOf(commit, '')).toBe(`040000:${repo.git('rev-parse', 'HEAD^{tree}')}`);
  });
});
