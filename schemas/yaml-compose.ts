// Text to the syntax tree of its first document, with the time it takes bounded by the words in it: the library needs
// up to half a minute for a megabyte of brackets.
import { Composer, type Document, Lexer, type LineCounter, Parser } from 'yaml';

/** What the lexer makes of a text: indicators, values, blanks, line ends. A real configuration has a few hundred. */
export const MAX_WORDS = 30_000;

/**
 * The first document and whether another follows; null when there are too many words to go on. `isLoose` asks for no
 * indentation inside of quotes.
 */
export function composeFirst(
  text: string,
  lines: LineCounter,
  isLoose: boolean,
): { readonly document: Document.Parsed; readonly next: number | null } | null {
  lines.addNewLine(0);
  const words = { left: MAX_WORDS };
  const composer = new Composer({
    version: '1.1',
    schema: 'failsafe',
    lineCounter: lines,
    uniqueKeys: false, // the library compares each key with every other; `buildTree` uses a set
    prettyErrors: false,
    logLevel: 'error',
  });
  const [first, second] = composer.compose(tokens(text, lines, words, isLoose), true, text.length);
  if (first === undefined || words.left < 0) return null;
  return { document: first as Document.Parsed, next: second === undefined ? null : second.range[0] };
}

// Private

/** One mistake makes the parser stumble again and again; nobody reads more. */
const MANY_ERRORS = 20;

/** What the lexer keeps to itself, as of the version that is pinned. */
interface Inside {
  readonly buffer: string;
  readonly pos: number;
  indentNext: number;
  continueScalar(offset: number): number;
}

/** PyYAML does not ask how far a line inside of quotes is indented, and people write it; the library does. */
function looseLexer(): Lexer {
  const made = new Lexer();
  const inside = made as unknown as Inside;
  const strict = inside.continueScalar;
  inside.continueScalar = (offset) => {
    const { indentNext } = inside;
    const begins = inside.buffer[inside.pos];
    if (begins === '"' || begins === "'") inside.indentNext = 0;
    const at = strict.call(inside, offset);
    inside.indentNext = indentNext;
    return at;
  };
  return made;
}

function* tokens(text: string, lines: LineCounter, words: { left: number }, isLoose: boolean) {
  const parser = new Parser(lines.addNewLine);
  let errors = 0;
  for (const word of (isLoose ? looseLexer() : new Lexer()).lex(text)) {
    if (--words.left < 0) return;
    for (const token of parser.next(word)) {
      yield token;
      if (token.type === 'error' && ++errors >= MANY_ERRORS) return;
    }
  }
  yield* parser.end();
}
