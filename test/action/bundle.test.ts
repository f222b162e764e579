// The committed bundle is what the sources make, and nothing of the machine that made it is in it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BUNDLE, bundle } from '../../action/build.ts';

test('made again, it is the same to the byte', async () => {
  const isSame = (await bundle()) === readFileSync(BUNDLE, 'utf8');
  expect(isSame, 'run `npm run bundle` and commit action/dist/index.js').toBe(true);
});

test('it knows no path of this machine, and has the licences of what is in it', () => {
  const text = readFileSync(BUNDLE, 'utf8');
  const has = (part: string) => text.includes(part);
  expect([has(process.cwd()), has('\nzod 4'), has('\n@octokit/rest 22')]).toEqual([false, true, true]);
  expect(Buffer.byteLength(text)).toBeLessThan(1_200_000);
});
