// Login by the token of an issuer, such as a job of GitHub Actions has: proven with the issuer's keys, fitted to the
// rules of the server's configuration, exchanged for a token of our own. A refusal says what was expected and what came.
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { asFailure } from '../schemas/errors.ts';
import { createKeySet } from './oidc-keys.ts';
import {
  type Claims,
  claimsSchema,
  findRule,
  isOfPullRequest,
  type Mismatch,
  type OidcRule,
} from './oidc-rules.ts';
import { createIssuedTokens, type Grant } from './oidc-tokens.ts';
import type { TokenEntry } from './tokens.ts';

export type LoginResult =
  | { readonly kind: 'granted'; readonly token: string; readonly expiresAt: number; readonly grant: Grant }
  /** `unproven`: who it is, is not known; `refused`: it is, and may not. */
  | { readonly kind: 'unproven' | 'refused'; readonly detail: string; readonly fix: string };

export interface Login {
  /** Throws `transient` while the issuer's keys cannot be had. */
  exchange(token: string): Promise<LoginResult>;
  /** The entry of a token that `exchange` gave. */
  find(token: string): Promise<TokenEntry | null>;
}

export interface LoginOptions {
  /** At least one. */
  readonly rules: readonly OidcRule[];
  readonly installationKey: Buffer;
  /** Epoch ms. */
  readonly now: () => number;
}

export function createLogin({ rules, installationKey, now }: LoginOptions): Login {
  const issued = createIssuedTokens(installationKey, rules, now);
  const issuers = [...new Set(rules.map(({ issuer }) => issuer))];
  const keySets = new Map(issuers.map((issuer) => [issuer, createKeySet({ issuer, now })]));

  return {
    find: issued.find,
    async exchange(token) {
      const proven = await prove(token, keySets, now());
      if (proven.kind !== 'claims') return proven;
      const { claims, issuer } = proven;
      const found = findRule(claims, ofIssuer(rules, issuer));
      if (found.kind === 'refused') return refused(found.mismatches);
      const { scopes, projects } = found.rule;
      const grant = { name: nameOf(claims), scopes, projects, labels: labelsOf(claims) };
      return { kind: 'granted', ...(await issued.issue(grant)), grant };
    },
  };
}

// Private

const ofIssuer = (rules: readonly OidcRule[], issuer: string): readonly OidcRule[] =>
  rules.filter((rule) => rule.issuer === issuer);

/** Neither `none` nor anything whose key is not a pair: a public key is no shared secret. */
const ALGORITHMS = ['RS256', 'ES256'];
/** By how much the clocks of two machines may differ. */
const SKEW_S = 30;
/** GitHub's live minutes; a token that is much older was not meant for a login now. */
const MAX_AGE_S = 3_600;

type Proven =
  | { readonly kind: 'claims'; readonly claims: Claims; readonly issuer: string }
  | Exclude<LoginResult, { kind: 'granted' }>;

async function prove(
  token: string,
  keySets: ReadonlyMap<string, JWTVerifyGetKey>,
  now: number,
): Promise<Proven> {
  const read = unprovenClaims(token);
  if (read === null) return unproven('it is not a JSON web token', ASK_FOR_ONE);
  const issuer = read.iss ?? '';
  const keySet = keySets.get(issuer);
  if (!keySet) return unproven(...mismatchText('iss', [...keySets.keys()].join(' or '), issuer));
  try {
    const { payload } = await jwtVerify(token, keySet, {
      algorithms: ALGORITHMS,
      issuer,
      requiredClaims: ['exp', 'iat'],
      clockTolerance: SKEW_S,
      maxTokenAge: MAX_AGE_S,
      currentDate: new Date(now),
    });
    return claimsOf(payload, issuer);
  } catch (error) {
    if (error instanceof errors.JOSEError) return unproven(...wordsOf(error, token, read, now));
    throw asFailure(error);
  }
}

function claimsOf(payload: JWTPayload, issuer: string): Proven {
  const claims = claimsSchema.safeParse(payload);
  if (claims.success) return { kind: 'claims', claims: claims.data, issuer };
  const claim = String(claims.error.issues[0]?.path[0] ?? '');
  return unproven(`the claim \`${claim}\` is missing or no text`, ASK_FOR_ONE);
}

/** To look up whose keys prove it; nothing else is decided by what is not proven. */
function unprovenClaims(token: string): JWTPayload | null {
  try {
    return decodeJwt(token);
  } catch {
    return null;
  }
}

type Words = readonly [detail: string, fix: string];

const ASK_FOR_ONE = 'Send the token that the job was given for the audience of this server.';
const CHECK_RULES = 'Log in from a job that fits, or change the rules under `oidc` of the server.';
const ANOTHER = 'Let the job ask for a new token; check the clocks of both machines.';

function wordsOf(error: errors.JOSEError, token: string, claims: JWTPayload, now: number): Words {
  const { alg, kid } = headerOf(token);
  if (error instanceof errors.JOSEAlgNotAllowed || alg === 'none')
    return mismatchText('alg', ALGORITHMS.join(' or '), alg);
  if (error instanceof errors.JWKSNoMatchingKey)
    return mismatchText('kid', 'one of the keys of its issuer', kid);
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return ['its signature does not fit the keys of its issuer', ASK_FOR_ONE];
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed)
    return timeText(error.claim, claims[error.claim], now);
  return ['it is not a signed JSON web token', ASK_FOR_ONE];
}

function headerOf(token: string): { readonly alg: unknown; readonly kid: unknown } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return { alg, kid };
  } catch {
    return { alg: undefined, kid: undefined };
  }
}

/** The claims that `jwtVerify` judges are instants, all but the issuer, which was looked up by what it says. */
function timeText(claim: string, value: unknown, now: number): Words {
  const is = new Date(now).toISOString();
  const got = typeof value === 'number' ? spellSeconds(value) : value;
  const expected = {
    exp: `an instant after ${is}`,
    nbf: `an instant up to ${is}`,
    iat: `an instant in the hour before ${is}`,
  }[claim];
  return [mismatchText(claim, expected ?? 'another value', got)[0], ANOTHER];
}

function spellSeconds(seconds: number): string {
  const instant = new Date(seconds * 1000);
  return Number.isNaN(instant.getTime()) ? String(seconds) : instant.toISOString();
}

function mismatchText(claim: string, expected: string, got: unknown): Words {
  return [`\`${claim}\`: expected ${expected}, got ${shown(got)}`, CHECK_RULES];
}

/** What a stranger wrote: short, and printable. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'none');
  const printable = text.replace(/\p{C}/gu, '?');
  return printable.length > 200 ? `${printable.slice(0, 200)}…` : printable || 'none';
}

function unproven(detail: string, fix: string): LoginResult & { kind: 'unproven' } {
  return { kind: 'unproven', detail: `the token proves nobody: ${detail}`, fix };
}

function refused(mismatches: readonly Mismatch[]): LoginResult {
  const all = mismatches.map(({ claim, expected, got }) => mismatchText(claim, expected, got)[0]);
  return { kind: 'refused', detail: `no rule fits the token: ${all.join('; ')}`, fix: CHECK_RULES };
}

/** A job of a pull request keeps plans of that alone: else it could put its own in the place of what others have read. */
function labelsOf({ repository, ref, event_name: event }: Claims): string {
  if (!isOfPullRequest(event)) return `${repository}@`;
  const [, number] = /^refs\/pull\/(\d+)\//.exec(ref) ?? [];
  return number === undefined ? `${repository}#` : `${repository}#${number}@`;
}

/** Recorded with what it does. */
function nameOf({ repository, ref, run_id: run }: Claims): string {
  return shown(`${repository}@${ref}${run === undefined ? '' : ` run ${run}`}`);
}
