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

/** `a long value` as `a lo…lue`. However long it is, only its ends are looked at. */
export function elided(text: string, width: number): string {
  const isShort = text.length <= 2 * width && [...text].length <= width;
  if (isShort) return text;
  const head = Math.ceil((width - 1) / 2);
  const tail = width - 1 - head;
  // Twice as many units as letters: a letter cut in two there is never among those that are kept.
  const before = [...text.slice(0, 2 * head)].slice(0, head);
  const after = [...text.slice(text.length - 2 * tail)];
  return `${before.join('')}…${after.slice(after.length - tail).join('')}`;
}

export function rangeOf({ min, max }: GroupPlan['replicas']): string {
  return min === max ? `${min}` : `${min}..${max}`;
}

// Private

/** Controls, what has no width (joiners, tags), marks of direction, separators of lines, halves of letters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2065]/gu;
