// The configuration files of a working folder, as the daemon would find them in a commit. Only reads; follows no links.
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
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
  /** A file by itself: what is around it in its repository is not known. */
  readonly isAlone: boolean;
  readonly policy: SourceFile | null;
  readonly profiles: SourceFile | null;
}

/** A file alone, or every configuration file below a folder. Throws when there is none. */
export function readTree(path: string, cwd: string): Tree {
  const start = resolve(cwd, path);
  const found = statSync(start, { throwIfNoEntry: false });
  if (!found) throw new CommandFailure(`there is no file or folder ${path}`, 'Check the path.');
  const root = rootOf(found.isDirectory() ? start : dirname(start));
  const paths = found.isDirectory() ? walk(start) : [start];
  const read = (absolute: string): SourceFile => ({ path: below(root, absolute), text: readText(absolute) });
  return {
    root,
    files: paths.map(read),
    isAlone: found.isFile(),
    policy: settingsFile(root, 'trueup', read),
    profiles: settingsFile(join(root, '.dstack'), 'profiles', read),
  };
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

function walk(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => entriesOf(join(folder, entry.name), entry));
}

function entriesOf(path: string, entry: Dirent): string[] {
  if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
  return entry.isFile() && isConfiguration(entry.name) ? [path] : [];
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
    throw new CommandFailure(
      `cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`,
      'Check its permissions.',
    );
  }
}

function below(root: string, path: string): string {
  return relative(root, path).split(sep).join('/');
}
