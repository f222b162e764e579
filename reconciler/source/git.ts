// Git as the source of desired state: fetches one branch, names what a commit holds, reads bytes. Knows no YAML, and
// runs nothing that the repository brings: no hooks, filters, helpers, links or submodules.
import { resolve } from 'node:path';
import { Failure, type Problem } from '../../schemas/errors.ts';
import { readBlobs } from './blobs.ts';
import { branchRef, createFollower } from './follow.ts';
import { createGit, type GitOptions, requireGit, writeConfig } from './git-env.ts';
import { describeLocation, findRepository, insidePath, type Location, parseLocation } from './location.ts';
import { type Commit, keepOnly, prepareMirror, sweepMirror } from './mirror.ts';
import { type MountedFile, mountedFiles } from './mount.ts';
import {
  type Changes,
  diffTree,
  type Entry,
  FILE_BYTES,
  listTree,
  objectAt,
  type PathObject,
  problemWith,
} from './tree.ts';
import { watchRefs } from './watch.ts';

export interface SourceOptions {
  /** https, ssh or file URL, `user@host:path`, or a local path (work tree, linked work tree, bare repository). */
  readonly repo: string;
  /** Absent: the branch HEAD names when the repository is first reached; a detached HEAD is followed itself. */
  readonly branch?: string;
  /** The watched folder, from the repository's root. Absent: the root, or the subfolder that a local `repo` names. */
  readonly path?: string;
  /** A folder of ours alone: the bare clone and git's configuration. One process at a time. */
  readonly dir: string;
  /** Password for https. */
  readonly token?: string;
  /** A git process silent for so long is ended. Default 60 s. */
  readonly timeoutMs?: number;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** Bytes of a configuration file. */
  readonly fileBytes: number;
  /** Files below the watched path. */
  readonly files: number;
  /** Bytes of all files of one mount. */
  readonly mountBytes: number;
}

export interface Source {
  /** The repository, without any password. */
  readonly description: string;
  readonly isLocal: boolean;
  /** '' until the first fetch has found it, if none was given; fixed from then on. */
  branch(): string;
  /** The watched folder, '' for the root. Throws `transient` while only an absent local repository could tell. */
  path(): string;
  /**
   * Brings the branch's newest commit here and keeps it. Costs one git process when nothing is new.
   * Throws `transient` (unreachable, gone for now), `unauthorized`, or `invalid` (no such repository, branch or
   * folder, no commit yet, dubious ownership); after any of them, the next call starts afresh.
   */
  fetch(): Promise<Commit & { readonly forced: boolean }>;
  /** Entries below the watched folder for which `wanted` holds. Throws `invalid` when there are too many. */
  list(commit: string, wanted?: (path: string) => boolean): Promise<readonly Entry[]>;
  /** What differs between two commits below the watched folder; null when `from` is not here any more: list `to`. */
  changed(from: string, to: string): Promise<Changes | null>;
  /** Why an entry cannot be read as configuration (link, submodule, too large); null when it can. */
  problem(entry: Entry): Problem | null;
  /** Bytes by id. Throws `invalid` for a blob over `fileBytes`: ask `problem` first. */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** What a path of the repository is at a commit; null: nothing. Throws `invalid` when it is a link or leaves the repository. */
  object(commit: string, path: string): Promise<PathObject | null>;
  /** The files of a path at a commit, one in memory at a time. Iterating throws `invalid` when it holds links, or too much. */
  mount(commit: string, path: string): () => AsyncIterable<MountedFile>;
  /** Calls `changed` soon after a local repository got a commit; never for a remote one. Returns how to stop. */
  watch(changed: () => void): () => void;
  /** Keeps these commits and the newest one readable, whatever is pushed; lets go of all others. */
  keep(commits: readonly string[]): Promise<void>;
  /** Ends what still runs. */
  close(): void;
}

/** Opens a repository without contacting it. Throws `invalid` when the options cannot be right. */
export async function openSource(options: SourceOptions): Promise<Source> {
  const location = parseLocation(options.repo, options.token);
  const gitOptions = gitOptionsFor(options, location);
  const { dir, timeoutMs } = gitOptions;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const ref = options.branch === undefined ? null : branchRef(options.branch);
  const path = watchedPath(location, options.path);

  writeConfig(gitOptions, []);
  const git = createGit(gitOptions);
  await requireGit(git);
  sweepMirror(dir);
  await prepareMirror(git, dir);
  const follower = createFollower({ git, gitOptions, location, ref, path });
  const serially = oneAtATime();

  return {
    description: gitOptions.repo,
    isLocal: location.kind === 'local',
    branch: () => follower.ref()?.replace(/^refs\/heads\//, '') ?? '',
    path,
    fetch: () => serially(follower.fetch),
    async list(commit, wanted = () => true) {
      const entries = (await listTree(git, commit, path())).filter((entry) => wanted(entry.path));
      if (entries.length <= limits.files) return entries;
      throw new Failure('invalid', `${entries.length} files to watch; at most ${limits.files} are`, {
        fix: 'Watch a smaller folder with --path.',
      });
    },
    changed: (from, to) => diffTree(git, from, to, path()).catch(nullWhenGone),
    problem: (entry) => problemWith(entry, limits.fileBytes),
    async read(ids) {
      const found = new Map<string, Uint8Array>();
      const maxBytes = limits.fileBytes;
      for await (const { id, bytes } of readBlobs(git, [...new Set(ids)], { maxBytes, timeoutMs })) {
        found.set(id, bytes);
      }
      return found;
    },
    object: async (commit, path) => objectAt(git, commit, insidePath(path)),
    mount(commit, path) {
      const inside = insidePath(path);
      return () => mountedFiles(git, commit, inside, { maxBytes: limits.mountBytes, timeoutMs });
    },
    watch: (changed) =>
      location.kind === 'local' ? watchRefs(location.path, follower.ref, changed) : () => {},
    keep(commits) {
      const newest = follower.newest();
      return serially(() => keepOnly(git, newest === null ? commits : [...commits, newest]));
    },
    close: () => git.close(),
  };
}

// Private

const DEFAULT_LIMITS: Limits = { fileBytes: FILE_BYTES, files: 20_000, mountBytes: 256 << 20 };

function gitOptionsFor(options: SourceOptions, location: Location): GitOptions {
  return {
    dir: resolve(options.dir),
    repo: describeLocation(location),
    protocol: location.kind === 'local' ? 'file' : location.scheme,
    credentials: location.kind === 'local' ? null : location.credentials,
    timeoutMs: options.timeoutMs ?? 60_000,
  };
}

/** Without a given path, a local one that lies inside a work tree names the folder; it is fixed once seen. */
function watchedPath(location: Location, given: string | undefined): () => string {
  if (given === undefined && location.kind === 'local') {
    let seen: string | null = null;
    return () => {
      seen ??= findRepository(location.path)?.inside ?? null;
      if (seen !== null) return seen;
      // Not '': all of the repository would suddenly be watched.
      throw new Failure('transient', `cannot tell which folder is watched while ${location.path} is away`);
    };
  }
  const path = insidePath(given ?? '');
  return () => path;
}

function nullWhenGone(error: unknown): null {
  if (error instanceof Failure && error.kind === 'not-found') return null;
  throw error;
}

/** Runs tasks in the order they come: two fetches at once would fight over git's locks. */
function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => {});
    return run;
  };
}
