// The files of one `files`/`repos` path at a commit, for the host that puts them where a process finds them.
import { posix } from 'node:path';
import { Failure } from '../../schemas/errors.ts';
import { readBlobs } from './blobs.ts';
import type { Git } from './git-env.ts';
import { type Entry, listTree, refuseUnlessFile } from './tree.ts';

export interface MountedFile {
  /** Below the mount; '' when the mount is a single file. */
  readonly path: string;
  /** 0o644 or 0o755. */
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** Throws `invalid`, before the first file, when the path is not there, or holds a link, a submodule or too much. */
export async function* mountedFiles(
  git: Git,
  commit: string,
  path: string,
  limits: { readonly maxBytes: number; readonly timeoutMs: number },
): AsyncGenerator<MountedFile> {
  const entries = await listTree(git, commit, path);
  refuseMount(entries, commit, path, limits.maxBytes);
  const waiting = [...entries];
  const ids = entries.map((entry) => entry.id);
  for await (const { bytes } of readBlobs(git, ids, limits)) {
    const entry = waiting.shift();
    if (entry === undefined) return;
    yield { path: posix.relative(path, entry.path), mode: posixMode(entry), bytes };
  }
}

// Private

/** git keeps of a mode only whether a file can be run. */
function posixMode(entry: Entry): number {
  return entry.mode === '100755' ? 0o755 : 0o644;
}

function refuseMount(entries: readonly Entry[], commit: string, path: string, maxBytes: number): void {
  if (entries.length === 0) {
    throw new Failure('invalid', `'${path}' is not in the repository at ${commit.slice(0, 8)}`, {
      fix: 'Add it to the repository, or correct the path.',
    });
  }
  for (const entry of entries) refuseUnlessFile(entry);
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (total <= maxBytes) return;
  throw new Failure('invalid', `'${path}' holds ${total} bytes; at most ${maxBytes} can be mounted`, {
    fix: 'Mount a smaller folder, or let the service fetch large files when it starts.',
  });
}
