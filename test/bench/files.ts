// The files that reading is measured on: configurations that people wrote, where this machine has them beside the
// repository, and generated ones.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fileOf, pathOf } from './services.ts';

export type Kind = 'real' | 'generated';

export interface File {
  readonly path: string;
  readonly text: string;
}

export const GENERATED = 10_000;

/** Empty where there are none. */
export function filesOf(kind: Kind): readonly File[] {
  if (kind === 'generated')
    return Array.from({ length: GENERATED }, (_, i) => ({ path: pathOf(i), text: fileOf(i) }));
  if (!existsSync(REAL)) return [];
  const names = readdirSync(REAL).filter((name) => /\.dstack\.ya?ml$/.test(name));
  return names.map((name) => ({ path: name, text: readFileSync(`${REAL}${name}`, 'utf8') }));
}

// Private

const REAL = fileURLToPath(new URL('../../../shared/configs/', import.meta.url));
