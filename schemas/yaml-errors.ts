// What the YAML library complains of, in words for people who write configuration files, and where they should look.
import type { Document } from 'yaml';

export interface SyntaxMistake {
  /** Offset in the text. */
  readonly at: number;
  readonly message: string;
  readonly fix: string;
}

/** One mistake makes the parser stumble again and again; the first few say what there is to say. */
export function syntaxMistakes(document: Document.Parsed, text: string): readonly SyntaxMistake[] {
  const errors: readonly LibraryError[] = document.errors.slice(0, FEW);
  // Whatever follows a quote that is never closed, or a tab, is said of what these made of the rest.
  const root = errors.find(({ code, message }) => UNCLOSED.test(message) || code === 'TAB_AS_INDENT');
  const mistakes = (root ? [root] : errors).map((error) => ({
    at: startOf(error, text),
    ...wordsFor(error),
  }));
  return mistakes.filter(
    ({ at }, index) => !mistakes.slice(0, index).some((one) => sameLine(text, one.at, at)),
  );
}

// Private

const FEW = 5;
const UNCLOSED = /^Missing closing (["'])quote/;

interface LibraryError {
  readonly pos: readonly [number, number];
  readonly code: string;
  readonly message: string;
}

type Words = Pick<SyntaxMistake, 'message' | 'fix'>;

/** By the first pattern that fits `CODE message`. */
const WORDS: readonly (readonly [RegExp, message: string, fix: string])[] = [
  [/Missing closing/, 'this quote is never closed', 'Add the closing quote.'],
  [/^TAB_AS_INDENT/, 'a tab cannot be used for indentation', 'Indent with spaces.'],
  [/^RESOURCE_EXHAUSTION/, 'it is nested too deeply', 'Make it flatter.'],
  [/Flow map/, 'a `{` is never closed, or what it holds is not indented', 'Add the closing `}`, or indent.'],
  [
    /Flow sequence/,
    'a `[` is never closed, or what it holds is not indented',
    'Add the closing `]`, or indent.',
  ],
  [
    /Nested mappings/,
    'there is a `: ` inside of a value',
    'Put the value into quotes, or correct its indentation.',
  ],
  [
    /All mapping items/,
    'this does not begin in the column of the keys above it',
    'Indent it like them; deeper if it belongs to the last one.',
  ],
  [
    /All sequence items|block sequence may not/,
    'this `-` does not begin in the column of those above it',
    'Indent it like them.',
  ],
  [/without - indicator/, 'an item of a list begins with `- `', 'Add it, or indent this like the key.'],
  [/followed by map values/, 'this is neither a key nor part of a value', 'Add `:` behind a key, or indent.'],
  [
    /Implicit keys/,
    'this line is no `key: value`',
    'Write a blank behind the colon; indent what belongs to the line above.',
  ],
  [
    /Block collections? (?:are|is)? ?not allowed within flow/,
    'there is a line with `- ` or `key:` inside of brackets',
    'Use only brackets and commas in there.',
  ],
  [
    /^BLOCK_IN_FLOW/,
    'a block of lines cannot be inside of brackets',
    'Use only brackets and commas in there.',
  ],
  [/at most 1024 chars/, 'a key has at most 1024 characters', 'Make it shorter; close a quote that is open.'],
  [/Missing space after :/, 'a blank is missing behind `:`', 'Add it.'],
  [/Missing ,/, 'a `,` is missing between two items', 'Add it.'],
  [/Comments must be separated/, 'a blank is missing before `#`', 'Add it, or put the value into quotes.'],
  [/^BAD_SCALAR_START/, 'a value cannot begin with this sign', 'Put the value into quotes.'],
  [/^BAD_DQ_ESCAPE/, 'this escape is not known', "Double the `\\`, or use ' quotes."],
  [/at node end/, 'this cannot follow the value before it', 'Put the whole value into quotes.'],
];

const ELSE = 'Check indentation, colons and quotes around this place.';

function wordsFor({ code, message }: LibraryError): Words {
  const known = WORDS.find(([pattern]) => pattern.test(`${code} ${message}`));
  const words = known?.[1] ?? message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
  return { message: `not valid YAML: ${words}`, fix: known?.[2] ?? ELSE };
}

/** At the quote that is never closed rather than at the end, at the key rather than at its indent. */
function startOf({ pos, code, message }: LibraryError, text: string): number {
  const [at] = pos;
  const quote = UNCLOSED.exec(message)?.[1];
  if (quote !== undefined) return Math.max(0, lastUnescaped(text, quote, at));
  if (code === 'TAB_AS_INDENT') return at;
  const bracket = /Flow (map|sequence)/.exec(message)?.[1];
  if (bracket !== undefined) return unclosed(text.slice(0, at), bracket === 'map' ? '{}' : '[]') ?? at;
  const blanks = /^ *(?=\S)/.exec(text.slice(at, at + FAR));
  return at + (blanks?.[0].length ?? 0);
}

/** The last of these brackets that is opened and not closed; those in quotes are counted too, which is seldom wrong. */
function unclosed(text: string, [open, close]: string): number | null {
  let depth = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === close) depth += 1;
    else if (text[at] === open && depth-- === 0) return at;
  }
  return null;
}

function sameLine(text: string, one: number, other: number): boolean {
  return !text.slice(Math.min(one, other), Math.max(one, other)).includes('\n');
}

/** No line is indented further. */
const FAR = 200;

function lastUnescaped(text: string, quote: string, end: number): number {
  let at = text.lastIndexOf(quote, end - 1);
  while (at > 0 && (text[at - 1] === '\\' || text[at - 1] === quote)) {
    at = text.lastIndexOf(quote, text[at - 1] === quote ? at - 2 : at - 1);
  }
  return at;
}
