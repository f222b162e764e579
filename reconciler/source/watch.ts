// Notices commits in a local repository within a moment. Looks at files only, and only wakes.
import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { findRepository, type LocalRepository } from './location.ts';

/**
 * Calls `changed` soon after `ref` (`HEAD`, `refs/heads/…`, or null for whatever HEAD names) moved, or after the
 * repository went or came back. Looks every `everyMs`, and at once when the system reports a write.
 */
export function watchRefs(
  path: string,
  ref: () => string | null,
  changed: () => void,
  everyMs = 2000,
): () => void {
  let seen = fingerprint(path, ref());
  let watchers: readonly FSWatcher[] = [];
  const look = (): void => {
    const now = fingerprint(path, ref());
    if (now === seen) return;
    seen = now;
    // Folders may have come or gone with the change.
    rearm();
    changed();
  };
  const rearm = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = foldersOf(path, ref()).flatMap((folder) => watchFolder(folder, look));
  };
  rearm();
  const timer = setInterval(look, everyMs).unref();
  return () => {
    clearInterval(timer);
    for (const watcher of watchers) watcher.close();
  };
}

// Private

/** Equal as long as the ref is. Reads three small files: cheaper than asking git. */
function fingerprint(path: string, ref: string | null): string {
  const repository = findRepository(path);
  if (repository === null) return 'no repository';
  const head = textOf(join(repository.gitDir, 'HEAD'));
  const name = nameOf(ref, head);
  return [
    repository.gitDir,
    ref === null || ref === 'HEAD' ? head : '',
    name === null ? '' : textOf(join(repository.commonDir, name)),
    stampOf(join(repository.commonDir, 'packed-refs')),
    stampOf(join(repository.commonDir, 'reftable', 'tables.list')),
  ].join('\n');
}

function nameOf(ref: string | null, head: string): string | null {
  if (ref !== null && ref !== 'HEAD') return ref;
  return /^ref: (.+)$/m.exec(head)?.[1] ?? null;
}

function foldersOf(path: string, ref: string | null): readonly string[] {
  const repository: LocalRepository | null = findRepository(path);
  if (repository === null) return [];
  const name = nameOf(ref, textOf(join(repository.gitDir, 'HEAD')));
  const folders = [repository.gitDir, repository.commonDir, join(repository.commonDir, 'reftable')];
  return [...new Set(name === null ? folders : [...folders, dirname(join(repository.commonDir, name))])];
}

/** A folder that is not there is not watched: the regular look covers it. */
function watchFolder(folder: string, look: () => void): FSWatcher[] {
  try {
    return [watch(folder, { persistent: false }, look).on('error', () => {})];
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}
