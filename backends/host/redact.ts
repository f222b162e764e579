// Takes secrets out of a stream of text, also those that arrive in pieces.

export interface Redactor {
  /** Text that is safe to show. What could be the beginning of a secret is held back until more has come. */
  push(text: string): string;
  /** The rest, at the end of the stream. */
  flush(): string;
}

/** Each of `secrets`, and each longer line of one that has several, becomes `***`. */
export function createRedactor(secrets: readonly string[]): Redactor {
  const hidden = patterns(secrets);
  if (hidden.length === 0) return { push: (text) => text, flush: () => '' };
  const secret = new RegExp(hidden.map(literal).join('|'), 'g');
  let held = '';
  return {
    push(text) {
      const [shown, rest] = mask(held + text, secret, hidden);
      held = rest;
      return shown;
    },
    flush() {
      const shown = held.replace(secret, '***');
      held = '';
      return shown;
    },
  };
}

// Private

/** Shorter lines of a secret are ordinary words and brackets: masking those would hide half of the output. */
const SHORTEST_LINE = 8;

/** Longest first: an alternation takes the first that fits, and that must be the longest. */
function patterns(secrets: readonly string[]): readonly string[] {
  const lines = secrets.flatMap((text) => text.split(/\r?\n/)).filter((line) => line.length >= SHORTEST_LINE);
  return [...new Set([...secrets, ...lines])].filter(Boolean).sort((a, b) => b.length - a.length);
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** [masked text, what is held back: from the first place that may be the beginning of a secret not yet complete]. */
function mask(text: string, secret: RegExp, hidden: readonly string[]): readonly [string, string] {
  let shown = '';
  let from = 0;
  while (from < text.length) {
    secret.lastIndex = from;
    const match = secret.exec(text);
    const hold = firstBeginning(text, from, match?.index ?? text.length - 1, hidden);
    if (hold !== null) return [shown + text.slice(from, hold), text.slice(hold)];
    if (match === null) return [shown + text.slice(from), ''];
    shown += `${text.slice(from, match.index)}***`;
    from = match.index + match[0].length;
  }
  return [shown, ''];
}

/** The first place in [from, to] from where the whole rest of the text is the beginning of a longer secret. */
function firstBeginning(text: string, from: number, to: number, hidden: readonly string[]): number | null {
  const longest = hidden[0]?.length ?? 0;
  for (let at = Math.max(from, text.length - longest + 1); at <= to; at++) {
    const rest = text.slice(at);
    if (hidden.some((each) => each.length > rest.length && each.startsWith(rest))) return at;
  }
  return null;
}
