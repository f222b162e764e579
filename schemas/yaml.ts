// YAML text to plain values, with the place of every key and value kept, and nothing that a hostile file could use:
// bounded size, depth and aliases, no foreign tags, no duplicate keys, no prototypes. Never throws.
import { type Document, LineCounter } from 'yaml';
import type { Scalar } from './grammar/scalars.ts';
import { type Finding, inOrder, type Path, type Position } from './problems.ts';
import { composeFirst, MAX_WORDS } from './yaml-compose.ts';
import { type SyntaxMistake, syntaxMistakes } from './yaml-errors.ts';
import { buildTree } from './yaml-tree.ts';

/** A value of a document: integers are bigint, floats are number, mappings have no prototype. */
export type Yaml = Scalar | readonly Yaml[] | { readonly [key: string]: Yaml };

/** Where a value is, where its key is, and the same for what it holds. */
export interface Place extends Position {
  readonly key: Position | null;
  readonly members: ReadonlyMap<string | number, Place>;
}

export interface YamlDocument {
  /** undefined when the text could not be read at all. */
  readonly value: Yaml | undefined;
  readonly place: Place;
  readonly findings: readonly Finding[];
}

/** Far above any real configuration (they are below 10 KB), far below what could hurt. */
export const MAX_BYTES = 1_000_000;

/** Reads one YAML document. */
export function parseYaml(text: string): YamlDocument {
  const refusal = refuse(text);
  if (refusal !== null) return failed([refusal]);
  const lines = new LineCounter();
  try {
    const composed = composeFirst(text, lines);
    if (composed === null) return failed([tooManyWords]);
    const mistakes = syntaxFindings(text, composed, lines);
    if (mistakes.length > 0) return failed(mistakes);
    const tree = buildTree(composed.document.contents, lines);
    return 'refused' in tree ? failed(tree.refused) : tree;
  } catch {
    // Both the library and the tree recurse: the depth of the stack is the only way to get here.
    return failed([fault(START, 'the file is nested too deeply', 'Make it flatter.')]);
  }
}

/** Where the value at `path` is; where it is missing, the nearest thing that holds it. */
export function placeOf(root: Place, path: Path): { readonly place: Place; readonly known: Path } {
  let place = root;
  for (const [depth, step] of path.entries()) {
    const next = place.members.get(step);
    if (next === undefined) return { place, known: path.slice(0, depth) };
    place = next;
  }
  return { place, known: path };
}

export function isMapping(value: unknown): value is { readonly [key: string]: Yaml } {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

// Private

const START: Place = { line: 1, column: 1, key: null, members: new Map() };

function refuse(text: string): Finding | null {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MAX_BYTES) {
    const message = `the file has ${bytes} bytes; at most ${MAX_BYTES} are read`;
    return fault(START, message, 'Make it smaller; move large texts to `files`.');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly the ones YAML forbids
  const found = /[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F\uFFFE\uFFFF]/.exec(text);
  if (found === null) return null;
  const before = text.slice(0, found.index).split('\n');
  const at = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  const code = found[0].charCodeAt(0).toString(16).padStart(4, '0');
  return fault(at, `the character U+${code.toUpperCase()} is not allowed in YAML`, 'Remove it.');
}

function syntaxFindings(
  text: string,
  { document, next }: { readonly document: Document.Parsed; readonly next: number | null },
  lines: LineCounter,
): Finding[] {
  const mistakes = [...syntaxMistakes(document, text), ...(next === null ? [] : [secondDocument(next)])];
  return inOrder(
    mistakes.map(({ at, message, fix }) => {
      const { line, col } = lines.linePos(at);
      return fault({ line: Math.max(line, 1), column: Math.max(col, 1) }, message, fix);
    }),
  );
}

function secondDocument(at: number): SyntaxMistake {
  const message = 'not valid YAML: a file holds one document, and here begins a second';
  return { at, message, fix: 'Put each document into a file of its own.' };
}

const tooManyWords = fault(
  START,
  `the file has more than ${MAX_WORDS} words and signs`,
  'Make it smaller; move large texts to `files`.',
);

function failed(findings: readonly Finding[]): YamlDocument {
  return { value: undefined, place: START, findings };
}

function fault({ line, column }: Position, message: string, fix: string): Finding {
  return { line, column, path: '', message, fix, severity: 'error' };
}
