// What git calls the things that services mount, so that the server can tell whether their content changes.
import { posix } from 'node:path';
import { mountedPaths } from '../reconciler/source/content.ts';
import { isConfigurationPath, parseFile } from '../reconciler/source/parse.ts';
import type { SourceFile } from '../reconciler/wanted.ts';
import { parseProfiles } from '../schemas/profiles.ts';
import type { Trees } from './github/trees.ts';

/** Path from the root of the repository -> `mode:id`, of `files` and `repos` of every service that parses. */
export async function mountedObjects(
  files: readonly SourceFile[],
  root: string,
  nameOf: (path: string) => ReturnType<Trees['nameOf']>,
): Promise<Record<string, string>> {
  const profiles = ['yml', 'yaml'].map((ending) => posix.join(root, `.dstack/profiles.${ending}`));
  const settings = parseProfiles(files.find(({ path }) => profiles.includes(path)) ?? null);
  const parsed = files
    .filter(({ path }) => isConfigurationPath(path))
    .map((file) => parseFile(file, { root, profiles: settings.profiles }));
  const paths = new Set(mountedPaths(parsed.flatMap(({ spec }) => spec ?? [])));
  const names = await Promise.all([...paths].map(async (path) => [path, await nameOf(path)] as const));
  return Object.fromEntries(names.filter((pair): pair is [string, string] => pair[1] !== null));
}
