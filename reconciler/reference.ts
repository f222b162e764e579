// Where a secret lies: the server's config holds references, never the values themselves.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretSource } from './secrets.ts';

export type Reference =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string };

type Env = { readonly [name: string]: string | undefined };

/** `env:NAME` or `file:PATH`; null for anything else. */
export function parseReference(text: string, absolute: (path: string) => string): Reference | null {
  const [, kind, rest] = /^(env|file):(.+)$/.exec(text) ?? [];
  if (!rest) return null;
  return kind === 'env' ? { kind: 'env', name: rest } : { kind: 'file', path: absolute(rest) };
}

/** Null when it is not there. One line break at the end of a file is no part of the value. */
export function readReference(reference: Reference, env: Env): string | null {
  if (reference.kind === 'env') return env[reference.name] ?? null;
  return readText(reference.path);
}

/** The named references and nothing else, read afresh at each call, so that a rotated value is seen. */
export function secretsByName(byName: ReadonlyMap<string, Reference>, env: Env): SecretSource {
  return (name) => {
    const reference = byName.get(name);
    return reference ? readReference(reference, env) : null;
  };
}

/** A folder with one file per secret. */
export function secretsInFolder(folder: string): SecretSource {
  return (name) => (SECRET_NAME.test(name) ? readText(join(folder, name)) : null);
}

// Private

/** Nothing that could leave the folder. */
const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch {
    return null;
  }
}
