import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { materialise } from '../../../backends/host/mounts.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'trueup-mounts-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

interface File {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

const put = (target: string, files: readonly File[]) =>
  materialise(root, root, [
    {
      target,
      async *files() {
        for (const { path, mode, text } of files) yield { path, mode, bytes: Buffer.from(text) };
      },
    },
  ]);

const LINK = 0o120777;

test('files have their bytes and modes', async () => {
  await put('app', [{ path: 'bin/run', mode: 0o100755, text: 'x' }]);
  expect(await readFile(join(root, 'app/bin/run'), 'utf8')).toBe('x');
  expect((await stat(join(root, 'app/bin/run'))).mode & 0o777).toBe(0o755);
});

test('a link may point to a place inside', async () => {
  const files = [
    { path: 'data/one', mode: 0o644, text: '1' },
    { path: 'bin/one', mode: LINK, text: '../data/one' },
  ];
  await put('.', files);
  expect(await readFile(join(root, 'bin/one'), 'utf8')).toBe('1');
});

test.each([
  ['a file above the mount', [{ path: '../escaped', mode: 0o644, text: '' }]],
  ['a link to an absolute path', [{ path: 'a', mode: LINK, text: '/etc' }]],
  ['a link that leads out', [{ path: 'a/b', mode: LINK, text: '../../..' }]],
  [
    'a file through a link',
    [
      { path: 'deep/er/x', mode: 0o644, text: '' },
      { path: 'link', mode: LINK, text: 'deep/er' },
      { path: 'link/file', mode: 0o644, text: '' },
    ],
  ],
  [
    'a file in the place of a link',
    [
      { path: 'a', mode: LINK, text: 'b' },
      { path: 'a', mode: 0o644, text: '' },
    ],
  ],
] as const)('%s is refused', async (_, files) => {
  await expect(put('.', files)).rejects.toMatchObject({ kind: 'invalid' });
});
