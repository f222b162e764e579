// Where proxies keep their things: a private folder in the data dir, and one for sockets whose path is short enough.
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Failure } from '../schemas/errors.ts';

export interface Place {
  /** Records, the table, the log. */
  readonly folder: string;
  /** Sockets; the same folder where its path is short. */
  readonly sockets: string;
}

/** A unix socket's path may hold 107 bytes; this much is left for the name of a socket and its slash. */
const LONGEST_FOLDER = 107 - 16;

/** Makes both folders, 0700. The folder for sockets is remembered, so that every later daemon finds the same one. */
export async function preparePlace(dataDir: string): Promise<Place> {
  const folder = resolve(dataDir, 'proxy');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  if (Buffer.byteLength(folder) <= LONGEST_FOLDER) return { folder, sockets: folder };
  const noted = join(folder, 'sockets');
  const sockets = (await textOf(noted)) ?? shortFolder(folder);
  await makePrivate(sockets);
  await writeFile(noted, sockets, { mode: 0o600 });
  return { folder, sockets };
}

// Private

function shortFolder(folder: string): string {
  const name = `trueup-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  const candidates = [process.env.XDG_RUNTIME_DIR ?? '', tmpdir(), '/tmp']
    .filter((parent) => parent !== '')
    .map((parent) => join(parent, name));
  const found = candidates.find((path) => Buffer.byteLength(path) <= LONGEST_FOLDER);
  if (found !== undefined) return found;
  throw new Failure(
    'invalid',
    `no folder with a path short enough for unix sockets: ${candidates.join(', ')}`,
    {
      fix: 'set XDG_RUNTIME_DIR to a folder with a short path, or use a data dir with one',
    },
  );
}

/** In a folder that others write to, somebody may have been there before us. */
async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Failure('invalid', `${path} is not a folder of ours, so no socket is put there`, {
      fix: 'remove it, or set XDG_RUNTIME_DIR to a folder that only you can write to',
    });
  }
  await chmod(path, 0o700);
}

async function textOf(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim() || null;
  } catch {
    return null;
  }
}
