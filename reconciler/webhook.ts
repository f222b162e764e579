// Webhooks from git servers: proves who sent one, then wakes the project. A payload is believed in one point only,
// and only to do less: which branch it is about. What changed is read from git.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** `github`: `/webhooks/github`. `git`: `/webhooks/git`, for Gitea, Forgejo and GitLab. */
export type WebhookProvider = 'github' | 'git';

export interface Refusal {
  readonly ok: false;
  readonly status: number;
  readonly detail: string;
}

export const WEBHOOK_BODY_BYTES = 1 << 20;

/** Checks a complete, capped body against the secret, in constant time. Never looks into the body before. */
export function verifyWebhook(delivery: {
  readonly provider: WebhookProvider;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly secret: string;
}): { readonly ok: true } | Refusal {
  const { provider, headers, body, secret } = delivery;
  if (secret === '') return refuse(404, 'webhooks are off: set the webhook secret of the project');
  const proofs = PROOFS[provider].filter(({ header }) => headers[header] !== undefined);
  if (proofs.length === 0) {
    const names = PROOFS[provider].map(({ header }) => header).join(', ');
    return refuse(
      401,
      `the delivery is not signed (${names}): set the secret of the webhook at the git server`,
    );
  }
  const proven = proofs.some(({ header, holds }) => holds(String(headers[header]), secret, body));
  return proven ? { ok: true } : refuse(401, 'the signature does not match: the two secrets differ');
}

/** The branch or tag a verified delivery is about (`refs/heads/main`); null when it names none. */
export function pushedRef(body: Uint8Array, contentType = ''): string | null {
  const text = new TextDecoder().decode(body);
  const isForm = contentType.startsWith('application/x-www-form-urlencoded');
  try {
    const payload: unknown = JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
    if (typeof payload !== 'object' || payload === null || !('ref' in payload)) return null;
    return typeof payload.ref === 'string' ? payload.ref : null;
  } catch {
    return null;
  }
}

/** Reads a body of at most `cap` bytes that arrives within `withinMs`. */
export async function readCapped(
  stream: AsyncIterable<Uint8Array>,
  cap: number,
  withinMs = 10_000,
): Promise<{ readonly ok: true; readonly body: Uint8Array } | Refusal> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), withinMs);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const source = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([source.next(), late.promise]);
      if (next === 'late') return refuse(408, `the body did not arrive within ${withinMs / 1000} s`);
      if (next.done === true) return { ok: true, body: Buffer.concat(chunks) };
      size += next.value.byteLength;
      if (size > cap) return refuse(413, `the body has more than ${cap} bytes`);
      chunks.push(next.value);
    }
  } catch {
    return refuse(400, 'the body broke off');
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Answers deliveries of one project. `branch` gives the watched one ('' while unknown): deliveries that name another
 * are accepted and ignored. `wake` is called at most once a second, and always once more after the last delivery.
 */
export function createWebhook(options: {
  readonly secret: string;
  readonly branch: () => string;
  readonly wake: () => void;
}): (
  provider: WebhookProvider,
  request: IncomingMessage,
) => Promise<{ readonly status: number; readonly body: { readonly detail: string } }> {
  const wake = atMostEvery(1000, options.wake);
  return async (provider, request) => {
    const { headers } = request;
    const read = await readCapped(request, WEBHOOK_BODY_BYTES);
    if (!read.ok) return answer(read);
    const verdict = verifyWebhook({ provider, headers, body: read.body, secret: options.secret });
    if (!verdict.ok) return answer(verdict);
    const ref = pushedRef(read.body, headers['content-type']);
    const watched = options.branch();
    if (ref !== null && watched !== '' && watched !== 'HEAD' && ref !== `refs/heads/${watched}`) {
      return answer({ status: 202, detail: `ignored: ${watched} is watched` });
    }
    wake();
    return answer({ status: 202, detail: 'accepted' });
  };
}

// Private

interface Proof {
  readonly header: string;
  readonly holds: (given: string, secret: string, body: Uint8Array) => boolean;
}

const prefixedHmac: Proof['holds'] = (given, secret, body) => same(given, `sha256=${hmac(secret, body)}`);
const bareHmac: Proof['holds'] = (given, secret, body) => same(given, hmac(secret, body));

const PROOFS: { readonly [provider in WebhookProvider]: readonly Proof[] } = {
  github: [{ header: 'x-hub-signature-256', holds: prefixedHmac }],
  git: [
    { header: 'x-gitea-signature', holds: bareHmac },
    { header: 'x-forgejo-signature', holds: bareHmac },
    { header: 'x-hub-signature-256', holds: prefixedHmac },
    // GitLab sends the secret itself.
    { header: 'x-gitlab-token', holds: (given, secret) => same(given, secret) },
  ],
};

function hmac(secret: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/** In constant time, whatever the lengths: compares digests. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function refuse(status: number, detail: string): Refusal {
  return { ok: false, status, detail };
}

function answer({ status, detail }: { readonly status: number; readonly detail: string }) {
  return { status, body: { detail } };
}

/** Calls at once, then at most every `ms`; a call that came too soon is made up for, so none is lost. */
function atMostEvery(ms: number, call: () => void): () => void {
  let resting = false;
  let owed = false;
  const fire = (): void => {
    if (resting) {
      owed = true;
      return;
    }
    resting = true;
    setTimeout(() => {
      resting = false;
      if (!owed) return;
      owed = false;
      fire();
    }, ms).unref();
    call();
  };
  return fire;
}
