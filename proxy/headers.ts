// Header rules of both directions: what belongs to one hop stays there (RFC 9110 7.6.1), what a replica must know
// of the caller is added, and what a replica says about its own root is moved below its prefix.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** `expect` is answered here, at the moment the body is wanted; `te` because trailers end here. */
const REQUEST_HOP = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const RESPONSE_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Written anew for every request; a caller's own are believed only where noted in `forwardedHeaders`. */
const FORWARDED = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);

/** Headers for the replica, as a flat list of names and values. `prefix` is null when the path keeps it. */
export function requestHeaders(
  request: IncomingMessage,
  options: { readonly prefix: string | null; readonly dropAuthorization: boolean },
): string[] {
  const listed = listedIn(request.headers.connection);
  const kept: string[] = [];
  const raw = request.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase(); // within bounds by the loop's condition
    if (REQUEST_HOP.has(name) || FORWARDED.has(name) || listed?.has(name)) continue;
    if (name === 'authorization' && options.dropAuthorization) continue;
    kept.push(name, raw[at + 1] as string);
  }
  if (request.headers['x-request-id'] === undefined) kept.push('x-request-id', randomUUID());
  kept.push(...forwardedHeaders(request, options.prefix));
  return kept;
}

/** Headers for the caller. `rewrite` sees each one that is kept. */
export function responseHeaders(
  headers: IncomingHttpHeaders,
  rewrite: (name: string, value: string) => string,
): string[] {
  const listed = listedIn(headers.connection);
  const kept: string[] = [];
  for (const name in headers) {
    if (RESPONSE_HOP.has(name) || listed?.has(name)) continue;
    const value = headers[name];
    if (typeof value === 'string') kept.push(name, rewrite(name, value));
    else for (const one of value ?? []) kept.push(name, rewrite(name, one));
  }
  return kept;
}

/** Moves `Location` and the paths of cookies below `prefix`: the replica does not know that it is not at the root. */
export function underPrefix(
  prefix: string,
  host: string | undefined,
): (name: string, value: string) => string {
  return (name, value) => {
    if (name === 'location') return locationUnder(prefix, host, value);
    if (name === 'set-cookie') return cookieUnder(prefix, value);
    return value;
  };
}

export function unchanged(_name: string, value: string): string {
  return value;
}

// Private

function listedIn(connection: string | undefined): Set<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

/** A caller on this machine may be what ends TLS in front of us, so its word is kept and added to. */
function forwardedHeaders(request: IncomingMessage, prefix: string | null): string[] {
  const peer = plainAddress(request.socket.remoteAddress);
  const said = isLoopback(peer) ? request.headers : {};
  const host = said['x-forwarded-host'] ?? request.headers.host;
  const added = [
    'x-forwarded-for',
    said['x-forwarded-for'] === undefined ? peer : `${said['x-forwarded-for']}, ${peer}`,
    'x-forwarded-proto',
    String(said['x-forwarded-proto'] ?? 'http'),
  ];
  if (host !== undefined) added.push('x-forwarded-host', String(host));
  if (prefix !== null) added.push('x-forwarded-prefix', prefix);
  return added;
}

function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function locationUnder(prefix: string, host: string | undefined, location: string): string {
  const origin = /^https?:\/\/[^/?#]*/i.exec(location)?.[0] ?? '';
  if (origin !== '' && origin.slice(origin.indexOf('//') + 2).toLowerCase() !== host?.toLowerCase())
    return location;
  const path = location.slice(origin.length);
  if (origin === '' && (!path.startsWith('/') || path.startsWith('//'))) return location;
  return `${origin}${pathUnder(prefix, path)}`;
}

/** A replica that heeds `X-Forwarded-Prefix` has put the prefix there itself. */
function pathUnder(prefix: string, path: string): string {
  if (path === prefix || path.startsWith(`${prefix}/`)) return path;
  return `${prefix}${path.startsWith('/') ? '' : '/'}${path}`;
}

/** `__Host-` cookies are left alone: browsers refuse them with any path but '/'. */
function cookieUnder(prefix: string, cookie: string): string {
  if (/^__Host-/i.test(cookie)) return cookie;
  return cookie.replace(
    /(;\s*path=)(\/[^;]*)/i,
    (_all, name: string, path: string) => `${name}${pathUnder(prefix, path)}`,
  );
}
