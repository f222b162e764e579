// One request on its way to an upstream and back. Decides what to do when a try breaks: another upstream, once more on
// a new connection, or an error for the caller.
import type { Dispatcher } from 'undici';
import { bodyOf, hasBody } from './body.ts';
import { AnswerTimeout, type Progress, type Relayed, relay } from './relay.ts';
import type { Upstream } from './upstream.ts';

export interface Passage extends Relayed {
  /** Path and query as the upstream sees them. */
  readonly path: string;
  /** Flat list of names and values for the upstream. */
  readonly headers: string[];
  /** The next upstream to try; null when none is left. */
  readonly next: (tried: readonly Upstream[]) => Upstream | null;
  /** Nothing has been answered yet and nothing more will be tried. */
  readonly failed: (failure: ForwardFailure) => void;
}

export type ForwardFailure =
  /** No upstream took the connection. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'timeout' }
  /** The upstream broke off before it had answered. */
  | { readonly kind: 'broken'; readonly reason: string }
  /** The request cannot be written as HTTP. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** Methods that ask for nothing to be done (RFC 9110 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** Methods that may be sent twice (RFC 9110 9.2.2). */
const IDEMPOTENT = new Set([...SAFE, 'PUT', 'DELETE']);

class CallerGone extends Error {}

export function forward(passage: Passage): void {
  const { response } = passage;
  const options = dispatchOptions(passage);
  const tried: Upstream[] = [];
  let isRepeatable = options.body === null && IDEMPOTENT.has(options.method);
  let isMovable = options.body === null && SAFE.has(options.method);
  let isGone = false;
  let controller: Dispatcher.DispatchController | null = null;

  function attemptOn(upstream: Upstream, how: 'send' | 'sendFresh'): void {
    const finished = upstream.begin();
    const attempt = relay(passage, {
      started(present) {
        controller = present;
        if (isGone) present.abort(new CallerGone());
      },
      finished,
      broke(error, progress) {
        // Counted out last: what is tried again is in flight all the time, and so no drain ends in between.
        if (!isGone) recover(upstream, error, progress);
        finished();
      },
    });
    upstream[how](options, attempt);
  }

  function recover(upstream: Upstream, error: Error, progress: Progress): void {
    if (response.headersSent) response.destroy();
    else if (isMalformed(error)) passage.failed({ kind: 'malformed', reason: error.message });
    else if (error instanceof AnswerTimeout) passage.failed({ kind: 'timeout' });
    else if (progress === 'unsent') tryElsewhere(upstream, error);
    else if (progress === 'sent-on-used' && isRepeatable) repeat(upstream);
    else if (progress !== 'sent' || !isMovable || !moveFrom(upstream)) {
      passage.failed({ kind: 'broken', reason: codeOf(error) ?? error.message });
    }
  }

  function tryElsewhere(refusing: Upstream, error: Error): void {
    refusing.refused();
    tried.push(refusing);
    const other = passage.next(tried);
    if (other !== null) attemptOn(other, 'send');
    else passage.failed({ kind: codeOf(error) === 'UND_ERR_CONNECT_TIMEOUT' ? 'timeout' : 'unreachable' });
  }

  /** A connection that the upstream closed while it lay idle says nothing about the upstream. */
  function repeat(upstream: Upstream): void {
    isRepeatable = false;
    attemptOn(upstream, 'sendFresh');
  }

  /** A replica that ends resets what it had just accepted: a request that does nothing may go to another, once. */
  function moveFrom(broken: Upstream): boolean {
    isMovable = false;
    tried.push(broken);
    const other = passage.next(tried);
    if (other !== null) attemptOn(other, 'send');
    return other !== null;
  }

  response.once('close', () => {
    if (response.writableFinished) return;
    isGone = true;
    controller?.abort(new CallerGone());
  });
  const first = passage.next(tried);
  if (first === null) passage.failed({ kind: 'unreachable' });
  else attemptOn(first, 'send');
}

// Private

function dispatchOptions({ request, path, headers, upgrade }: Passage): Dispatcher.DispatchOptions {
  return {
    method: request.method ?? 'GET',
    path,
    headers,
    body: hasBody(request) ? bodyOf(request) : null,
    ...(upgrade && { upgrade: upgrade.protocol }),
  };
}

function isMalformed(error: Error): boolean {
  return codeOf(error) === 'UND_ERR_INVALID_ARG' || codeOf(error) === 'UND_ERR_NOT_SUPPORTED';
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
