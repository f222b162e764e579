// What git calls the things that services mount, as they lie in a working folder: so that the server can tell whether
// their content changes. Only what is committed there as it lies has such a name.
import { isAbsolute, join } from 'node:path';
import { simpleGit } from 'simple-git';
import { parseProfiles } from '../../schemas/profiles.ts';
import { mountedPaths } from '../source/content.ts';
import { parseFile } from '../source/parse.ts';
import type { Tree } from './folder.ts';

/** Path from the root of the repository -> `mode:id`. Empty outside of a repository, or without git. */
export async function mountedObjects({ root, files, profiles }: Tree): Promise<Record<string, string>> {
  const run = gitIn(root);
  try {
    const prefix = (await run(['rev-parse', '--show-prefix'])).trim().replace(/\/$/, '');
    const context = { root: prefix, profiles: parseProfiles(profiles).profiles };
    const parsed = files.map((file) => parseFile({ ...file, path: join(prefix, file.path) }, context));
    const paths = new Set(mountedPaths(parsed.flatMap(({ spec }) => spec ?? [])));
    const found = await Promise.all(
      [...paths].map(async (path) => [path, await objectAt(run, path)] as const),
    );
    return Object.fromEntries(found.filter((pair): pair is [string, string] => pair[1] !== null));
  } catch {
    return {};
  }
}

// Private

type Run = (args: readonly string[]) => Promise<string>;

/** A work tree's own configuration may name a program to ask what has changed: it is not asked. */
function gitIn(dir: string): Run {
  const options = { config: ['core.fsmonitor=false'], unsafe: { allowUnsafeFsMonitor: true } };
  // One instance per command: within one, a failing command takes the waiting ones with it.
  return (args) => simpleGit({ baseDir: dir, timeout: { block: 10_000 }, ...options }).raw([...args]);
}

/** null when what lies there is not what is committed. */
async function objectAt(run: Run, path: string): Promise<string | null> {
  if (isAbsolute(path)) return null;
  const where = path === '' ? ':/' : `:(top,literal)${path}`;
  const changed = await run(['status', '--porcelain', '--untracked-files=all', '--', where]);
  if (changed !== '') return null;
  if (path === '') return `040000:${(await run(['rev-parse', '--verify', 'HEAD^{tree}'])).trim()}`;
  const [record = ''] = (await run(['ls-tree', '-z', '--full-tree', 'HEAD', '--', path])).split('\0');
  const [, mode, id] = /^(\d{6}) (?:blob|tree) ([0-9a-f]+)\t/.exec(record) ?? [];
  return mode && id ? `${mode}:${id}` : null;
}
