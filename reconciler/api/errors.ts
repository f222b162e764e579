// How the API says no: one shape, `{detail, fix?}`, whatever went wrong.
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ApiError } from '../../schemas/api.ts';
import type { Failure, FailureKind } from '../../schemas/errors.ts';
import { closest } from '../../schemas/problems.ts';

export function answer(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  fix?: string,
  headers: { readonly [name: string]: string } = {},
): Response {
  const body: ApiError = fix ? { detail, fix } : { detail };
  return c.json(body, status, { ...headers });
}

export function unknown(
  c: Context,
  what: 'project' | 'service',
  name: string,
  known: readonly string[],
): Response {
  const near = closest(name, known);
  const list = known.length <= 10 ? `Known: ${known.join(', ')}.` : 'See `trueup status`.';
  const none = `There is no ${what} yet.`;
  const fix = near ? `Did you mean \`${near}\`?` : known.length > 0 ? list : none;
  return answer(c, 404, `there is no ${what} \`${name}\``, fix);
}

/** A failure of ours is told to the operator, not to the caller. */
export function answerFailure(c: Context, failure: Failure): Response {
  if (failure.kind === 'bug') return answer(c, 500, 'the server failed', 'See the log of `trueup serve`.');
  return answer(c, STATUS[failure.kind], failure.message, failure.fix);
}

// Private

const STATUS: { readonly [kind in Exclude<FailureKind, 'bug'>]: ContentfulStatusCode } = {
  'no-capacity': 503,
  quota: 503,
  'rate-limited': 429,
  transient: 503,
  'not-found': 404,
  unauthorized: 502,
  invalid: 400,
};
