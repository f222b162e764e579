// What the paths that services mount are at a commit: git's names of their content.

import type { ServiceSpec } from '../../schemas/desired.ts';
import { Failure } from '../../schemas/errors.ts';
import type { Source } from './git.ts';

/** A name of content; why the path cannot be mounted; or null: nothing is there. */
export type MountId = string | { readonly message: string; readonly fix: string } | null;

/** Throws only what is no fault of a path. */
export async function readMountIds(
  source: Pick<Source, 'object'>,
  commit: string,
  paths: Iterable<string>,
): Promise<Map<string, MountId>> {
  const ids = new Map<string, MountId>();
  for (const path of new Set(paths)) ids.set(path, await mountIdOf(source, commit, path));
  return ids;
}

/** Every path of the repository that these services mount. */
export function mountedPaths(specs: readonly Pick<ServiceSpec, 'groups'>[]): string[] {
  const processes = specs.flatMap(({ groups }) => groups.map(({ process }) => process));
  return processes.flatMap(({ files, repos }) => [...files, ...repos].map(({ source }) => source));
}

// Private

async function mountIdOf(source: Pick<Source, 'object'>, commit: string, path: string): Promise<MountId> {
  try {
    const object = await source.object(commit, path);
    return object && `${object.mode}:${object.id}`;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'invalid')
      return { message: error.message, fix: error.fix };
    throw error;
  }
}
