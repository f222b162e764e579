// The repository of a scenario: the port of git over commits that are known beforehand and appear when their time has
// come. Before the first one it holds an empty commit.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { Failure } from '../../schemas/errors.ts';
import type { MountId } from '../source/content.ts';
import type { Source } from '../source/git.ts';
import type { Entry } from '../source/tree.ts';
import type { CommitSpec } from './scenario/commits.ts';

export interface Repository extends Source {
  /** The number of the newest commit there is now; 0 before the first. */
  newest(): number;
  /** Its name as git would give it. */
  idOf(number: number): string;
  mountIds(number: number, paths: readonly string[]): Promise<ReadonlyMap<string, MountId>>;
}

export function createRepository(
  commits: readonly CommitSpec[],
  start: number,
  now: () => number,
): Repository {
  const all = [EMPTY, ...commits];
  const trees = new Map(all.map((commit) => [idOf(commit), treeOf(commit)]));
  const blobs = new Map(
    all.flatMap(({ files }) => [...files.values()].map((text) => [hash(text), Buffer.from(text)] as const)),
  );
  const newest = () => all.findLast(({ atMs }) => start + atMs <= now()) ?? EMPTY;
  const treeAt = (commit: string) => {
    const tree = trees.get(commit);
    if (tree === undefined) throw new Failure('not-found', `there is no commit ${commit}`);
    return tree;
  };
  const object: Source['object'] = async (commit, path) => {
    const tree = treeAt(commit);
    const entry = tree.get(path);
    if (entry) return { id: entry.id, mode: entry.mode, kind: 'file' };
    const below = [...tree.values()].filter((each) => isBelow(each.path, path));
    if (below.length === 0) return null;
    return {
      id: hash(below.map(({ path: name, id }) => `${name} ${id}`).join('\n')),
      mode: '040000',
      kind: 'folder',
    };
  };

  return {
    description: 'the scenario',
    isLocal: false,
    branch: () => 'main',
    path: () => '',
    async fetch() {
      const { message, author, atMs, ...commit } = newest();
      return {
        commit: idOf({ message, author, atMs, ...commit }),
        committedAt: start + atMs,
        subject: message,
        author,
        forced: false,
      };
    },
    list: async (commit, wanted = () => true) =>
      [...treeAt(commit).values()].filter(({ path }) => wanted(path)),
    async changed(from, to) {
      const [before, after] = [trees.get(from), treeAt(to)];
      if (before === undefined) return null;
      return {
        written: [...after.values()].filter(({ path, id }) => before.get(path)?.id !== id),
        removed: [...before.keys()].filter((path) => !after.has(path)),
      };
    },
    problem: () => null,
    read: async (ids) => new Map(ids.flatMap((id) => [[id, blobs.get(id) ?? new Uint8Array()] as const])),
    object,
    mount: (commit, path) =>
      async function* () {
        for (const { path: file, id } of treeAt(commit).values())
          if (file === path || isBelow(file, path))
            yield { path: posix.relative(path, file), mode: 0o644, bytes: blobs.get(id) ?? new Uint8Array() };
      },
    watch: () => () => {},
    keep: async () => {},
    close: () => {},
    newest: () => newest().number,
    idOf: (number) => idOf(all[number] ?? EMPTY),
    async mountIds(number, paths) {
      const commit = idOf(all[number] ?? EMPTY);
      const found = await Promise.all(paths.map(async (path) => [path, await object(commit, path)] as const));
      return new Map(found.map(([path, thing]) => [path, thing && `${thing.mode}:${thing.id}`]));
    },
  };
}

// Private

const EMPTY: CommitSpec = {
  number: 0,
  name: null,
  atMs: Number.NEGATIVE_INFINITY,
  message: 'nothing yet',
  author: 'nobody',
  files: new Map(),
};

function treeOf({ files }: CommitSpec): Map<string, Entry> {
  const entries = [...files].map(([path, text]): [string, Entry] => [
    path,
    { path, mode: '100644', type: 'file', id: hash(text), size: text.length },
  ]);
  return new Map(entries);
}

function idOf({ number, message, files }: CommitSpec): string {
  return hash(JSON.stringify([number, message, [...files]]));
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

function hash(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
