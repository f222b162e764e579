// Puts the files of a replica's mounts into its work folder, and nothing anywhere else.
import { chmod, lstat, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { Failure } from '../../schemas/errors.ts';
import type { ProcessRequest } from '../backend.ts';

type Mount = ProcessRequest['mounts'][number];

/** `folder` is the replica's working directory, inside `root`; both exist. Throws `invalid` for what would leave `root`. */
export async function materialise(root: string, folder: string, mounts: readonly Mount[]): Promise<void> {
  const inside = await realpath(root);
  for (const mount of mounts) {
    const target = targetIn(root, folder, mount.target);
    for await (const file of mount.files()) {
      const path = file.path === '' ? target : join(target, file.path);
      if (!isInside(target, path)) throw refused(mount.target, `its file ${file.path} lies outside of it`);
      await put(root, inside, path, file, mount.target);
    }
  }
}

export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

// Private

const KIND = 0o170000;
const LINK = 0o120000;

function targetIn(root: string, folder: string, target: string): string {
  if (isAbsolute(target))
    throw refused(target, 'it is absolute, and a plain process has no file system of its own');
  const path = target.startsWith('~/') ? join(root, target.slice(2)) : join(folder, target);
  if (!isInside(root, path)) throw refused(target, 'it leaves the folder of the replica');
  return path;
}

async function put(
  root: string,
  realRoot: string,
  path: string,
  file: { readonly mode: number; readonly bytes: Uint8Array },
  target: string,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const expected = join(realRoot, relative(root, dirname(path)));
  if ((await realpath(dirname(path))) !== expected) throw refused(target, 'it leads through a symbolic link');
  const present = await lstat(path).catch(() => null);
  if (present?.isSymbolicLink())
    throw refused(target, 'two of its files have the same place, one of them a symbolic link');
  if ((file.mode & KIND) === LINK) return putLink(root, path, Buffer.from(file.bytes).toString(), target);
  await writeFile(path, file.bytes);
  await chmod(path, file.mode & 0o777);
}

async function putLink(root: string, path: string, to: string, target: string): Promise<void> {
  if (isAbsolute(to) || !isInside(root, join(dirname(path), to))) {
    throw refused(target, `its symbolic link to ${to} leads outside`);
  }
  await symlink(to, path);
}

function refused(target: string, why: string): Failure {
  return new Failure('invalid', `cannot put files at ${target}: ${why}`, {
    fix: 'use a relative path below the working directory, or a backend with containers',
  });
}
