// Gets a file from a web server, in bounded time and size.
import { Failure } from '../../schemas/errors.ts';

/** Throws `not-found`, or `transient` with the reason in words. */
export async function fetchBytes(url: string, timeoutMs: number, maxBytes: number): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      const kind = MISSING.includes(response.status) ? 'not-found' : 'transient';
      throw new Failure(kind, `it answered ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > maxBytes) throw new Failure('transient', `the answer is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('transient', reasonOf(error, timeoutMs), { cause: error });
  }
}

// Private

/** Object stores that let nobody list what there is say 403 of what there is not. */
const MISSING = [403, 404, 410];

/** `fetch` says what happened in the cause, if at all. */
function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, cause } = error as Error & { readonly cause?: NodeJS.ErrnoException };
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  return cause?.code ?? cause?.message ?? 'it cannot be reached';
}
