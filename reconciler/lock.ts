// One daemon per data dir: the file `lock` there names the process that owns it. A lock whose process is gone is
// taken over; two that start at once never both get it.
//
// A lock file appears complete (written aside, then linked) and only its successor replaces it: who finds a dead
// owner's lock must first get the lock named after its content, which only one can, and only then moves it over.
// So nobody removes a lock that somebody else has just made.
import { createHash, randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning, type ProcessIdentity, processIdentity } from '../backends/host/process-identity.ts';
import { Failure } from '../schemas/errors.ts';

/** What a lock file holds. */
export interface LockOwner extends ProcessIdentity {
  /** Where the owner is reached; '' when it is not known yet. */
  readonly url: string;
  /** Epoch ms. */
  readonly since: number;
}

export interface Lock {
  /** Safe to repeat. */
  release(): Promise<void>;
}

/** Takes the data dir `dir`, which exists. Throws `invalid` while another process owns it, and names that one. */
export async function acquire(dir: string, info: { readonly url: string }): Promise<Lock> {
  const path = join(dir, 'lock');
  const content = JSON.stringify(self(info.url));
  const draft = await writeAside(path, content).catch((error: unknown) => {
    throw unwritable(dir, error);
  });
  try {
    const owner = await claim(path, draft);
    if (owner !== null) throw taken(dir, owner);
  } finally {
    await rm(draft, { force: true });
  }
  return { release: () => release(path, content) };
}

/** The living owner of the data dir; null when there is none. */
export async function lockOwner(dir: string): Promise<LockOwner | null> {
  const content = await contentOf(join(dir, 'lock'));
  return content === null ? null : livingOwner(content);
}

// Private

function self(url: string): LockOwner {
  const identity = processIdentity(process.pid) ?? { pid: process.pid, startTicks: null, bootId: null };
  return { ...identity, url, since: Date.now() };
}

/** On disk before it is linked, so that a lock is never found half written, not even after a power cut. */
async function writeAside(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}

/** Makes `path` a link to `draft`. Returns the living owner of `path` instead if there is one. */
async function claim(path: string, draft: string): Promise<LockOwner | null> {
  for (;;) {
    if (await linked(draft, path)) return null;
    const content = await contentOf(path);
    if (content === null) continue;
    const owner = livingOwner(content) ?? (await succeed(path, content, draft));
    if (owner !== 'again') return owner;
  }
}

/** Takes over from the dead owner that wrote `content`; 'again' when somebody else just did. */
async function succeed(path: string, content: string, draft: string): Promise<LockOwner | null | 'again'> {
  const successor = `${path}.after-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
  const rival = await claim(successor, draft);
  if (rival !== null) return rival;
  if ((await contentOf(path)) === content) {
    await rename(successor, path);
    return null;
  }
  await rm(successor, { force: true });
  return 'again';
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** What is no lock of ours, nobody owns. */
function livingOwner(content: string): LockOwner | null {
  try {
    const owner = JSON.parse(content) as LockOwner;
    return isRunning(owner) ? owner : null;
  } catch {
    return null;
  }
}

async function release(path: string, content: string): Promise<void> {
  if ((await contentOf(path)) === content) await rm(path, { force: true });
}

function taken(dir: string, { pid, since, url }: LockOwner): Failure {
  const where = url === '' ? '' : ` at ${url}`;
  return new Failure(
    'invalid',
    `the data dir ${dir} is in use: process ${pid} has had it since ${new Date(since).toISOString()}${where}`,
    { fix: `Stop that trueup (kill ${pid}), or use another folder with --data-dir.` },
  );
}

function unwritable(dir: string, error: unknown): Failure {
  const reason = error instanceof Error ? error.message : String(error);
  return new Failure('invalid', `the data dir ${dir} cannot be written: ${reason}`, {
    fix: 'Make the folder writable for this user, or use another with --data-dir.',
  });
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
