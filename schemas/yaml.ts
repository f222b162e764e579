// YAML text to plain values, with the place of every key and value kept, and nothing that a hostile file could use:
// bounded size, depth and aliases, no foreign tags, no duplicate keys, no prototypes. Never throws.
import { type Document, LineCounter } from 'yaml';
import { type Finding, inOrder, type Path, type Position } from './problems.ts';
import { composeFirst, MAX_WORDS } from './yaml-compose.ts';
import { type SyntaxMistake, syntaxMistakes } from './yaml-errors.ts';
import { buildTree } from './yaml-tree.ts';
import { type Place, positionAt, type Yaml } from './yaml-value.ts';

export interface Places {
  readonly root: Place;
  readonly lines: LineCounter;
}

export interface YamlDocument {
  /** undefined when the text could not be read at all. */
  readonly value: Yaml | undefined;
  readonly place: Places;
  readonly findings: readonly Finding[];
}

/** Far above any real configuration (they are below 10 KB), far below what could hurt. */
export const MAX_BYTES = 1_000_000;

/** Reads one YAML document. */
export function parseYaml(given: string): YamlDocument {
  // A line may end as it did on the first Macintosh: no place moves, as one character is put for another.
  const text = given.replace(/\r(?!\n)/g, '\n');
  const refusal = refuse(text);
  if (refusal !== null) return failed([refusal]);
  try {
    const strict = syntaxOf(text, false);
    // A second look only where the first found a mistake, which it says better: at the quote that was forgotten.
    const { lines, contents, mistakes } = strict.mistakes.length === 0 ? strict : syntaxOf(text, true);
    if (mistakes.length > 0) return failed(strict.mistakes);
    const tree = buildTree(contents, lines);
    if ('refused' in tree) return failed(tree.refused);
    return { value: tree.built.value, place: { root: tree.built, lines }, findings: tree.findings };
  } catch {
    // Both the library and the tree recurse: the depth of the stack is the only way to get here.
    return failed([fault(START, 'the file is nested too deeply', 'Make it flatter.')]);
  }
}

/** Where the value at `path` is; where it is missing, the nearest thing that holds it. A list's only item may stand alone. */
export function placeOf(
  { root, lines }: Places,
  path: Path,
): { readonly place: Position & { readonly key: Position | null }; readonly known: Path } {
  let place = root;
  const known: Path[number][] = [];
  for (const step of path) {
    const next = place.members.get(step);
    if (next === undefined && step === 0) continue;
    if (next === undefined) break;
    place = next;
    known.push(step);
  }
  const key = place.key === null ? null : positionAt(lines, place.key);
  return { place: { ...positionAt(lines, place.at), key }, known };
}

// Private

const START: Position = { line: 1, column: 1 };
const NOWHERE: Places = { root: { at: 0, key: null, members: new Map() }, lines: new LineCounter() };

function refuse(text: string): Finding | null {
  // A text takes at most three bytes for each of its units: most need no counting.
  const bytes = text.length * 3 > MAX_BYTES ? new TextEncoder().encode(text).length : 0;
  if (bytes > MAX_BYTES) {
    const message = `the file has ${bytes} bytes; at most ${MAX_BYTES} are read`;
    return fault(START, message, 'Make it smaller; move large texts to `files`.');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ones YAML forbids, and what bytes that are not UTF-8 become
  const found = /[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F\uFFFD-\uFFFF]/.exec(text);
  if (found === null) return null;
  const before = text.slice(0, found.index).split('\n');
  const at = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  if (found[0] === '\uFFFD') return fault(at, 'this is not UTF-8', 'Save the file as UTF-8.');
  const code = found[0].charCodeAt(0).toString(16).padStart(4, '0');
  return fault(at, `the character U+${code.toUpperCase()} is not allowed in YAML`, 'Remove it.');
}

function syntaxOf(text: string, isLoose: boolean) {
  const lines = new LineCounter();
  const composed = composeFirst(text, lines, isLoose);
  if (composed === null) return { lines, contents: null, mistakes: [tooManyWords] };
  return { lines, contents: composed.document.contents, mistakes: syntaxFindings(text, composed, lines) };
}

function syntaxFindings(
  text: string,
  { document, next }: { readonly document: Document.Parsed; readonly next: number | null },
  lines: LineCounter,
): Finding[] {
  const mistakes = [...syntaxMistakes(document, text), ...(next === null ? [] : [secondDocument(next)])];
  return inOrder(mistakes.map(({ at, message, fix }) => fault(positionAt(lines, at), message, fix)));
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
  return { value: undefined, place: NOWHERE, findings };
}

function fault({ line, column }: Position, message: string, fix: string): Finding {
  return { line, column, path: '', message, fix, severity: 'error' };
}
