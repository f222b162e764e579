// Other people's text made harmless and short.
import type { GroupPlan } from '../../schemas/plan.ts';

/** Other people's text on one line: control characters and those that turn the reading direction are shown, not obeyed. */
export function visible(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll('\n', '⏎')
    .replaceAll('\t', '  ')
    .replace(UNSEEN, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/** `a long value` as `a lo…lue`. */
export function elided(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${letters.slice(0, head).join('')}…${letters.slice(letters.length - (width - 1 - head)).join('')}`;
}

export function rangeOf({ min, max }: GroupPlan['replicas']): string {
  return min === max ? `${min}` : `${min}..${max}`;
}

// Private

/** Controls, what has no width (joiners, tags), marks of direction, separators of lines, halves of letters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2065]/gu;
