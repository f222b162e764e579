// A plan as Markdown, for comments and summaries of runs: the same words in the same order as on the terminal.
// All that comes from a repository is escaped: it can neither format, nor link, nor mention anybody, nor hide anything.
import type { AroundChange, Change, FieldChange, GroupPlan, Plan, PlanWarning } from '../../schemas/plan.ts';
import { fieldWords } from './field-words.ts';
import { exclusionsOf, moreOffers, OFFER_HEAD, offerRow, placesReplicas } from './offer-words.ts';
import {
  countsOf,
  failureWords,
  holdsOf,
  MARKS,
  reasonOf,
  replicasOf,
  shownAround,
  shownChanges,
  sourceWords,
  titleOf,
  unchangedOf,
  unchangedWords,
  verdictOf,
  warningTone,
  warningWords,
  whatOf,
} from './plan-words.ts';
import {
  aroundPriceWords,
  changePriceWords,
  hasOwnPrice,
  isFree,
  type PriceWords,
  TOTAL_HEAD,
  totalRows,
  totalWords,
} from './price-words.ts';
import { elided, visible } from './text.ts';

/** With more than `bytes` (UTF-8), changes are left out from the end and counted; what must be known stays. */
export function planMarkdown(plan: Plan, bytes = Number.POSITIVE_INFINITY): string {
  const shown = shownChanges(plan);
  const holds = holdsOf(shown);
  const changes = [
    ...shown.map((change) => changeText(change, plan, holds.get(change))),
    ...shownAround(plan).map(aroundText),
  ];
  const whole = (shown: number) => {
    const left = changes.length - shown;
    const note = left > 0 ? [`*… and ${left} more, too long for here.*`] : [];
    return `${[...headTexts(plan), ...changes.slice(0, shown), ...note, ...tailTexts(plan)].join('\n\n')}\n`;
  };
  for (let shown = changes.length; shown > 0; shown -= 1) {
    const text = whole(shown);
    if (Buffer.byteLength(text) <= bytes) return text;
  }
  return whole(0);
}

/** Text as text: inert in Markdown, in HTML and for what GitHub makes of names, numbers and addresses. */
export function escaped(text: string): string {
  return inert(visible(text).replace(NAMED, `$&${BREAK}`).replace(AT_THE_END, `$&${BREAK}`));
}

/** The same for words of ours, in which backticks stand around what is code. */
export function prose(text: string): string {
  return escaped(text).replace(/&#96;(.*?)&#96;/g, '<code>$1</code>');
}

/** No colon follows what is in it: `vllm:latest` can be copied as it is. */
export function code(text: string): string {
  return text === '' ? '' : `<code>${inert(visible(text).replace(NAMED, `$&${BREAK}`))}</code>`;
}

/** Columns named in `right` are numbers. Cells are Markdown already. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const rule = head.map((_, index) => (right.includes(index) ? '--:' : ':--'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function warningText(warning: PlanWarning, mark = markOf(warning)): string {
  const fix = warning.fix && `<br>${prose(warning.fix)}`;
  return `${mark} **${prose(warningWords(warning))}**${fix}`;
}

export function failureText(failure: Plan['failures'][number]): string {
  return `⚠ ${prose(failureWords(failure))}`;
}

export function problemText({ file, line, message, fix, severity }: Plan['problems'][number]): string {
  const mark = severity === 'error' ? '✗' : '⚠';
  return `${mark} ${code(`${file}:${line}`)} ${prose(message)}${fix && `<br>${prose(fix)}`}`;
}

/** At most `most` of them. */
export function fieldTexts(fields: readonly FieldChange[], most = FIELDS_SHOWN): string[] {
  if (fields.length === 0) return [];
  const rows = fields.slice(0, most).map((field) => {
    const { mark, path, from, to, note } = fieldWords(field, VALUE);
    const values = note ? ['', note] : [code(from ?? ''), code(to ?? '')];
    return [`\`${mark.text}\``, code(elided(path, VALUE)), ...values];
  });
  const more = fields.length - rows.length;
  const lines = rows.length > 0 ? [table(['', 'field', 'from', 'to'], rows)] : [];
  return [...lines, ...(more > 0 ? [`*… ${more} more*`] : [])];
}

export function groupTexts(group: GroupPlan, isNamed: boolean): string[] {
  const more = moreOffers(group);
  const rows = group.offers.map((offer) => offerRow(offer, group).map(escaped));
  return [
    ...(isNamed ? [`**group ${escaped(group.name)}**, ${replicasOf(group)}`] : []),
    ...exclusionsOf(group).map((text, index) => (index === 0 ? `**${prose(text)}**` : prose(text))),
    ...(rows.length > 0 ? [table(OFFER_HEAD.map(lower), rows, [4])] : []),
    ...(more && rows.length > 0 ? [`<sub>${more}</sub>`] : []),
  ];
}

export function priceText({ price, difference, peak, without }: PriceWords): string {
  return [`**${price}**`, difference, peak, escaped(without)].filter(Boolean).join(' · ');
}

/** Of what it is, and under which name it is kept. */
export function aboutText(plan: Plan): string {
  return [`Plan of ${escaped(titleOf(plan))}`, ...keptText(plan)].join(' · ');
}

// Private

/** As on the terminal, whose lines are shorter. */
const FIELDS_SHOWN = 20;
const VALUE = 120;

/** Zero width: keeps `@name` from being a mention, `#1` and `GH-1` from being references, and `:x:` from being a picture. */
const BREAK = '\u200b';

const NAMED = /[@#]|\bgh-(?=\d)|:(?=[a-z+_-][\w+-]*[:`])/gi;
/** A colon of ours may follow. */
const AT_THE_END = /:(?=[a-z+_-][\w+-]*$)/gi;

function inert(text: string): string {
  return text
    .replace(/[&<>`*_~|\\[\]$\u200b]|:(?=\/\/)/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/www\./gi, (found) => `${found.slice(0, -1)}&#46;`);
}

function headTexts(plan: Plan): string[] {
  const source = sourceWords(plan.prices);
  const words = totalWords(plan);
  const prices = isFree(plan.price) ? [] : [`${priceText(words)} · ${words.month}`];
  return [
    `### ${verdictOf(plan).text} ${countsOf(plan)}`,
    ...prices,
    ...(source && prices.length > 0 ? [`*${escaped(source)}*`] : []),
    ...plan.warnings.map((warning) => `> ${warningText(warning)}`),
    ...plan.failures.map((failure) => `> ${failureText(failure)}`),
  ];
}

function changeText(change: Change, plan: Plan, hold: string | undefined): string {
  const { schedule, fields, groups } = change;
  const reason = reasonOf(change);
  return [
    `#### \`${MARKS[change.change].text}\` ${escaped(change.service)}: ${escaped(whatOf(change))}`,
    ...(reason ? [prose(reason)] : []),
    ...(hold ? [`> ⚠ ${prose(hold)}`] : []),
    ...(schedule ? [prose(schedule)] : []),
    ...fieldTexts(fields),
    ...(placesReplicas(change) ? groups.flatMap((group) => groupTexts(group, groups.length > 1)) : []),
    ...(hasOwnPrice(plan, change) ? [priceText(changePriceWords(change, plan.warnings))] : []),
  ].join('\n\n');
}

function aroundText(around: AroundChange): string {
  const { kind, name, change, text } = around;
  const words = aroundPriceWords(around);
  return [
    `#### \`${MARKS[change].text}\` ${kind} ${escaped(name)}: ${change}`,
    prose(text),
    ...(words ? [`${priceText(words)} beside what services use`] : []),
  ].join('\n\n');
}

function tailTexts(plan: Plan): string[] {
  const unchanged = unchangedOf(plan);
  const totals = totalRows(plan);
  const rows = totals.map((row, index) =>
    row.map((text) => (index === totals.length - 1 ? `**${text}**` : escaped(text))),
  );
  return [
    ...(unchanged.length > 0 ? [escaped(unchangedWords(unchanged))] : []),
    ...(rows.length > 0 ? [table(TOTAL_HEAD.map(lower), rows, [1, 2, 3, 4])] : []),
    ...(plan.problems.length > 0
      ? [plan.problems.map((problem) => `- ${problemText(problem)}`).join('\n')]
      : []),
    `<sub>${aboutText(plan)} · a month has 730 hours</sub>`,
  ];
}

function keptText({ id, expires }: Plan): string[] {
  if (id === undefined) return [];
  return [`kept as ${code(id)}${expires ? ` until ${escaped(expires.slice(0, 10))}` : ''}`];
}

function markOf(warning: PlanWarning): string {
  return warningTone(warning) === 'bad' ? '✗' : '⚠';
}

function lower(text: string): string {
  return text.toLowerCase();
}
