// The configuration files of a working folder, as the daemon would find them in a commit. Only reads; follows no links.
import { type Dirent, existsSync, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Problem } from '../../schemas/errors.ts';
import { FILE_BYTES, problemWith } from '../source/tree.ts';
import { CommandFailure } from './failure.ts';

export interface SourceFile {
  /** Below the root, '/'-separated. */
  readonly path: string;
  readonly text: string;
}

export interface Tree {
  /** Absolute; where `trueup.yml` and `.dstack/` are. */
  readonly root: string;
  readonly files: readonly SourceFile[];
  /** Files that would not be read from a commit either. */
  readonly refused: readonly Problem[];
  /** A file by itself: what is around it in its repository is not known. */
  readonly isAlone: boolean;
  readonly policy: SourceFile | null;
  readonly profiles: SourceFile | null;
}

/** A file alone, or every configuration file below a folder. Throws when there is none. */
export function readTree(path: string, cwd: string): Tree {
  const start = resolve(cwd, path);
  const found = statOf(start);
  if (!found) throw new CommandFailure(`there is no file or folder ${path}`, 'Check the path.');
  const root = rootOf(found.isDirectory() ? start : dirname(start));
  const isSettings = SETTINGS.some((name) => join(root, name) === start);
  const alone = isSettings ? [] : [{ path: start, type: 'file' as const, size: found.size }];
  const entries: readonly Found[] = found.isDirectory() ? walk(start) : alone;
  const read = (absolute: string): SourceFile => ({ path: below(root, absolute), text: readText(absolute) });
  const judged = entries.map(({ path, type, size }) => ({
    path,
    problem: problemWith({ path: below(root, path), type, size }, FILE_BYTES),
  }));
  return {
    root,
    files: judged.filter(({ problem }) => problem === null).map(({ path }) => read(path)),
    refused: judged.flatMap(({ problem }) => problem ?? []),
    isAlone: !found.isDirectory(),
    policy: settingsFile(root, 'trueup', read),
    profiles: settingsFile(join(root, '.dstack'), 'profiles', read),
  };
}

/** The same for who needs all of it: what is left out would look as if it were gone. */
export function readWholeTree(path: string, cwd: string): Tree {
  const tree = readTree(path, cwd);
  const [problem] = tree.refused;
  if (problem) throw new CommandFailure(`${problem.file}: ${problem.message}`, problem.fix, 1);
  return tree;
}

export function isConfiguration(name: string): boolean {
  return /\.dstack\.ya?ml$/.test(name);
}

// Private

/** The nearest folder upwards with settings of its own, inside the repository; else where we started. */
function rootOf(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    const isRoot = SETTINGS.some((name) => existsSync(join(folder, name)));
    if (isRoot) return folder;
    if (existsSync(join(folder, '.git')) || folder === dirname(folder)) return start;
  }
}

const SETTINGS = ['trueup.yml', 'trueup.yaml', '.dstack/profiles.yml', '.dstack/profiles.yaml'];
const SKIPPED = new Set(['.git', 'node_modules', '.trueup']);

/** Absent, too, is what a link in circles or a path below a file leads to. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (/^(ELOOP|ENOTDIR)$/.test(codeOf(error))) return undefined;
    throw unreadable(path, error);
  }
}

interface Found {
  /** Absolute. */
  readonly path: string;
  readonly type: 'file' | 'link';
  readonly size: number;
}

function walk(folder: string): Found[] {
  const entries = entriesIn(folder).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => foundAt(join(folder, entry.name), entry));
}

function entriesIn(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw unreadable(folder, error);
  }
}

function foundAt(path: string, entry: Dirent): Found[] {
  if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
  if (!isConfiguration(entry.name)) return [];
  if (entry.isSymbolicLink()) return [{ path, type: 'link', size: 0 }];
  return entry.isFile() ? [{ path, type: 'file', size: statOf(path)?.size ?? 0 }] : [];
}

function settingsFile(folder: string, name: string, read: (path: string) => SourceFile): SourceFile | null {
  const path = ['yml', 'yaml']
    .map((ending) => join(folder, `${name}.${ending}`))
    .find((item) => existsSync(item));
  return path ? read(path) : null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): CommandFailure {
  return new CommandFailure(`cannot read ${path}: ${codeOf(error)}`, 'Check its permissions.');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function below(root: string, path: string): string {
  return relative(root, path).split(sep).join('/');
}
