// The client of GitHub's API: asks again after a hiccup, waits as long as a rate limit says, and tells a missing right
// from a failure. GITHUB_API_URL decides whom it asks.
import { setTimeout as sleep } from 'node:timers/promises';
import { Octokit } from '@octokit/rest';
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
}

/** A repository, as every call names it. */
export interface Repo {
  readonly owner: string;
  readonly repo: string;
}

export function createGitHub(options: ClientOptions): GitHub {
  const { token, apiUrl, longestPauseMs = 60_000, pauseMs = 1000 } = options;
  const github = new Octokit({
    ...(token ? { auth: token } : {}),
    baseUrl: apiUrl.replace(/\/+$/, ''),
    userAgent: 'trueup-action',
    log: SILENT,
  });
  github.hook.wrap('request', async (request, asked) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(asked);
      } catch (error) {
        const pause = pauseAfter(asErrorOf(error), asked.method, pauseMs * 2 ** (attempt - 1));
        if (pause === null || attempt === ATTEMPTS || pause > longestPauseMs) throw error;
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
    const { status, message } = asErrorOf(error);
    const isDenied = status === 403 || status === 404 || status === 401;
    if (isDenied)
      out.line(`Not done: ${what}. The token may not; it needs \`permissions: {${permission}}\`.`);
    else out.annotate('warning', `${what} failed: ${message}`);
    return null;
  }
}

/** Whether it is not known if the request was carried out. */
export function isAmbiguous(error: unknown): boolean {
  const { status } = asErrorOf(error);
  return status === null || status >= 500;
}

// Private

const ATTEMPTS = 5;

const nothing = () => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

interface ErrorOf {
  /** null: there was no answer. */
  readonly status: number | null;
  readonly message: string;
  readonly headers: { readonly [name: string]: unknown };
}

function asErrorOf(error: unknown): ErrorOf {
  const { status, message, response } = error as {
    readonly status?: number;
    readonly message?: string;
    readonly response?: { readonly headers?: ErrorOf['headers'] };
  };
  // Octokit gives 500 to a connection that broke: then there is no response.
  const isAnswer = typeof status === 'number' && response !== undefined;
  return {
    status: isAnswer ? status : null,
    message: message ?? String(error),
    headers: response?.headers ?? {},
  };
}

/** How long to wait before the same again; null: that would not help, or might do it twice. */
function pauseAfter({ status, headers }: ErrorOf, method: string, pauseMs: number): number | null {
  if (status === 403 || status === 429) return limitedFor(headers);
  const isTrouble = status === null || status >= 500;
  return isTrouble && method !== 'POST' ? pauseMs : null;
}

/** https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api, "Exceeding the rate limit" (2026) */
function limitedFor(headers: ErrorOf['headers']): number | null {
  const after = Number(headers['retry-after']);
  if (after >= 0) return after * 1000;
  if (headers['x-ratelimit-remaining'] !== '0') return null;
  return Math.max(0, Number(headers['x-ratelimit-reset']) * 1000 - Date.now());
}
