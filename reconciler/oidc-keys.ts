// An issuer's public keys: found by its discovery document, kept, fetched again when a token names a key that is new.
// Keys once had go on while the issuer cannot be reached.
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { Failure } from '../schemas/errors.ts';

/** Before this the issuer is not asked again, whatever tokens say: a stranger's token costs it nothing. */
export const COOLDOWN_MS = 10_000;
/** After this a token makes us look whether a key was withdrawn. */
const MAX_AGE_MS = 600_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

export interface KeySetOptions {
  readonly issuer: string;
  /** Epoch ms. */
  readonly now: () => number;
}

/** The key of a token; throws `transient` while there is none because the issuer does not answer. */
export function createKeySet({ issuer, now }: KeySetOptions): JWTVerifyGetKey {
  let keys: ReturnType<typeof createLocalJWKSet> | null = null;
  let failure: Failure | null = null;
  let triedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | null = null;

  async function load(): Promise<void> {
    triedAt = now();
    try {
      keys = createLocalJWKSet(await fetchKeys(issuer));
      failure = null;
    } catch (cause) {
      failure = unreachable(issuer, cause);
    }
  }

  /** Asks the issuer unless it was asked within `ms`; many at once ask once. */
  async function refresh(ms: number): Promise<void> {
    if (loading === null && now() < triedAt + ms) return;
    loading ??= load().finally(() => {
      loading = null;
    });
    await loading;
  }

  return async (header, token) => {
    await refresh(keys === null ? COOLDOWN_MS : MAX_AGE_MS);
    try {
      if (keys !== null) return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await refresh(COOLDOWN_MS);
    }
    if (keys === null) throw failure;
    return keys(header, token);
  };
}

// Private

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

async function fetchKeys(issuer: string) {
  const path = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const discovery = discoverySchema.parse(await fetchJson(path));
  if (discovery.issuer !== issuer) throw new Error(`it calls itself ${discovery.issuer}`);
  // Keys that came in clear could be anybody's.
  if (new URL(discovery.jwks_uri).protocol !== new URL(issuer).protocol)
    throw new Error(`its keys are at ${discovery.jwks_uri}`);
  return keysSchema.parse(await fetchJson(discovery.jwks_uri));
}

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return JSON.parse(await textOf(response));
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`${response.url} answers more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unreachable(issuer: string, cause: unknown): Failure {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const reason = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
  return new Failure('transient', `the keys of ${issuer} cannot be had: ${reason}`, {
    fix: 'Check that this server reaches the issuer; then log in again.',
    cause,
  });
}
