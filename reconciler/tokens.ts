// Who may do what. Tokens are known by their SHA-256 only; the ones made here lie in 0600 files of the data dir.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../schemas/errors.ts';

export const SCOPES = ['admin', 'read', 'plan', 'apply', 'call'] as const;
export type Scope = (typeof SCOPES)[number];

export interface TokenEntry {
  readonly name: string;
  /** Hex. */
  readonly sha256: string;
  /** `admin` holds every other, `apply` holds `plan`, and `plan` holds `read`. */
  readonly scopes: readonly Scope[];
  /** '*': all of them. */
  readonly projects: readonly string[];
  /** What the labels of the plans it keeps must begin with, an `@` after them counted; absent: anything. */
  readonly labels?: string;
}

export interface OwnTokens {
  readonly entries: readonly TokenEntry[];
  /** In clear, for `server.json`. */
  readonly admin: string;
  /** In clear, to be printed; null when `TRUEUP_TOKEN` is the only token. */
  readonly call: string | null;
}

/** The daemon's own tokens: `TRUEUP_TOKEN` as admin, else an admin and a call token made once per data dir. */
export async function loadTokens(
  dataDir: string,
  env: { readonly [name: string]: string | undefined },
): Promise<OwnTokens> {
  if (env.TRUEUP_TOKEN) {
    const admin = env.TRUEUP_TOKEN;
    return { entries: [tokenEntry('admin', admin, ['admin'])], admin, call: null };
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const admin = await readOrMake(join(dataDir, 'token'));
  const call = await readOrMake(join(dataDir, 'token.call'));
  const entries = [tokenEntry('admin', admin, ['admin']), tokenEntry('call', call, ['call'])];
  return { entries, admin, call };
}

/** 256 random bits, recognisable by its prefix to people and secret scanners. */
export function makeToken(): string {
  return `trueup_${randomBytes(32).toString('base64url')}`;
}

export function tokenEntry(
  name: string,
  token: string,
  scopes: readonly Scope[],
  projects: readonly string[] = ['*'],
): TokenEntry {
  return { name, sha256: sha256(token).toString('hex'), scopes, projects };
}

/** The entry of a token in clear. Compares with every entry in constant time, so timing tells nothing about any of them. */
export function findToken(entries: readonly TokenEntry[], token: string): TokenEntry | null {
  const digest = sha256(token);
  let found: TokenEntry | null = null;
  for (const entry of entries) {
    const known = Buffer.from(entry.sha256, 'hex');
    if (known.length === digest.length && timingSafeEqual(known, digest)) found ??= entry;
  }
  return found;
}

export function mayUse(entry: TokenEntry, scope: Scope, project: string | null): boolean {
  const inScope = entry.scopes.some((held) => HELD[held].includes(scope));
  const inProject = project === null || entry.projects.includes('*') || entry.projects.includes(project);
  return inScope && inProject;
}

// Private

const HELD: { readonly [scope in Scope]: readonly Scope[] } = {
  admin: SCOPES,
  apply: ['apply', 'plan', 'read'],
  plan: ['plan', 'read'],
  read: ['read'],
  call: ['call'],
};

function sha256(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Written beside and linked into place: two daemons that start at once end up with one token, a crash with a whole one. */
async function readOrMake(path: string): Promise<string> {
  const existing = await readToken(path);
  if (existing !== null) return existing;
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, `${makeToken()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await chmod(draft, 0o600);
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await readToken(path)) ?? (await readOrMake(path));
}

async function readToken(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found) return null;
  if ((found.mode & 0o077) !== 0) {
    throw new Failure('unauthorized', `${path} can be read by others`, { fix: `Run: chmod 600 ${path}` });
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (token) return token;
  throw new Failure('unauthorized', `${path} is empty`, {
    fix: 'Delete it: the next start makes a new token.',
  });
}
