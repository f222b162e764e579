// What a YAML document is made of once read: values, and where in the text each stands.
import type { LineCounter } from 'yaml';
import type { Scalar } from './grammar/scalars.ts';
import type { Position } from './problems.ts';

/** A value of a document: integers are bigint, floats are number, mappings have no prototype. */
export type Yaml = Scalar | readonly Yaml[] | { readonly [key: string]: Yaml };

/** Where a value is, where its key is, and the same for what it holds: offsets in the text, of which few are asked for. */
export interface Place {
  readonly at: number;
  readonly key: number | null;
  readonly members: ReadonlyMap<string | number, Place>;
}

export function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

export function isMapping(value: unknown): value is { readonly [key: string]: Yaml } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
