// Values that could be secret: where they come from, how they are masked, sealed at rest and opened again.
// AES-256-GCM for what is stored, HMAC-SHA-256 for masks, both under keys derived from the installation's one key.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Masked, ServiceValues } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';

/** The secrets a project may use, by name; the only place values come from. */
export type SecretSource = (name: string) => string | null;

export interface Vault {
  /** Names the key. */
  readonly id: string;
  mask(value: string): Masked;
  seal(values: ServiceValues): string;
  /** Throws `unauthorized` when the text was sealed with another key. */
  open(sealed: string): ServiceValues;
}

/** The key of an installation: `TRUEUP_KEY` (any text of 16 characters or more), else a file made once, readable by its owner only. */
export function loadKey(dataDir: string, env: NodeJS.ProcessEnv): Buffer {
  const given = env.TRUEUP_KEY;
  if (given !== undefined) {
    if (given.length < 16) {
      throw new Failure('invalid', 'TRUEUP_KEY is shorter than 16 characters', {
        fix: 'use e.g. `openssl rand -hex 32`',
      });
    }
    return Buffer.from(given, 'utf8');
  }
  const file = join(dataDir, 'key');
  try {
    return Buffer.from(readFileSync(file, 'utf8').trim(), 'hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(32);
  writeFileSync(file, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(file, 0o600);
  return key;
}

export function createVault(key: Buffer): Vault {
  // As key objects: a cipher made from bytes imports them anew at every use (measured: six times as long).
  const derive = (use: string) => createSecretKey(Buffer.from(hkdfSync('sha256', key, 'trueup', use, 32)));
  const [sealKey, maskKey] = [derive('seal'), derive('mask')];
  const mask = (value: string) =>
    `mask:${createHmac('sha256', maskKey).update(value).digest('hex').slice(0, 16)}`;
  return {
    id: mask(''),
    mask,
    seal: (values) => seal(JSON.stringify(values), sealKey),
    open: (sealed) => JSON.parse(open(sealed, sealKey)) as ServiceValues,
  };
}

export interface WatchedSecrets {
  readonly source: SecretSource;
  /** Whether a name that was ever asked for has another value now, or has one at last. */
  haveChanged(): boolean;
}

/** Remembers what was given, so that a rotated or added secret is noticed without a commit. */
export function watchSecrets(source: SecretSource): WatchedSecrets {
  const given = new Map<string, string | null>();
  return {
    source(name) {
      const value = source(name);
      given.set(name, value);
      return value;
    },
    haveChanged: () => [...given].some(([name, value]) => source(name) !== value),
  };
}

// Private

const FORMAT = 'v1';

function seal(text: string, key: KeyObject): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return [FORMAT, ...[nonce, cipher.getAuthTag(), body].map((part) => part.toString('base64url'))].join('.');
}

function open(sealed: string, key: KeyObject): string {
  const [format, nonce, tag, body] = sealed.split('.');
  try {
    if (format !== FORMAT || !nonce || !tag || body === undefined) throw new Error('unknown format');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
    decipher.setAuthTag(Buffer.from(tag, 'base64url'));
    return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString(
      'utf8',
    );
  } catch (cause) {
    throw new Failure('unauthorized', 'stored values were sealed with another key', {
      fix: 'start with the TRUEUP_KEY (or the key file in the data dir) that this database was used with',
      cause,
    });
  }
}
