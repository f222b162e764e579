// What git calls the things that services mount, in a working folder.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTree } from '../../reconciler/cli/folder.ts';
import { mountedObjects } from '../../reconciler/cli/objects.ts';
import { planRequestSchema } from '../../schemas/api.ts';
import { makeRepo, type TestRepo, temporaryFolder } from '../git.ts';

const SERVICE = 'type: service\nname: web\nport: 8000\ncommands: [a]\nfiles: [app, run.sh, ../shared]\n';
const folder = temporaryFolder();
let repo: TestRepo;

beforeAll(() => {
  repo = makeRepo(join(folder.dir, 'repo'));
  repo.commit({
    'prod/web.dstack.yml': SERVICE,
    'prod/app/main.py': 'print(1)\n',
    'prod/run.sh': 'true\n',
    'shared/a.txt': 'a\n',
  });
});
afterAll(() => folder.remove());

function objects() {
  return mountedObjects(readTree('prod', repo.dir));
}

function named(path: string): string {
  const [mode, , id] = repo.git('ls-tree', 'HEAD', path).split(/\s/);
  return `${mode}:${id}`;
}

test('folders and files are named as the commit names them, from the root of the repository', async () => {
  const found = await objects();
  expect(found).toEqual({
    'prod/app': named('prod/app'),
    'prod/run.sh': named('prod/run.sh'),
    shared: named('shared'),
  });
  expect(planRequestSchema.parse({ files: [], objects: found }).objects).toEqual(found);
});

test('what was changed, added or removed since has no name', async () => {
  writeFileSync(join(repo.dir, 'prod/app/new.py'), '');
  rmSync(join(repo.dir, 'shared/a.txt'));
  expect(Object.keys(await objects())).toEqual(['prod/run.sh']);
  writeFileSync(join(repo.dir, 'prod/run.sh'), 'false\n');
  expect(await objects()).toEqual({});
});

test('a program that the repository names to watch its files is not run', async () => {
  const ran = join(folder.dir, 'ran');
  repo.git('config', 'core.fsmonitor', `touch ${ran}; false`);
  await objects();
  repo.git('config', '--unset', 'core.fsmonitor');
  expect(() => rmSync(ran)).toThrow('ENOENT');
});

test('outside of a repository nothing is named', async () => {
  const plain = join(folder.dir, 'plain');
  mkdirSync(plain);
  writeFileSync(join(plain, 'web.dstack.yml'), SERVICE.replace(', ../shared', ''));
  expect(await mountedObjects(readTree('.', plain))).toEqual({});
});
