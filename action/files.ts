// The configuration files to plan: of the checkout, or of a commit by GitHub's API. Only reads; executes nothing, follows
// no links, and knows what is too much by the same limits as the daemon.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SourceFile } from '../reconciler/wanted.ts';
import { Failure } from '../schemas/errors.ts';
import type { Trees } from './github/trees.ts';

export interface Files {
  /** From the root of the repository. What cannot be read is there without text, so that nothing is deleted for it. */
  readonly files: readonly SourceFile[];
  /** What could not be read, and why. */
  readonly notes: readonly string[];
}

/** Of a configuration file, as in the daemon. */
const FILE_BYTES = 1 << 20;
/** As many as a plan takes. */
const FILES = 10_000;

/** Whether there is a whole one to read: what a sparse checkout left out would seem to be deleted. */
export function hasCheckout(workspace: string): boolean {
  const has = (path: string) => existsSync(join(workspace, '.git', path));
  return workspace !== '' && has('.') && !has('info/sparse-checkout');
}

/** The commit that is checked out; null when that cannot be told. */
export function checkedOut(workspace: string): string | null {
  const git = join(workspace, '.git');
  const read = (...path: string[]) => readFileSync(join(...path), 'utf8').trim();
  try {
    // A worktree has a file there that names the folder.
    const folder = lstatSync(git).isFile() ? resolve(workspace, read(git).replace(/^gitdir: /, '')) : git;
    const head = read(folder, 'HEAD');
    const [, ref] = /^ref: (refs\/[^\0]+)$/.exec(head) ?? [];
    const commit = ref === undefined || ref.includes('..') ? head : read(folder, ref);
    return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit) ? commit : null;
  } catch {
    return null;
  }
}

/** `path`: the watched folder. Throws `invalid` when there is none, or too much in it. */
export function readCheckout(workspace: string, path: string): Files {
  if (!isFolder(workspace, path)) throw noFolder(path);
  const paths = fewEnough(walk(workspace, path).filter((each) => isWanted(each, path)));
  return gathered(
    paths.toSorted().map((each) => {
      const { size, isLink } = statOf(join(workspace, each));
      const refusal = refusalOf(size, isLink);
      return refusal
        ? { path: each, refusal }
        : { path: each, text: readFileSync(join(workspace, each), 'utf8') };
    }),
  );
}

/** The same by the API. What `known` has already, byte for byte, is not asked for again. */
export async function readCommit(
  trees: Trees,
  commit: string,
  path: string,
  known: readonly SourceFile[] = [],
): Promise<Files> {
  const entries = await trees.below(commit, path);
  if (entries === null) throw noFolder(path);
  const textOf = new Map(known.map(({ text }) => [gitNameOf(text), text]));
  const wanted = fewEnough(entries.filter((entry) => isWanted(entry.path, path)));
  const found = wanted.map(async ({ path: each, id, size, isLink }): Promise<Found> => {
    const refusal = refusalOf(size, isLink);
    return refusal ? { path: each, refusal } : { path: each, text: textOf.get(id) ?? (await trees.text(id)) };
  });
  return gathered(await Promise.all(found));
}

// Private

type Found = { readonly path: string } & ({ readonly text: string } | { readonly refusal: string });

/** `*.dstack.yml`, and at the root of the watched folder its policy and profiles. */
function isWanted(path: string, root: string): boolean {
  const inside = root === '' ? path : path.slice(root.length + 1);
  return (
    /(?:^|\/)[^/]*\.dstack\.ya?ml$/.test(inside) || /^(trueup\.ya?ml|\.dstack\/profiles\.ya?ml)$/.test(inside)
  );
}

function fewEnough<T>(found: readonly T[]): readonly T[] {
  if (found.length <= FILES) return found;
  throw new Failure('invalid', `${found.length} files to plan; at most ${FILES} are`, {
    fix: 'Plan a smaller folder with the input `path`.',
  });
}

function gathered(found: readonly Found[]): Files {
  return {
    files: found.map((each) => ({ path: each.path, text: 'text' in each ? each.text : '' })),
    notes: found.flatMap((each) => ('text' in each ? [] : [`${each.path} is not read: ${each.refusal}`])),
  };
}

function refusalOf(size: number, isLink: boolean): string | null {
  if (isLink) return 'it is a symbolic link, and links are not followed';
  return size > FILE_BYTES ? `it has ${size} bytes, and at most ${FILE_BYTES} are read` : null;
}

function noFolder(path: string): Failure {
  return new Failure('invalid', `there is no folder \`${path}\` in this repository`, {
    fix: 'Correct the input `path`.',
  });
}

/** Without a link on the way to it: that might lead anywhere. */
function isFolder(workspace: string, path: string): boolean {
  const start = join(workspace, path);
  if (!lstatSync(start, { throwIfNoEntry: false })?.isDirectory()) return false;
  return realpathSync(start) === join(realpathSync(workspace), path);
}

/** Of no commit: what a tool put there. */
const SKIPPED = new Set(['.git', 'node_modules', '.trueup']);

function walk(workspace: string, folder: string): string[] {
  const entries = readdirSync(join(workspace, folder), { withFileTypes: true });
  // A submodule, or the checkout of another repository, is none of this commit's files.
  if (folder !== '' && entries.some(({ name }) => name === '.git')) return [];
  return entries.flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(workspace, path);
    return entry.isFile() || entry.isSymbolicLink() ? [path] : [];
  });
}

function statOf(path: string): { readonly size: number; readonly isLink: boolean } {
  const stat = lstatSync(path);
  return { size: stat.size, isLink: stat.isSymbolicLink() };
}

/** As git calls these bytes. */
function gitNameOf(text: string): string {
  const bytes = Buffer.from(text);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
