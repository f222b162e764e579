// Who may call. Only hashes of tokens are known here, and every one is compared, so timing tells nothing.
import { hash, timingSafeEqual } from 'node:crypto';
import type { RouteTable } from '../schemas/routes.ts';

/** Whether this `Authorization` header is good for `project`. */
export type Authorizer = (authorization: string | undefined, project: string) => boolean;

const BEARER = /^bearer +([^\s]+) *$/i;

export function authorizer(tokens: RouteTable['tokens']): Authorizer {
  const known = tokens
    .map((token) => ({ digest: Buffer.from(token.sha256, 'hex'), projects: new Set(token.projects) }))
    .filter((token) => token.digest.length === 32);
  return (authorization, project) => {
    const presented = BEARER.exec(authorization ?? '')?.[1];
    if (presented === undefined) return false;
    const digest = hash('sha256', presented, 'buffer');
    let allowed = false;
    for (const token of known) {
      const isEqual = timingSafeEqual(token.digest, digest);
      if (isEqual && (token.projects.has(project) || token.projects.has('*'))) allowed = true;
    }
    return allowed;
  };
}
