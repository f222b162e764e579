// An issuer of identity tokens on loopback, as GitHub Actions is one: real keys, a discovery document, and its moods.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface Issuer {
  readonly url: string;
  /** What a job would be given: claims of a push to main, but for those that are named. */
  token(claims?: Readonly<Record<string, unknown>>, header?: { readonly kid?: string }): Promise<string>;
  /** Signs with a new key from now on, and shows that alone. */
  rotate(): Promise<void>;
  /** Of the signing key, as everybody can have it. */
  publicKeyPem(): Promise<string>;
  /** How often its keys were asked for. */
  readonly asked: () => number;
  isDown: boolean;
  close(): void;
}

export const AUDIENCE = 'https://trueup.example';

export async function startIssuer(alg: 'RS256' | 'ES256' = 'RS256'): Promise<Issuer> {
  let pair = await makeKeys(alg);
  let number = 1;
  let asked = 0;
  const server = createServer(async (request, response) => {
    if (issuer.isDown) return response.destroy();
    const isKeys = request.url === '/keys';
    if (isKeys) asked++;
    const keys = [{ ...(await exportJWK(pair.publicKey)), kid: `key-${number}`, alg, use: 'sig' }];
    const body = isKeys ? { keys } : { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isDown: false,
    asked: () => asked,
    token: (claims = {}, { kid = `key-${number}` } = {}) =>
      new SignJWT({ ...usual(issuer.url), ...claims }).setProtectedHeader({ alg, kid }).sign(pair.privateKey),
    async rotate() {
      pair = await makeKeys(alg);
      number++;
    },
    publicKeyPem: () => exportSPKI(pair.publicKey),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return issuer;
}

// Private

function makeKeys(alg: string) {
  return generateKeyPair(alg, { extractable: true });
}

function usual(issuer: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    aud: AUDIENCE,
    sub: 'repo:me/services:ref:refs/heads/main',
    repository: 'me/services',
    ref: 'refs/heads/main',
    event_name: 'push',
    run_id: '42',
    iat: now,
    nbf: now,
    exp: now + 300,
  };
}
