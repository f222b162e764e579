// What is behind a row of the table, folded: why, what it waits for, each field that changes, where it could run, its price.
import { code, escaped, fieldTexts, groupTexts, priceText, prose } from '../reconciler/view/markdown.ts';
import { placesReplicas } from '../reconciler/view/offer-words.ts';
import { holdWords, MARKS, reasonOf, whatOf } from '../reconciler/view/plan-words.ts';
import { changePriceWords, isFree } from '../reconciler/view/price-words.ts';
import type { Change } from '../schemas/plan.ts';

export interface FoldOptions {
  /** At most so many. */
  readonly fields: number;
  readonly hasOffers: boolean;
  readonly isOpen: boolean;
}

export function foldText(change: Change, { fields, hasOffers, isOpen }: FoldOptions): string {
  const summary = `${code(MARKS[change.change].text)} <b>${escaped(change.service)}</b>: ${escaped(whatOf(change))}`;
  const parts = [...whyTexts(change), ...fieldTexts(change.fields, fields)];
  if (hasOffers && placesReplicas(change))
    parts.push(...change.groups.flatMap((group) => groupTexts(group, change.groups.length > 1)));
  return fold(summary, [...parts, ...priceTexts(change)], isOpen);
}

/** `summary` is HTML, `parts` are blocks of Markdown. */
export function fold(summary: string, parts: readonly string[], isOpen: boolean): string {
  return [`<details${isOpen ? ' open' : ''}>\n<summary>${summary}</summary>`, ...parts, '</details>'].join(
    '\n\n',
  );
}

// Private

function whyTexts(change: Change): string[] {
  const reason = reasonOf(change);
  return [
    ...(reason ? [`Why: ${prose(reason)}`] : []),
    ...(change.hold ? [`⚠ ${prose(holdWords(change.hold))}`] : []),
  ];
}

function priceTexts(change: Change): string[] {
  const hasPrice = change.change !== 'keep' && !isFree(change.price);
  return hasPrice ? [priceText(changePriceWords(change))] : [];
}
