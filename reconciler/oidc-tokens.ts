// Tokens that a login gives: signed with a key of this installation, so that nothing need be stored and every
// reconciler that shares the key knows them. They live an hour, and end with the rules they were given by.
import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { canonical } from '../schemas/json.ts';
import type { OidcRule } from './oidc-rules.ts';
import type { TokenEntry } from './tokens.ts';

/** Long enough to follow a rollout; a longer one takes another login. */
export const LIFETIME_MS = 3_600_000;

export type Grant = Pick<TokenEntry, 'name' | 'projects' | 'labels'> & Pick<OidcRule, 'scopes'>;

export interface IssuedTokens {
  issue(grant: Grant): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** null for what was not issued here, is over, or was issued by other rules. */
  find(token: string): Promise<TokenEntry | null>;
}

export function createIssuedTokens(
  installationKey: Buffer,
  rules: readonly OidcRule[],
  now: () => number,
): IssuedTokens {
  const key = signingKey(installationKey, rules);
  return {
    async issue({ name, scopes, projects, labels }) {
      const seconds = Math.floor(now() / 1000);
      const expires = seconds + LIFETIME_MS / 1000;
      const jwt = await new SignJWT({ scopes, projects, labels })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setSubject(name)
        .setIssuedAt(seconds)
        .setExpirationTime(expires)
        .sign(key);
      return { token: PREFIX + jwt, expiresAt: expires * 1000 };
    },
    async find(token) {
      if (!token.startsWith(PREFIX)) return null;
      const options = { algorithms: [ALGORITHM], typ: TYPE, currentDate: new Date(now()) };
      const proven = await jwtVerify(token.slice(PREFIX.length), key, options).catch(() => null);
      const grant = grantSchema.safeParse(proven?.payload);
      return grant.success ? { ...grant.data, sha256: '' } : null;
    },
  };
}

// Private

/** For people and secret scanners. */
const PREFIX = 'trueup_login_';
const ALGORITHM = 'HS256';
const TYPE = 'trueup-login';

const grantSchema = z
  .object({
    sub: z.string(),
    exp: z.int(),
    scopes: z.array(z.enum(['read', 'plan', 'apply'])),
    projects: z.array(z.string()),
    labels: z.string().optional(),
  })
  .transform(({ sub, scopes, projects, labels }) => {
    return { name: sub, scopes, projects, ...(labels === undefined ? {} : { labels }) };
  });

/** For this use alone, and for these rules: with one of them gone, what they gave is void. */
function signingKey(installationKey: Buffer, rules: readonly OidcRule[]): KeyObject {
  const digest = createHash('sha256').update(canonical(rules)).digest('hex');
  return createSecretKey(Buffer.from(hkdfSync('sha256', installationKey, 'trueup', `login ${digest}`, 32)));
}
