// What a commit holds, by name: entries of its tree, what differs from another commit, what one path is.
// Reads trees, never the contents of files; names links and submodules, follows neither.
import { Failure, type Problem } from '../../schemas/errors.ts';
import type { Git } from './git-env.ts';

export interface Entry {
  /** From the root of the repository, '/'-separated. */
  readonly path: string;
  /** As git writes it: `100644`, `100755`, `120000` … */
  readonly mode: string;
  readonly type: 'file' | 'link' | 'submodule';
  readonly id: string;
  /** Bytes; 0 for a submodule. */
  readonly size: number;
}

export interface Changes {
  /** New entries, and entries with other bytes or another mode. */
  readonly written: readonly Entry[];
  /** Paths that are gone. */
  readonly removed: readonly string[];
}

export interface PathObject {
  /** With `mode`, this names content: a git id covers the mode, path and bytes of all it holds. */
  readonly id: string;
  readonly mode: string;
  readonly kind: 'file' | 'folder';
}

/** Every entry below `path` ('' for all) at `commit`. */
export async function listTree(git: Git, commit: string, path: string): Promise<readonly Entry[]> {
  const where = path === '' ? [] : ['--', path];
  const output = await git.run(['ls-tree', '-r', '-l', '-z', '--full-tree', commit, ...where]);
  return records(output).map(entryOf);
}

/** What differs below `path` between two commits; costs what changed, whatever the trees hold. */
export async function diffTree(git: Git, from: string, to: string, path: string): Promise<Changes> {
  const where = path === '' ? [] : ['--', path];
  const output = await git.run(['diff-tree', '-r', '-z', '--no-renames', '--full-index', from, to, ...where]);
  const fields = records(output);
  const removed: string[] = [];
  const written: Omit<Entry, 'size'>[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [, mode = '', , id = ''] = (fields[i] ?? '').split(' ');
    const path = fields[i + 1] ?? '';
    if (/^0+$/.test(mode)) removed.push(path);
    else written.push({ path, mode, type: typeOf(mode), id });
  }
  const sizes = await sizesOf(
    git,
    written.filter((entry) => entry.type !== 'submodule').map((entry) => entry.id),
  );
  return { written: written.map((entry) => ({ ...entry, size: sizes.get(entry.id) ?? 0 })), removed };
}

/** What `path` is at `commit`; null when there is nothing. Throws `invalid` for a link or a submodule. */
export async function objectAt(git: Git, commit: string, path: string): Promise<PathObject | null> {
  if (path === '') {
    const id = (await git.run(['rev-parse', '--verify', `${commit}^{tree}`])).trim();
    return { id, mode: '040000', kind: 'folder' };
  }
  const [record] = records(await git.run(['ls-tree', '-z', '--full-tree', commit, '--', path]));
  if (record === undefined) return null;
  const [mode = '', type, id = ''] = record.slice(0, record.indexOf('\t')).split(' ');
  if (type === 'tree') return { id, mode, kind: 'folder' };
  refuseUnlessFile({ path, type: typeOf(mode) });
  return { id, mode, kind: 'file' };
}

/** Names of the folders directly at the root of `commit`, for messages. */
export async function foldersAt(git: Git, commit: string): Promise<readonly string[]> {
  return records(await git.run(['ls-tree', '-d', '-z', '--name-only', commit]));
}

/** Larger configuration files are not read. */
export const FILE_BYTES = 1 << 20;

/** Why this entry cannot be read as a configuration file; null when it can. */
export function problemWith(entry: Pick<Entry, 'path' | 'type' | 'size'>, maxBytes: number): Problem | null {
  const at = { file: entry.path, line: 1, column: 1, path: '', severity: 'error' } as const;
  if (entry.type !== 'file') return { ...at, ...NOT_A_FILE[entry.type] };
  if (entry.size <= maxBytes) return null;
  const message = `this file has ${entry.size} bytes; at most ${maxBytes} are read`;
  return { ...at, message, fix: 'Split it, or move what is not configuration elsewhere.' };
}

/** Throws `invalid` for a link or a submodule: what they point at is not part of the commit. */
export function refuseUnlessFile(entry: Pick<Entry, 'path' | 'type'>): void {
  if (entry.type === 'file') return;
  const { message, fix } = NOT_A_FILE[entry.type];
  throw new Failure('invalid', `${entry.path}: ${message}`, { fix });
}

// Private

const NOT_A_FILE = {
  link: {
    message: 'this is a symbolic link, and links are not followed',
    fix: 'Put the file itself here, or name the path it points at.',
  },
  submodule: {
    message: 'this is a submodule, and submodules are not fetched',
    fix: 'Copy what is needed into this repository, or watch that repository.',
  },
} as const;

function records(output: string): string[] {
  return output.split('\0').slice(0, -1);
}

/** `<mode> <type> <id> <size>\t<path>` */
function entryOf(record: string): Entry {
  const tab = record.indexOf('\t');
  const [mode = '', , id = '', size] = record.slice(0, tab).split(/ +/);
  return { path: record.slice(tab + 1), mode, type: typeOf(mode), id, size: Number(size) || 0 };
}

function typeOf(mode: string): Entry['type'] {
  if (mode === '120000') return 'link';
  return mode === '160000' ? 'submodule' : 'file';
}

async function sizesOf(git: Git, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map();
  const output = await git.run(
    ['cat-file', '--batch-check=%(objectname) %(objectsize)'],
    `${ids.join('\n')}\n`,
  );
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([id = '', size]) => [id, Number(size)]),
  );
}
