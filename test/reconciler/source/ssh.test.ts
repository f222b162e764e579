// git's side of ssh, with a stand-in for the ssh program: it runs here what it was asked to run there.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSource } from '../../../reconciler/source/git.ts';
import { makeBare, makeExecutable, makeRepo, type TestRepo, temporaryFolder } from '../../git.ts';

const place = temporaryFolder();
const before = process.env.GIT_SSH_COMMAND;
let repo: TestRepo;
let bare: string;

beforeAll(() => {
  repo = makeRepo(join(place.dir, 'repo'));
  repo.commit({ 'a.yml': 'one' });
  bare = makeBare(repo, join(place.dir, 'bare.git'));
});

afterAll(() => {
  if (before === undefined) delete process.env.GIT_SSH_COMMAND;
  else process.env.GIT_SSH_COMMAND = before;
  place.remove();
});

let count = 0;

/** Fetches over an ssh whose body is `script`. */
async function fetchOver(script: string) {
  const ssh = join(place.dir, `ssh-${++count}`);
  writeFileSync(ssh, `#!/bin/sh\n[ "$1" = -G ] && exit 1\n${script}\n`);
  makeExecutable(ssh);
  process.env.GIT_SSH_COMMAND = ssh;
  const source = await openSource({ repo: `git@example.org:${bare}`, dir: join(place.dir, `data-${count}`) });
  return source.fetch().finally(source.close);
}

test('a repository is followed over ssh', async () => {
  expect((await fetchOver('shift; eval "$@"')).commit).toBe(repo.head());
});

test.each([
  ['git@example.org: Permission denied (publickey).', 'unauthorized', 'key'],
  ['Host key verification failed.', 'unauthorized', 'known_hosts'],
  ['ERROR: Repository not found.', 'invalid', 'Check its address'],
  ['ssh: connect to host example.org port 22: Connection refused', 'transient', ''],
])('%s', async (says, kind, fix) => {
  await expect(fetchOver(`echo '${says}' >&2; exit 255`)).rejects.toMatchObject({
    kind,
    fix: expect.stringContaining(fix),
  });
});
