// A push of one file, through the real sync, in a small repository and a large one; and the first load of the large one
// beside parsing its files with the YAML library alone.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { noBoundary } from '../../reconciler/boundary.ts';
import { openSource, type Source } from '../../reconciler/source/git.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { makeExecutable, makeRepo, type TestRepo, temporaryFolder } from '../git.ts';
import { type Entry, type Row, ratiosOf } from './figures.ts';
import { createLoad } from './loading.ts';
import { fileOf, PROJECT, pathOf } from './services.ts';

const [SMALL, LARGE] = [10, 10_000];
const PUSHES = 9;
const LOADS = 2;

export const pushEntry: Entry = {
  name: 'push',
  title: 'A push of one file',
  async run(say) {
    const place = temporaryFolder();
    const counter = countGit(place.dir);
    try {
      say(`repositories of ${SMALL} and ${LARGE} files`);
      const small = repoOf(join(place.dir, 'small'), SMALL);
      const large = repoOf(join(place.dir, 'large'), LARGE);
      const counts = await countPushes([small, large], place.dir, counter);
      const { loads, floors, last } = await firstLoads(large, place.dir, say);
      const followed = { small: await follow(small, place.dir, 'small'), large: last };
      const pushes = { small: [] as number[], large: [] as number[] };
      for (let i = 1; i <= PUSHES; i += 1) {
        say(`push ${i} of ${PUSHES}`);
        pushes.small.push((await followed.small.push()).ms);
        pushes.large.push((await followed.large.push()).ms);
      }
      followed.small.close();
      followed.large.close();
      return { rows: rowsOf({ loads, floors }, pushes, counts), notes: NOTES };
    } finally {
      counter.stop();
      place.remove();
    }
  },
};

// Private

const NOTES = ['Ratios: the large repository to the small one; the first load to the YAML library alone.'];

interface Counts {
  readonly processes: number;
  readonly blobs: number;
}

function rowsOf(
  { loads, floors }: { readonly loads: readonly number[]; readonly floors: readonly number[] },
  { small, large }: { readonly small: readonly number[]; readonly large: readonly number[] },
  counts: { readonly small: Counts; readonly large: Counts },
): Row[] {
  const count = (what: string, key: keyof Counts): Row[] => [
    { what: `  ${what}, ${number(SMALL)} files`, unit: '', samples: [counts.small[key]] },
    { what: `  ${what}, ${number(LARGE)} files`, unit: '', samples: [counts.large[key]] },
  ];
  return [
    { what: `push, ${number(SMALL)} files`, unit: 'ms', samples: small },
    { what: `push, ${number(LARGE)} files`, unit: 'ms', samples: large, ratios: ratiosOf(large, small) },
    ...count('git processes', 'processes'),
    ...count('blobs read', 'blobs'),
    { what: `YAML library alone, ${number(LARGE)} files`, unit: 'ms', samples: floors },
    {
      what: `first load, ${number(LARGE)} files`,
      unit: 'ms',
      samples: loads,
      ratios: ratiosOf(loads, floors),
    },
  ];
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function repoOf(dir: string, files: number): TestRepo {
  const repo = makeRepo(dir);
  repo.commit(Object.fromEntries(Array.from({ length: files }, (_, i) => [pathOf(i), fileOf(i)])));
  return repo;
}

/** `last` goes on to follow the repository. */
async function firstLoads(large: TestRepo, dir: string, say: (text: string) => void) {
  const texts = Array.from({ length: LARGE }, (_, i) => fileOf(i));
  const floors: number[] = [];
  const loads: number[] = [];
  for (let i = 1; ; i += 1) {
    say(`first load ${i} of ${LOADS}`);
    const started = performance.now();
    for (const text of texts) parse(text);
    floors.push(performance.now() - started);
    const last = await follow(large, dir, `load-${i}`);
    loads.push(last.firstMs);
    if (i === LOADS) return { floors, loads, last };
    last.close();
  }
}

/** What a daemon does with one repository, with a store in memory. */
async function follow(repo: TestRepo, dir: string, name: string) {
  const source = await openSource({ repo: repo.dir, dir: join(dir, 'data', name) });
  let blobs = 0;
  const counting: Source = {
    ...source,
    read(ids) {
      blobs += ids.length;
      return source.read(ids);
    },
  };
  const store = openMemory();
  const pass = await createLoad(counting, store, noBoundary);
  return {
    firstMs: await pass(),
    async push() {
      const commit = commitOne(repo);
      blobs = 0;
      const ms = await pass();
      await requireSeen(store, commit);
      return { ms, blobs };
    },
    close: () => source.close(),
  };
}

let release = 1;

/** Not by `git add --all`, which looks at every file. */
function commitOne(repo: TestRepo): string {
  release += 1;
  writeFileSync(join(repo.dir, pathOf(3)), fileOf(3, release));
  repo.git('commit', '--quiet', '--message=release', '--', pathOf(3));
  return repo.head();
}

async function requireSeen(store: Store, commit: string): Promise<void> {
  const [, last] = await store.events({ project: PROJECT, limit: 2 });
  if (last?.event !== 'desired' || last.commit !== commit)
    throw new Error(`the push of ${commit} was not seen: ${JSON.stringify(last)}`);
}

/** Apart from what is timed, as counting costs time; what it loads warms the code up for that. */
async function countPushes(
  [small, large]: readonly [TestRepo, TestRepo],
  dir: string,
  counter: GitCounter,
): Promise<{ readonly small: Counts; readonly large: Counts }> {
  counter.start();
  const counts = {
    small: await countPush(small, join(dir, 'counted-small'), counter),
    large: await countPush(large, join(dir, 'counted-large'), counter),
  };
  counter.stop();
  return counts;
}

async function countPush(repo: TestRepo, dir: string, counter: GitCounter): Promise<Counts> {
  const followed = await follow(repo, dir, 'data');
  const before = counter.calls();
  const { blobs } = await followed.push();
  const processes = counter.calls() - before;
  followed.close();
  return { processes, blobs };
}

interface GitCounter {
  /** From now on a git that is looked for on the path is counted. */
  start(): void;
  calls(): number;
  stop(): void;
}

/** The makers of commits look for git on the path as it was. */
function countGit(dir: string): GitCounter {
  const [bin, log] = [join(dir, 'bin'), join(dir, 'calls')];
  const path = process.env.PATH ?? '';
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  mkdirSync(bin);
  writeFileSync(join(bin, 'git'), `#!/bin/sh\necho >> '${log}'\nexec '${real}' "$@"\n`);
  makeExecutable(join(bin, 'git'));
  return {
    start: () => {
      process.env.PATH = `${bin}:${path}`;
    },
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').length : 0),
    stop: () => {
      process.env.PATH = path;
    },
  };
}
