// How a mistake in a document is said: where it is, what it is, what to do. Nothing here throws.
import type { Problem } from './errors.ts';

/** A place in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A problem before it is known which file it is in. */
export type Finding = Omit<Problem, 'file'>;

/** Keys and indexes from the root of a document to a value. */
export type Path = readonly (string | number)[];

/** `['probes', 0, 'url']` as `probes[0].url`; keys that are not plain words are quoted. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The one of `known` that `word` was probably meant to be; null when none is close. */
export function closest(word: string, known: Iterable<string>): string | null {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | null = null;
  let distance = limit + 1;
  for (const candidate of known) {
    const found = editDistance(word.toLowerCase(), candidate.toLowerCase(), limit);
    if (found < distance) [best, distance] = [candidate, found];
  }
  return best;
}

/** A value as it may stand in a message: short, on one line. */
export function shown(text: string): string {
  const line = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return `\`${line.length > 60 ? `${line.slice(0, 57)}...` : line}\``;
}

/** `a`, `b` or `c`. */
export function alternatives(items: readonly string[]): string {
  const quoted = items.map((item) => `\`${item}\``);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

/** More than anybody reads; a hostile file could have a hundred thousand. */
export const MANY = 200;

/** Problems in reading order, each said once, and no more than `MANY`. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings
    .filter(({ line, column, message }) => {
      const key = `${line}:${column}:${message}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .slice(0, MANY);
}

// Private

/** Levenshtein with swaps of neighbours, given up (limit + 1) once it is above `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, at(previous, j - 1) + (same ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, at(before, j - 2) + 1);
      current.push(cost);
    }
    [before, previous] = [previous, current];
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
