// Login: the token of an issuer for one of ours. Nothing of a token is ever repeated but what its claims say.
import { type LoginAnswer, loginRequestSchema } from '../../schemas/api.ts';
import type { Login } from '../oidc.ts';
import { answer } from './errors.ts';
import { type ApiContext, bodyOf } from './request.ts';

/** `login` is null when the server lets no issuer's tokens in. */
export async function logIn(c: ApiContext, login: Login | null): Promise<Response> {
  if (!login) return answer(c, 404, 'nobody can log in here', 'Set `oidc` in the server config.');
  const body = await bodyOf(c, loginRequestSchema);
  if (!body) return answer(c, 400, 'the body is not a token', 'Send {"token": "…"}.');
  const result = await login.exchange(body.token);
  if (result.kind !== 'granted')
    return answer(c, result.kind === 'unproven' ? 401 : 403, result.detail, result.fix);
  const { token, expiresAt, grant } = result;
  const { name, scopes, projects } = grant;
  const expires = new Date(expiresAt).toISOString();
  return c.json({ token, expires, name, scopes, projects } satisfies LoginAnswer, 200, {
    'cache-control': 'no-store',
  });
}
