// The table of a comment: a row for each service that changes, one for each fleet or volume that does, what does not
// change in one row, all of it in the last.

import { escaped, prose, table } from '../reconciler/view/markdown.ts';
import { exclusionsOf, placesReplicas } from '../reconciler/view/offer-words.ts';
import {
  MARKS,
  shownChanges,
  unchangedAround,
  unchangedOf,
  unchangedWords,
  wayOf,
} from '../reconciler/view/plan-words.ts';
import { added, differenceWords, isFree, steadyWords } from '../reconciler/view/price-words.ts';
import { rangeOf } from '../reconciler/view/text.ts';
import type { AroundChange, Change, GroupPlan, Plan, Price } from '../schemas/plan.ts';
import { short } from './limit.ts';

/** Markdown cells, in the order of the head. */
export type TableRow = readonly string[];

/** What has to be looked at first is first: what ends, what is warned of or held back, what gets new replicas. */
export function ranked(plan: Plan): readonly Change[] {
  const warned = new Set(plan.warnings.map(({ service }) => service));
  return shownChanges(plan).toSorted((a, b) => rankOf(a, warned) - rankOf(b, warned));
}

export function rowOf(change: Change): TableRow {
  return [
    `\`${MARKS[change.change].text}\`${JOINED}&nbsp;${escaped(change.service)}`,
    wayText(change),
    replicasText(change),
    placesReplicas(change) ? perGroup(change.groups, offerText) : '',
    priceText(change.price),
  ];
}

/** Nothing of it is folded: its row says all. */
export function aroundRow({ kind, name, change, text, price }: AroundChange): TableRow {
  const words = `${change}: ${text}`;
  return [
    `\`${MARKS[change].text}\`${JOINED}&nbsp;${kind}&nbsp;${escaped(name)}`,
    prose(short(words)),
    '',
    '',
    price ? priceText(price) : '',
  ];
}

/** Whether there is more to say than its row does. */
export function isFoldable(change: Change): boolean {
  const { hold, fields } = change;
  return hold !== undefined || fields.length > 0 || placesReplicas(change) || wayWords(change).length > CELL;
}

/** The first `most` rows; columns in which nothing is said are left out. */
export function tableText(
  plan: Plan,
  rows: readonly TableRow[],
  most: number,
  namesUnchanged: boolean,
): string {
  const left = rows.length - most;
  const what = rows.length > shownChanges(plan).length ? '' : ' services';
  const more = left > 0 ? [[`*… and ${left} more${what}*`, ...BLANK.slice(1)]] : [];
  const body = [
    ...rows.slice(0, most),
    ...more,
    ...unchangedRow(plan, namesUnchanged),
    ...totalRow(plan, rows),
  ];
  const columns = HEAD.flatMap((_, column) => (body.some((row) => row[column] !== '') ? [column] : []));
  const pick = (row: TableRow) => columns.map((column) => row[column] ?? '');

  return table(pick(HEAD), body.map(pick), [columns.indexOf(PRICE)]);
}

// Private

const HEAD = ['service', 'change', 'replicas', 'best offer', 'cost after'];
const BLANK = HEAD.map(() => '');
const PRICE = 4;

/** Letters in a cell; the fold has all. */
const CELL = 80;
/** More groups than these are counted. */
const GROUPS_SHOWN = 3;

function rankOf({ service, change, hold, how }: Change, warned: ReadonlySet<string>): number {
  if (change === 'delete') return 0;
  if (warned.has(service) || hold || change === 'keep') return 1;
  return change === 'create' || change === 'rename' || how.includes('replace') ? 2 : 3;
}

function wayText(change: Change): string {
  const hold = change.hold ? [`would wait (${escaped(change.hold.reason)})`] : [];
  return [prose(short(wayWords(change), CELL)), ...hold].join('<br>');
}

function wayWords(change: Change): string {
  switch (change.change) {
    case 'create':
      return 'create';
    case 'delete':
      return `delete: ${change.reason}`;
    case 'rename':
      return `rename from ${change.from ?? 'another'}`;
    case 'keep':
      return `keep: ${change.reason}`;
    case 'update':
      return `update (${wayOf(change) || change.reason})`;
  }
}

/** With the old number, when there is one group and a number was written. */
function replicasText({ change, groups, fields }: Change): string {
  if (change === 'delete' || change === 'keep') return '';
  const [only] = groups;
  const { from = null } = fields.find(({ path }) => path === 'replicas') ?? {};
  if (groups.length !== 1 || !only || typeof from === 'object' || typeof from === 'boolean')
    return perGroup(groups, ({ replicas }) => rangeOf(replicas));
  return `${escaped(short(String(from), CELL))} → ${rangeOf(only.replicas)}`;
}

function offerText(group: GroupPlan): string {
  const [best] = group.offers;
  if (!best) return `✗ ${escaped(short(exclusionsOf(group)[0] ?? '', CELL))}`;
  const { backend, region, instance, spot } = best;
  const place = [backend, region].filter(
    (name, index, all) => name !== instance && all.indexOf(name) === index,
  );
  const where = place.length > 0 ? `<br><sub>${escaped(place.join(' '))}</sub>` : '';
  return `${escaped(instance)}${spot ? ' spot' : ''}${where}`;
}

function perGroup(groups: readonly GroupPlan[], words: (group: GroupPlan) => string): string {
  const [only] = groups;
  if (groups.length === 1 && only) return words(only);
  const lines = groups.slice(0, GROUPS_SHOWN).map((group) => `${escaped(group.name)}: ${words(group)}`);
  const more = groups.length - lines.length;
  return [...lines, ...(more > 0 ? [`… and ${more} more groups`] : [])].join('<br>');
}

/** What it costs afterwards, and by how much that is more or less. */
function priceText(price: Price, tell = (text: string) => text): string {
  if (isFree(price)) return '';
  const difference = differenceWords(price);
  return `${tell(unbroken(steadyWords(price)))}${difference && `<br><sub>${unbroken(difference)}</sub>`}`;
}

function unchangedRow(plan: Plan, isNamed: boolean): TableRow[] {
  const [unchanged, around] = [unchangedOf(plan), unchangedAround(plan)];
  const price = added([...unchanged, ...around]);
  if (unchanged.length === 0 && isFree(price)) return [];
  const services = isNamed ? unchangedWords(unchanged) : `${unchanged.length} unchanged`;
  const words = unchanged.length > 0 ? services : 'what fleets keep, unchanged';
  return [[`\`${MARKS.keep.text}\``, escaped(words), '', '', priceText(price)]];
}

/** One service alone is all there is. */
function totalRow(plan: Plan, rows: readonly TableRow[]): TableRow[] {
  if (isFree(plan.price) || rows.length + unchangedOf(plan).length < 2) return [];
  return [['**total**', '', '', '', priceText(plan.price, (text) => `**${text}**`)]];
}

/** On one line, however narrow its column: browsers break lines at spaces, dashes and signs. */
function unbroken(text: string): string {
  return escaped(text).replaceAll(' ', '&nbsp;').replace(/[–−]/g, `$&${JOINED}`);
}

/** Word joiner: no width, and no line ends there. */
const JOINED = '&#8288;';
