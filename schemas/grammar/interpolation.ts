// `${{ namespace.name }}`: what a text refers to, and the text with values in place. `$$` stands for one `$`.

import { shown } from '../problems.ts';

export interface References {
  /** As written between the braces, without blanks around; in order, repeats kept. */
  readonly names: readonly string[];
  /** What is wrong with the text itself. */
  readonly mistakes: readonly { readonly message: string; readonly fix: string }[];
}

/** `groups[0].replicas[1].IP_ADDRESS` of a service, `groups[0].nodes[1].IP_ADDRESS` of a task. */
export const REPLICA_ADDRESS = /^groups\[(\d+)\]\.replicas\[(\d+)\]\.IP_ADDRESS$/;
export const NODE_ADDRESS = /^groups\[(\d+)\]\.nodes\[(\d+)\]\.IP_ADDRESS$/;

export function references(text: string): References {
  const names: string[] = [];
  const mistakes: { message: string; fix: string }[] = [];
  for (const piece of pieces(text)) {
    if (piece.kind === 'open') mistakes.push({ message: `\`${OPEN}\` is not closed`, fix: OPEN_FIX });
    if (piece.kind !== 'reference') continue;
    if (isName(piece.name)) names.push(piece.name);
    else
      mistakes.push({
        message: `${shown(`${OPEN} ${piece.name} ${CLOSE}`)} is not a reference`,
        fix: NAME_FIX,
      });
  }
  return { names, mistakes };
}

/** The text with each reference replaced by what `lookup` gives; one it does not know is left as it is. */
export function interpolate(text: string, lookup: (name: string) => string | undefined): string {
  let result = '';
  for (const piece of pieces(text)) {
    result += piece.kind === 'reference' ? (lookup(piece.name) ?? piece.text) : piece.text;
  }
  return result;
}

// Private

const OPEN = '${' + '{';
const CLOSE = '}}';
const OPEN_FIX = `Add \`${CLOSE}\`, or write \`$${OPEN}\` for the text itself.`;
const NAME_FIX = `Write \`${OPEN} namespace.name }}\`, for example \`${OPEN} secrets.TOKEN }}\`.`;

type Piece =
  | { readonly kind: 'text' | 'open'; readonly text: string }
  | { readonly kind: 'reference'; readonly text: string; readonly name: string };

/** Looks at each character once, whatever the text. */
function* pieces(text: string): Generator<Piece> {
  let start = 0;
  while (start < text.length) {
    const dollar = text.indexOf('$', start);
    if (dollar < 0) break;
    yield { kind: 'text', text: text.slice(start, dollar) };
    if (text.startsWith('$$', dollar)) {
      yield { kind: 'text', text: '$' };
      start = dollar + 2;
    } else if (text.startsWith(OPEN, dollar)) {
      const close = text.indexOf(CLOSE, dollar);
      if (close < 0) {
        yield { kind: 'open', text: text.slice(dollar) };
        return;
      }
      start = close + CLOSE.length;
      const name = text.slice(dollar + OPEN.length, close).trim();
      yield { kind: 'reference', text: text.slice(dollar, start), name };
    } else {
      yield { kind: 'text', text: '$' };
      start = dollar + 1;
    }
  }
  yield { kind: 'text', text: text.slice(start) };
}

function isName(name: string): boolean {
  return [/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/, REPLICA_ADDRESS, NODE_ADDRESS].some((form) => form.test(name));
}
