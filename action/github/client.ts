// The client of GitHub's API: few calls at once, asked again after a hiccup, waiting as long as a rate limit says. What goes
// wrong for good is a Failure: `unauthorized`, `not-found`, `rate-limited`, `transient` or `invalid`. GITHUB_API_URL decides
// whom it asks.
import { setTimeout as sleep } from 'node:timers/promises';
import { Octokit } from '@octokit/rest';
import { asFailure, Failure } from '../../schemas/errors.ts';
import type { Output } from '../output.ts';

export type GitHub = Octokit;

export interface ClientOptions {
  /** null: as a stranger. */
  readonly token: string | null;
  readonly apiUrl: string;
  /** Of a wait, at most. */
  readonly longestPauseMs?: number;
  /** Before the first repetition; it doubles. */
  readonly pauseMs?: number;
  /** For an answer. */
  readonly timeoutMs?: number;
}

/** A repository, as every call names it. */
export interface Repo {
  readonly owner: string;
  readonly repo: string;
}

export function createGitHub(options: ClientOptions): GitHub {
  const { token, apiUrl, longestPauseMs = 60_000, pauseMs = 1000, timeoutMs = 30_000 } = options;
  const github = new Octokit({
    ...(token ? { auth: token } : {}),
    baseUrl: apiUrl.replace(/\/+$/, ''),
    userAgent: 'trueup-action',
    log: SILENT,
    request: {
      fetch: (url: string, init: RequestInit) =>
        fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
    },
  });
  const inTurn = queue(AT_ONCE);
  github.hook.wrap('request', async (request, asked) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTurn(async () => request(asked));
      } catch (error) {
        const failure = failureOf(error);
        const pause = pauseAfter(failure, isRepeatable(asked), pauseMs * 2 ** (attempt - 1));
        if (pause === null || attempt === ATTEMPTS || pause > longestPauseMs) throw failure;
        await sleep(pause);
      }
    }
  });
  return github;
}

/** null when the token lacks the right, which is said once; everything else that goes wrong is said too, and ends nothing. */
export async function reported<T>(
  out: Pick<Output, 'annotate' | 'line'>,
  what: string,
  permission: string,
  report: () => Promise<T>,
): Promise<T | null> {
  try {
    return await report();
  } catch (error) {
    const { kind, message } = asFailure(error);
    if (kind === 'unauthorized' || kind === 'not-found')
      out.line(`Not done: ${what}. The token may not; it needs \`permissions: {${permission}}\`.`);
    else out.annotate('warning', `${what} failed: ${message}`);
    return null;
  }
}

/** Whether it is not known if the request was carried out. */
export function isAmbiguous(error: unknown): boolean {
  return asFailure(error).kind === 'transient';
}

// Private

const ATTEMPTS = 5;
/** GitHub asks for few; from a hundred on it refuses. */
const AT_ONCE = 8;

const nothing = () => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Carries out so many at once; the others wait for their turn. */
function queue(most: number) {
  const waiting: (() => void)[] = [];
  let free = most;
  return async <T>(task: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** What may be there twice without harm. A comment may not, nor a deployment; a question of GraphQL is a POST as well. */
function isRepeatable({ method, url }: { readonly method: string; readonly url: string }): boolean {
  return method !== 'POST' || /\/statuses\b|\/graphql$/.test(url);
}

/** How long to wait before the same again; null: that would not help, or might do it twice. */
function pauseAfter({ kind, retryAt = 0 }: Failure, isRepeatable: boolean, pauseMs: number): number | null {
  if (kind === 'rate-limited') return Math.max(0, retryAt - Date.now());
  return kind === 'transient' && isRepeatable ? pauseMs : null;
}

interface HttpError {
  readonly status?: number;
  readonly message?: string;
  readonly request?: { readonly method: string; readonly url: string };
  readonly response?: { readonly headers: Headers };
}
type Headers = { readonly [name: string]: string | number | undefined };

function failureOf(cause: unknown): Failure {
  const { status, message = String(cause), request, response } = cause as HttpError;
  const asked = request ? ` to ${request.method} ${new URL(request.url).pathname}` : '';
  // Octokit gives 500 to a connection that broke: then there is no response.
  if (!response || status === undefined)
    return new Failure('transient', `GitHub gave no answer${asked}: ${message}`, { cause });
  const retryAt = limitedUntil(status, response.headers, message);
  if (retryAt !== null) {
    const until = `${new Date(retryAt).toISOString().slice(11, 19)} UTC`;
    return new Failure('rate-limited', `GitHub takes no more requests until ${until}`, { retryAt, cause });
  }
  return new Failure(kindOf(status), `GitHub answered ${status}${asked}: ${message}`, { cause });
}

function kindOf(status: number): Failure['kind'] {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'not-found';
  return status >= 500 ? 'transient' : 'invalid';
}

/** Where a limit has no end, GitHub asks for "at least one minute". */
const LIMIT_MS = 60_000;

/**
 * Epoch ms; null: it is no limit. https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api,
 * "Exceeding the rate limit" (2026): the secondary ones may say so in words alone.
 */
function limitedUntil(status: number, headers: Headers, message: string): number | null {
  if (status !== 403 && status !== 429) return null;
  const { 'retry-after': after, 'x-ratelimit-remaining': left, 'x-ratelimit-reset': reset } = headers;
  if (Number(after) >= 0) return Date.now() + Number(after) * 1000;
  if (String(left) === '0' && Number(reset) > 0) return Number(reset) * 1000;
  return status === 429 || /rate limit/i.test(message) ? Date.now() + LIMIT_MS : null;
}
