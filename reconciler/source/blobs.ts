// Reads blobs in bulk: one `git cat-file --batch` for all of them, one blob in memory at a time.
import type { Readable } from 'node:stream';
import { Failure } from '../../schemas/errors.ts';
import type { Git } from './git-env.ts';

export interface Blob {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/**
 * Gives the blobs in the order of `ids`. Throws `invalid` at one larger than `maxBytes`, before it is read;
 * `not-found` at one that is not there; `transient` when git is silent for `timeoutMs`.
 */
export async function* readBlobs(
  git: Git,
  ids: readonly string[],
  limits: { readonly maxBytes: number; readonly timeoutMs: number },
): AsyncGenerator<Blob> {
  if (ids.length === 0) return;
  const child = git.spawn(['cat-file', '--batch']);
  child.stdin.on('error', () => {});
  child.stdin.end(`${ids.join('\n')}\n`);
  const input = byteReader(child.stdout, limits.timeoutMs);
  try {
    for (const id of ids) {
      const size = sizeIn(await input.line(), id);
      if (size > limits.maxBytes) throw tooLarge(id, size, limits.maxBytes);
      const bytes = await input.exactly(size);
      await input.exactly(1);
      yield { id, bytes };
    }
  } finally {
    child.kill('SIGKILL');
  }
}

// Private

/** `<id> blob <size>`, or `<id> missing`. */
function sizeIn(header: string, id: string): number {
  const [, type, size] = header.split(' ');
  if (type === 'blob') return Number(size);
  const what = type === 'missing' ? 'is not kept any more' : `is a ${type}, not a file`;
  throw new Failure('not-found', `git object ${id} ${what}`);
}

function tooLarge(id: string, size: number, maxBytes: number): Failure {
  const message = `git object ${id} has ${size} bytes; at most ${maxBytes} are read`;
  return new Failure('invalid', message, { fix: 'Make the file smaller.' });
}

/** Cuts a stream into lines and counted pieces. Copies each byte once, so that no piece holds on to a larger buffer. */
function byteReader(stream: Readable, timeoutMs: number) {
  const chunks: AsyncIterator<Buffer> = stream.iterator({ destroyOnReturn: true });
  let chunk: Buffer = Buffer.alloc(0);

  const refill = async (): Promise<void> => {
    const silence = setTimeout(() => {
      stream.destroy(new Failure('transient', `git was silent for ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      const next = await chunks.next();
      if (next.done === true) throw new Failure('transient', 'git ended before it had given every object');
      chunk = next.value;
    } finally {
      clearTimeout(silence);
    }
  };

  const exactly = async (size: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(size);
    for (let filled = 0; filled < size; ) {
      if (chunk.length === 0) await refill();
      const piece = chunk.subarray(0, size - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      chunk = chunk.subarray(piece.length);
    }
    return bytes;
  };

  const line = async (): Promise<string> => {
    let text = '';
    for (;;) {
      if (chunk.length === 0) await refill();
      const end = chunk.indexOf('\n');
      const piece = end === -1 ? chunk : chunk.subarray(0, end);
      text += piece.toString('latin1');
      chunk = chunk.subarray(end === -1 ? chunk.length : end + 1);
      if (end !== -1) return text;
    }
  };

  return { exactly, line };
}
