// Login by a token of GitHub Actions, against an issuer with real keys: who is let in, as what, and what each refusal says.
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogin, type Login, type LoginResult } from '../../reconciler/oidc.ts';
import { COOLDOWN_MS } from '../../reconciler/oidc-keys.ts';
import type { OidcRule } from '../../reconciler/oidc-rules.ts';
import { LIFETIME_MS } from '../../reconciler/oidc-tokens.ts';
import { AUDIENCE, type Issuer, startIssuer } from './issuer.ts';

const KEY = Buffer.alloc(32, 7);
const MAIN = 'refs/heads/main';

let issuer: Issuer;
/** Beyond what the machine's clock says. */
let later: number;
beforeEach(async () => {
  issuer = await startIssuer();
  later = 0;
});
afterEach(() => issuer.close());

const now = (): number => Date.now() + later;

function rule(more: Partial<OidcRule> = {}): OidcRule {
  return {
    issuer: issuer.url,
    audience: AUDIENCE,
    repository: 'me/services',
    ref: null,
    event: null,
    environment: null,
    jobWorkflowRef: null,
    scopes: ['plan'],
    projects: ['*'],
    ...more,
  };
}

function loginBy(...rules: readonly Partial<OidcRule>[]): Login {
  return createLogin({ rules: rules.map(rule), installationKey: KEY, now });
}

async function outcome(login: Login, token: string): Promise<string> {
  const result = await login.exchange(token);
  return result.kind === 'granted' ? 'granted' : `${result.kind}: ${result.detail}`;
}

async function granted(login: Login, token: string): Promise<Extract<LoginResult, { kind: 'granted' }>> {
  const result = await login.exchange(token);
  if (result.kind === 'granted') return result;
  throw new Error(result.detail);
}

describe('a login', () => {
  test('gives a token with the scopes and projects of the rule, named after the run', async () => {
    const login = loginBy({ ref: [MAIN], scopes: ['apply'], projects: ['main'] });
    const { token, grant } = await granted(login, await issuer.token());
    expect(grant).toEqual({
      name: `me/services@${MAIN} run 42`,
      scopes: ['apply'],
      projects: ['main'],
      labels: 'me/services@',
    });
    expect(await login.find(token)).toEqual({ ...grant, sha256: '' });
  });

  test('of a pull request keeps plans of that one alone', async () => {
    const login = loginBy({ event: ['pull_request'] });
    const labels = async (ref: string) =>
      (await granted(login, await issuer.token({ event_name: 'pull_request', ref }))).grant.labels;
    expect(await labels('refs/pull/12/merge')).toBe('me/services#12@');
    expect(await labels(MAIN)).toBe('me/services#');
  });

  test('is open to keys on curves too, and to a repository in another case', async () => {
    issuer.close();
    issuer = await startIssuer('ES256');
    expect(await outcome(loginBy({ repository: 'Me/Services' }), await issuer.token())).toBe('granted');
  });

  test('goes by the first rule that fits, never by several at once', async () => {
    const login = loginBy(
      { event: ['pull_request'] },
      { ref: ['refs/heads/*'], scopes: ['plan'], projects: ['staging'] },
      { ref: [MAIN], scopes: ['apply'], projects: ['main'] },
    );
    const { grant } = await granted(login, await issuer.token());
    expect(grant).toMatchObject({ scopes: ['plan'], projects: ['staging'] });
  });

  test.each([
    ['refs/heads/*', 'refs/heads/main', true],
    ['refs/heads/*', 'refs/heads/a/b', false],
    ['refs/heads/**', 'refs/heads/a/b', true],
    ['refs/heads/main', 'refs/heads/main2', false],
    ['refs/heads/m.in', 'refs/heads/main', false],
    ['main', 'refs/heads/main', false],
  ])('where the rule says %s lets %s in: %s', async (pattern, ref, isIn) => {
    const result = await loginBy({ ref: [pattern] }).exchange(await issuer.token({ ref }));
    expect(result.kind).toBe(isIn ? 'granted' : 'refused');
  });
});

describe('a token that fits no rule says which claim it is', () => {
  test.each<[string, Partial<OidcRule>, Record<string, unknown>, string]>([
    ['audience', {}, { aud: 'https://else' }, `\`aud\`: expected ${AUDIENCE}, got https://else`],
    [
      'one audience of several',
      {},
      { aud: [AUDIENCE, 'https://else'] },
      `\`aud\`: expected ${AUDIENCE}, got ${AUDIENCE}, https://else`,
    ],
    [
      'repository',
      {},
      { repository: 'me/services-fork' },
      '`repository`: expected me/services, got me/services-fork',
    ],
    [
      'ref',
      { ref: [MAIN, 'refs/tags/*'] },
      { ref: 'refs/heads/dev' },
      '`ref`: expected refs/heads/main or refs/tags/*, got refs/heads/dev',
    ],
    ['event', { event: ['push'] }, { event_name: 'schedule' }, '`event_name`: expected push, got schedule'],
    ['environment', { environment: ['production'] }, {}, '`environment`: expected production, got none'],
    [
      'workflow',
      { jobWorkflowRef: ['me/ci/.github/workflows/apply.yml@refs/heads/main'] },
      { job_workflow_ref: 'me/ci/.github/workflows/other.yml@refs/heads/main' },
      '`job_workflow_ref`: expected me/ci/.github/workflows/apply.yml@refs/heads/main, got me/ci/.github/workflows/other.yml@refs/heads/main',
    ],
  ])('%s', async (_, rules, claims, words) => {
    const token = await issuer.token(claims);
    const result = await loginBy(rules).exchange(token);
    expect(result).toMatchObject({ kind: 'refused', detail: `no rule fits the token: ${words}` });
    expect(JSON.stringify(result)).not.toContain(token.split('.')[2]);
  });

  test('of a pull request only a rule that names its event takes it', async () => {
    const token = await issuer.token({ event_name: 'pull_request', ref: 'refs/pull/7/merge' });
    expect(await outcome(loginBy({}), token)).toContain('got pull_request');
    expect(await outcome(loginBy({ event: ['pull_request'] }), token)).toBe('granted');
  });

  test('and of several rules the one that comes nearest', async () => {
    const login = loginBy({ repository: 'other/x', ref: ['refs/heads/x'] }, { ref: ['refs/heads/stable'] });
    const words = 'refused: no rule fits the token: `ref`: expected refs/heads/stable, got refs/heads/main';
    expect(await outcome(login, await issuer.token())).toBe(words);
  });
});

describe('a token that proves nothing is told why', () => {
  const seconds = () => Math.floor(Date.now() / 1000);

  test('expired', async () => {
    const token = await issuer.token({ exp: seconds() - 60 });
    expect(await outcome(loginBy({}), token)).toMatch(
      /unproven: .*`exp`: expected an instant after .*, got /,
    );
  });

  test('not valid yet', async () => {
    const token = await issuer.token({ nbf: seconds() + 120 });
    expect(await outcome(loginBy({}), token)).toMatch(/`nbf`: expected an instant up to /);
  });

  test('issued in the future, or very long ago', async () => {
    for (const iat of [seconds() + 120, seconds() - 2 * 3600]) {
      const result = await outcome(loginBy({}), await issuer.token({ iat }));
      expect(result).toMatch(/`iat`: expected an instant in the hour before /);
    }
  });

  test('a little wrong by the clock is right', async () => {
    const token = await issuer.token({ nbf: seconds() + 10, exp: seconds() - 10 });
    expect(await outcome(loginBy({}), token)).toBe('granted');
  });

  test('without an end', async () => {
    expect(await outcome(loginBy({}), await issuer.token({ exp: undefined }))).toContain('`exp`');
  });

  test('of another issuer, who is never asked', async () => {
    const other = await startIssuer();
    try {
      expect(await outcome(loginBy({}), await other.token())).toContain(
        `\`iss\`: expected ${issuer.url}, got ${other.url}`,
      );
      expect(other.asked()).toBe(0);
    } finally {
      other.close();
    }
  });

  test('with algorithm none', async () => {
    const [, claims] = (await issuer.token()).split('.');
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const token of [`${header}.${claims}.`, `${header}.${claims}.AAAA`])
      expect(await outcome(loginBy({}), token)).toContain('`alg`: expected RS256 or ES256, got none');
  });

  test('signed with the public key as if it were a shared secret', async () => {
    const [, claims] = (await issuer.token()).split('.');
    const header = Buffer.from('{"alg":"HS256","kid":"key-1"}').toString('base64url');
    const signed = `${header}.${claims}`;
    const mac = createHmac('sha256', await issuer.publicKeyPem())
      .update(signed)
      .digest('base64url');
    expect(await outcome(loginBy({}), `${signed}.${mac}`)).toContain(
      '`alg`: expected RS256 or ES256, got HS256',
    );
  });

  test('signed by somebody else under the name of a key of the issuer', async () => {
    const other = await startIssuer();
    try {
      const token = await other.token({ iss: issuer.url });
      expect(await outcome(loginBy({}), token)).toContain('its signature does not fit');
    } finally {
      other.close();
    }
  });

  test('changed after it was signed', async () => {
    const [header, claims = '', signature] = (await issuer.token({ ref: 'refs/heads/dev' })).split('.');
    const forged = Buffer.from(claims, 'base64url').toString().replace('heads/dev', 'heads/main');
    const token = [header, Buffer.from(forged).toString('base64url'), signature].join('.');
    expect(await outcome(loginBy({ ref: [MAIN] }), token)).toContain('its signature does not fit');
  });

  test('without a claim that rules go by', async () => {
    const token = await issuer.token({ repository: undefined });
    expect(await outcome(loginBy({}), token)).toContain('the claim `repository` is missing');
  });

  test.each(['', 'x', 'a.b.c', `${'eyJ'.repeat(3)}..`])('%j is no token at all', async (text) => {
    expect(await outcome(loginBy({}), text)).toContain('not a JSON web token');
  });
});

describe('the keys of the issuer', () => {
  test('are asked for once, however many log in', async () => {
    const login = loginBy({});
    const tokens = await Promise.all(Array.from({ length: 5 }, () => issuer.token()));
    await Promise.all(tokens.map((token) => granted(login, token)));
    await granted(login, await issuer.token());
    expect(issuer.asked()).toBe(1);
  });

  test('are asked for again when a token names a new one, but not at every stranger', async () => {
    const login = loginBy({});
    await granted(login, await issuer.token());
    await issuer.rotate();
    expect(await outcome(login, await issuer.token())).toContain('`kid`: expected one of the keys');
    expect(issuer.asked()).toBe(1);
    later += COOLDOWN_MS;
    expect(await outcome(login, await issuer.token())).toBe('granted');
    for (const kid of ['a', 'b', 'c'])
      expect(await outcome(login, await issuer.token({}, { kid }))).toContain(`got ${kid}`);
    expect(issuer.asked()).toBe(2);
  });

  test('that were withdrawn are good no more', async () => {
    const login = loginBy({});
    const old = await issuer.token();
    await granted(login, old);
    await issuer.rotate();
    later += COOLDOWN_MS;
    await granted(login, await issuer.token());
    expect(await outcome(login, old)).toContain('`kid`');
  });

  test('go on while it is down', async () => {
    const login = loginBy({});
    await granted(login, await issuer.token());
    issuer.isDown = true;
    later += 20 * 60_000;
    const claims = { iat: now() / 1000, nbf: now() / 1000, exp: now() / 1000 + 300 };
    expect(await outcome(login, await issuer.token(claims))).toBe('granted');
  });

  test('cannot be had: that is said, and the next login after a while asks again', async () => {
    const login = loginBy({});
    issuer.isDown = true;
    const token = await issuer.token();
    await expect(login.exchange(token)).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringContaining(`the keys of ${issuer.url} cannot be had`),
    });
    issuer.isDown = false;
    later += COOLDOWN_MS;
    expect(await outcome(login, token)).toBe('granted');
  });
});

describe('a token that a login gave', () => {
  test('is known to every reconciler with the same key and rules, also after a restart', async () => {
    const { token } = await granted(loginBy({}), await issuer.token());
    expect(await loginBy({}).find(token)).toMatchObject({ scopes: ['plan'] });
  });

  test('is over after an hour', async () => {
    const login = loginBy({});
    const { token, expiresAt } = await granted(login, await issuer.token());
    expect(expiresAt - now()).toBeLessThanOrEqual(LIFETIME_MS);
    later += LIFETIME_MS - 5_000;
    expect(await login.find(token)).not.toBeNull();
    later += 5_000;
    expect(await login.find(token)).toBeNull();
  });

  test('is void with another key, with other rules, and changed', async () => {
    const { token } = await granted(loginBy({}), await issuer.token());
    const another = { rules: [rule()], installationKey: Buffer.alloc(32, 8), now };
    expect(await createLogin(another).find(token)).toBeNull();
    expect(await loginBy({ ref: [MAIN] }).find(token)).toBeNull();
    const [header, claims = '', signature] = token.split('.');
    const raised = Buffer.from(claims, 'base64url').toString().replace('"plan"', '"apply"');
    const forged = [header, Buffer.from(raised).toString('base64url'), signature].join('.');
    expect(await loginBy({}).find(forged)).toBeNull();
  });

  test('is not what the issuer gave: that opens nothing', async () => {
    expect(await loginBy({}).find(await issuer.token())).toBeNull();
  });
});
