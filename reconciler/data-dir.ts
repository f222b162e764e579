// The folder where a daemon keeps what must survive it: who it is, and a place for everything else.
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../schemas/errors.ts';

export interface DataDir {
  readonly path: string;
  /** Marks every instance as ours; never only in the database, so that a lost one can be rebuilt. */
  readonly owner: string;
  /** Names this machine (more exactly: this folder), where local replicas live. */
  readonly machine: string;
}

/** Of the folder's layout; a newer one is refused. */
const LAYOUT = 1;

/** Makes or opens the folder. Throws `invalid` when it cannot be written or was laid out by a newer program. */
export function openDataDir(path: string, env: NodeJS.ProcessEnv): DataDir {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    checkLayout(path, Number(readOrWrite(join(path, 'VERSION'), () => String(LAYOUT))));
    const owner = env.TRUEUP_OWNER || readOrWrite(join(path, 'owner'), randomUUID);
    return { path, owner, machine: readOrWrite(join(path, 'machine'), randomUUID) };
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Failure('invalid', `cannot write the data dir ${path}: ${reasonOf(code) ?? message}`, {
      fix: 'Make room, or give it to this user, or choose another with --data-dir.',
      cause,
    });
  }
}

// Private

function checkLayout(path: string, layout: number): void {
  if (layout === LAYOUT) return;
  throw new Failure('invalid', `the data dir ${path} has layout ${layout}; this program knows ${LAYOUT}`, {
    fix: 'Use the version of trueup that wrote it, or another --data-dir.',
  });
}

/** Written aside and then linked, so that a full disk leaves no empty file that would be read the next time. */
function readOrWrite(file: string, make: () => string): string {
  if (!existsSync(file)) {
    const draft = `${file}.${randomUUID()}`;
    try {
      writeFileSync(draft, `${make()}\n`, { flag: 'wx', mode: 0o600 });
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
  return readFileSync(file, 'utf8').trim();
}

function reasonOf(code: string | undefined): string | null {
  if (code === 'ENOSPC') return 'the disk is full';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'this user may not write there';
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a file is in the way';
  return null;
}
