// The body of a request: whether there is one, how it is handed on, and what becomes of it when nobody reads it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';

/** How long a caller that still sends may go on before its connection is closed on it. */
const LINGER_MS = 5_000;

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/** A caller that asked before sending its body (`Expect: 100-continue`) is answered once somebody wants the body. */
export function admitBody(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect !== undefined) response.writeContinue();
}

/**
 * The body as a stream of its own: undici destroys the one it is given when an upstream answers early or breaks off,
 * and a destroyed request would never let go of its connection.
 */
export function bodyOf(request: IncomingMessage): PassThrough {
  return request.pipe(new PassThrough());
}

/**
 * Ends an answer whose text has been written. What is left of the body is read and dropped: a caller that is still
 * sending would wait for ever on a connection that stays, and lose the answer on one that is closed with bytes unread.
 */
export function endAnswer(request: IncomingMessage, response: ServerResponse): void {
  const isRead = request.complete || !hasBody(request);
  if (!isRead) request.unpipe().resume();
  if (isRead || response.shouldKeepAlive) {
    response.end();
    return;
  }
  const end = () => response.end();
  const timer = setTimeout(end, LINGER_MS);
  request.once('close', () => {
    clearTimeout(timer);
    end();
  });
}
