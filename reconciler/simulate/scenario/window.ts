// A stretch of time in a scenario: from when, and until when or for how long.
import type { Say } from '../../../schemas/fields.ts';
import { about } from '../../../schemas/spelling.ts';
import { time } from './values.ts';

/** When; from `from` (or `at`) until `to`, or for so long, or to the end. */
export const window = {
  from: about(time.nullish(), 'When it begins.', '5m', '0s'),
  at: about(time.nullish(), 'The same as `from`.', '5m'),
  to: about(time.nullish(), 'When it is over; else it lasts to the end.', '8m'),
  for: about(time.nullish(), 'How long it lasts, in place of `to`.', '3m'),
};

type WindowShape = { readonly [bound in keyof typeof window]?: number | null | undefined };

export function checkWindow({ from, at, to, for: length }: WindowShape, say: Say): void {
  if (from != null && at != null) say(['at'], '`at` and `from` mean the same', 'Remove one.');
  if (to != null && length != null) say(['for'], '`to` and `for` both say how long it lasts', 'Remove one.');
  if (to != null && to <= (from ?? at ?? 0))
    say(['to'], 'this is not after its beginning', 'Write a later time.');
}
