// Gives a plain process the Python version that its file names, where this machine has it.
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../schemas/errors.ts';

/** Makes `folder` hold `python` and `python3` of that version, found in `path`. Throws `invalid` when there is none. */
export async function linkPython(folder: string, version: string, path: string): Promise<void> {
  const name = `python${version}`;
  const found = path
    .split(':')
    .map((each) => join(each, name))
    .find(existsSync);
  if (found === undefined) {
    throw new Failure('invalid', `\`python: ${version}\`: there is no ${name} in ${path}`, {
      fix: `install ${name} on this machine, remove \`python\`, or use a backend with containers`,
    });
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const link of ['python', 'python3']) await symlink(found, join(folder, link));
}
