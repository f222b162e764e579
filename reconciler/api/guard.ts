// Who may pass: bearer tokens for programs, the same tokens as a Basic password for a browser that looks.
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import { mayUse, type Scope, type TokenEntry } from '../tokens.ts';
import { answer } from './errors.ts';

/** What a request may look at, once its token is known. */
export type Env = { readonly Bindings: HttpBindings; readonly Variables: { readonly token: TokenEntry } };

/** The entry of a token in clear; null for one that nobody here gave. */
export type FindToken = (token: string) => Promise<TokenEntry | null>;

/** Lets a request pass that brings a token with the scope; the project is checked where it is known. */
export function requires(find: FindToken, scope: Scope): MiddlewareHandler<Env> {
  return async (c, next) => {
    const token = tokenOf(c);
    if (token === null) return answer(c, 401, 'no token was given', LOGIN, BEARER);
    const entry = await find(token);
    if (!entry) return answer(c, 401, 'this token is not known here', LOGIN, BEARER);
    if (!mayUse(entry, scope, null)) return lacks(c, entry, scope);
    c.set('token', entry);
    return next();
  };
}

/** For the page and the metrics: open on this machine when the server says so, else for holders of a read token. */
export function requiresRead(find: FindToken, page: 'open' | 'token'): MiddlewareHandler<Env> {
  const guard = requires(find, 'read');
  return async (c, next) => {
    if (page === 'open' && isLoopback(c)) {
      c.set('token', EVERYBODY);
      return next();
    }
    const denied = await guard(c, next);
    if (denied?.status === 401)
      denied.headers.set('www-authenticate', 'Basic realm="trueup: any name, a token as password"');
    return denied;
  };
}

/** The answer to who holds a token without the scope. */
export function lacks(c: Context, { name }: TokenEntry, scope: Scope): Response {
  const detail = `the token \`${name}\` may not do this: it lacks the scope \`${scope}\``;
  const fix = `Use a token with the scope \`${scope}\`; \`trueup token new --scope ${scope}\` prints one.`;
  return answer(c, 403, detail, fix);
}

export function mayRead(c: Context<Env>, project: string): boolean {
  return mayUse(c.var.token, 'read', project);
}

// Private

const LOGIN = 'Set TRUEUP_TOKEN, or send the header `Authorization: Bearer TOKEN`.';
const BEARER = { 'www-authenticate': 'Bearer realm="trueup"' };

const EVERYBODY: TokenEntry = { name: 'everybody here', sha256: '', scopes: ['read'], projects: ['*'] };

function tokenOf({ req }: Context): string | null {
  const [, scheme, value] = /^(bearer|basic) +(\S+)$/i.exec(req.header('authorization') ?? '') ?? [];
  if (!value) return null;
  if (scheme?.toLowerCase() === 'bearer') return value;
  // A browser adds it to whatever a foreign site makes it send.
  if (req.method !== 'GET') return null;
  const [, ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return password.join(':') || null;
}

/** The name the client used, so that a foreign site whose name points to this machine reads nothing. */
function isLoopback(c: Context): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(c.req.header('host') ?? '');
}
