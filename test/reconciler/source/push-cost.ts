// Measures what following one push costs, in a repository of any size: counted outside of our code, by a `git` that
// takes note of each call and of what it printed, and by the server that answers it.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSource } from '../../../reconciler/source/git.ts';
import { makeBare, makeExecutable, makeRepo, serveGit, temporaryFolder } from '../../git.ts';

export interface PushCost {
  readonly files: number;
  readonly processes: number;
  /** To find out that nothing is new. */
  readonly idleProcesses: number;
  /** What our git processes gave us to read. */
  readonly bytesRead: number;
  readonly blobs: number;
  /** What the server sent. */
  readonly bytesFetched: number;
  /** Only for people: no test looks at it. */
  readonly ms: number;
}

/** Pushes a change of one file to a repository of `files` files, and counts what it takes to know it. */
export async function pushCost(files: number): Promise<PushCost> {
  const place = temporaryFolder();
  const root = join(place.dir, 'served');
  const repo = makeRepo(join(place.dir, 'repo'));
  repo.commit(Object.fromEntries(Array.from({ length: files }, (_, i) => [pathOf(i), contentOf(i)])));
  makeBare(repo, join(root, 'repo.git'));
  const server = await serveGit(root);
  const counted = countGit(place.dir);
  const source = await openSource({ repo: `${server.url}/repo.git`, dir: join(place.dir, 'data') });
  try {
    const { commit: before } = await source.fetch();
    repo.commit({ [pathOf(3)]: `${contentOf(3)}# changed\n` });
    repo.git('push', '--quiet', 'origin', 'main');
    const sentBefore = server.bytesSent();
    counted.restart();
    const started = performance.now();
    const { commit } = await source.fetch();
    const changes = await source.changed(before, commit);
    const blobs = await source.read((changes?.written ?? []).map((entry) => entry.id));
    const ms = Math.round(performance.now() - started);
    const bytesFetched = server.bytesSent() - sentBefore;
    const pushed = counted.sums();
    counted.restart();
    await source.fetch();
    const idleProcesses = counted.sums().processes;
    return { files, ...pushed, blobs: blobs.size, bytesFetched, idleProcesses, ms };
  } finally {
    counted.stop();
    source.close();
    await server.close();
    place.remove();
  }
}

// Private

function pathOf(index: number): string {
  return `services/${Math.floor(index / 100)}/s${index}.dstack.yml`;
}

function contentOf(index: number): string {
  return `type: service\nname: s${index}\nport: 8000\ncommands:\n  - python -m http.server ${8000 + index}\n`;
}

/** Puts a counting `git` first on the path. */
function countGit(dir: string) {
  const bin = join(dir, 'bin');
  const log = join(dir, 'printed');
  const path = process.env.PATH ?? '';
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'git'),
    `#!/bin/sh
PATH='${path}'
printed=$(mktemp '${dir}/out.XXXXXX')
git "$@" > "$printed"; code=$?
wc -c < "$printed" >> '${log}'
cat "$printed"; exit $code
`,
  );
  makeExecutable(join(bin, 'git'));
  process.env.PATH = `${bin}:${path}`;
  return {
    restart: () => rmSync(log, { force: true }),
    sums() {
      const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').map(Number) : [];
      return { processes: calls.length, bytesRead: calls.reduce((sum, bytes) => sum + bytes, 0) };
    },
    stop() {
      process.env.PATH = path;
    },
  };
}
