// A plan for the terminal: each change, what it does, what it costs.
import type { AroundChange, Change, FieldChange, GroupPlan, Plan, PlanWarning } from '../../schemas/plan.ts';
import {
  BLANK,
  type Block,
  type Cell,
  dim,
  type Line,
  line,
  money,
  plain,
  problemLines,
  type Row,
  strong,
  type Table,
} from './cells.ts';
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
import { visible } from './text.ts';

export function planBlocks(plan: Plan): Block[] {
  const unchanged = unchangedOf(plan);
  const holds = holdsOf(shownChanges(plan));
  return parted([
    headBlocks(plan),
    [...plan.warnings.flatMap(warningLines), ...plan.failures.map(failureLine)],
    ...shownChanges(plan).map((change) => changeBlocks(change, plan, holds.get(change))),
    ...shownAround(plan).map(aroundBlocks),
    unchanged.length > 0 ? [line(0, MARKS.keep, dim(visible(unchangedWords(unchanged))))] : [],
    totalBlocks(plan),
    plan.problems.flatMap(problemLines),
    keptLines(plan),
  ]);
}

// Private

function parted(parts: readonly (readonly Block[])[]): Block[] {
  return parts
    .filter((part) => part.length > 0)
    .flatMap((part, index) => (index === 0 ? part : [BLANK, ...part]));
}

function headBlocks(plan: Plan): Block[] {
  const words = totalWords(plan);
  const source = isFree(plan.price) ? null : sourceWords(plan.prices);
  const about = [dim(titleOf(plan)), ...(source ? [dim('·'), { text: source, tone: 'warn' } as const] : [])];
  return [
    hanging(line(0, verdictOf(plan), strong(countsOf(plan)))),
    ...(isFree(plan.price) ? [] : [priceLine(words), line(2, dim(words.month))]),
    hanging(line(2, ...about), 0),
  ];
}

function priceLine({ price, difference, peak, without }: PriceWords): Line {
  return line(
    2,
    plain(price),
    ...(difference
      ? [{ text: difference, tone: difference.startsWith('+') ? 'warn' : 'good' } as const]
      : []),
    ...(peak ? [dim(`· ${peak}`)] : []),
    ...(without ? [{ text: `· ${without}`, tone: 'warn' } as const] : []),
  );
}

function warningLines(warning: PlanWarning): Line[] {
  const text = { text: visible(warningWords(warning)), tone: warningTone(warning) };
  const fix = warning.fix ? [hanging(line(2, dim(visible(warning.fix))), 0)] : [];
  return [hanging(line(0, { text: '!', tone: text.tone }, text)), ...fix];
}

function failureLine(failure: Plan['failures'][number]): Line {
  return hanging(line(0, { text: '!', tone: 'warn' }, plain(visible(failureWords(failure)))));
}

function hanging(item: Line, hang = 2): Line {
  return { ...item, hang };
}

function changeBlocks(change: Change, plan: Plan, hold: string | undefined): Block[] {
  const reason = reasonOf(change);
  const { schedule, fields, groups } = change;
  return [
    hanging(line(0, MARKS[change.change], strong(visible(change.service)), plain(visible(whatOf(change))))),
    ...(reason ? [hanging(line(2, dim(visible(reason))), 0)] : []),
    ...(hold ? [hanging(line(2, { text: visible(hold), tone: 'warn' }), 0)] : []),
    ...(schedule ? [hanging(line(2, plain(visible(schedule))), 0)] : []),
    ...fieldBlocks(fields),
    ...(placesReplicas(change) ? groups.flatMap((group) => groupBlocks(group, groups.length > 1)) : []),
    ...(hasOwnPrice(plan, change) ? [priceLine(changePriceWords(change, plan.warnings))] : []),
  ];
}

function aroundBlocks(around: AroundChange): Block[] {
  const { kind, name, change, text } = around;
  const words = aroundPriceWords(around);
  return [
    hanging(line(0, MARKS[change], strong(`${kind} ${visible(name)}`), plain(change))),
    hanging(line(2, dim(visible(text))), 0),
    ...(words ? [priceLine({ ...words, price: `${words.price} beside what services use` })] : []),
  ];
}

/** Fields shown per service; `--json` has them all. */
const FIELDS_SHOWN = 20;
/** Longer paths push their values to the right. */
const PATH = 24;
/** Columns that two values and what is before them share. */
const ONE_LINE = 74;
const VALUE = 68;

function fieldBlocks(fields: readonly FieldChange[]): Line[] {
  const shown = fields.slice(0, FIELDS_SHOWN);
  const column = Math.min(PATH, Math.max(0, ...shown.map(({ path }) => visible(path).length)));
  const more = fields.length - shown.length;
  return [
    ...shown.flatMap((field) => fieldLines(field, column)),
    ...(more > 0 ? [line(4, dim(`… ${more} more`))] : []),
  ];
}

function fieldLines(field: FieldChange, column: number): Line[] {
  const { mark, path, from, to, note } = fieldWords(field, VALUE);
  const label = [mark, plain(path.padEnd(column))];
  if (note) return [hanging(line(2, ...label, dim(note)))];
  if (from === null) return [hanging(line(2, ...label, plain(to ?? '')))];
  if (to === null) return [hanging(line(2, ...label, dim(from)))];
  if (Math.max(column, path.length) + from.length + to.length + 5 <= ONE_LINE)
    return [line(2, ...label, dim(from), dim('→'), plain(to))];
  return [
    line(2, mark, plain(path)),
    line(6, { text: '-', tone: 'bad' }, dim(from)),
    line(6, { text: '+', tone: 'good' }, plain(to)),
  ];
}

function groupBlocks(group: GroupPlan, isNamed: boolean): Block[] {
  const title = isNamed ? [line(2, dim('group'), plain(visible(group.name)), dim(costOf(group)))] : [];
  const indent = isNamed ? 4 : 2;
  const excluded = exclusionsOf(group).map((text, index) =>
    line(indent + (index > 0 ? 2 : 0), index > 0 ? dim(text) : { text, tone: 'bad' }),
  );
  const more = moreOffers(group);
  return [
    ...title,
    ...excluded,
    ...offerBlocks(isNamed ? { ...group, replicas: ONE } : group, indent),
    ...(more && group.offers.length > 0 ? [line(indent, dim(more))] : []),
  ];
}

/** The title of a group says how many there are, so that its offers have room. */
const ONE = { min: 1, max: 1 };

/** `1..2 replicas × $23.92/h` */
function costOf(group: GroupPlan): string {
  const { pricePerReplica, replicas } = group;
  const times = pricePerReplica === null || replicas.max === 1 ? '' : ` × ${money(pricePerReplica)}`;
  return `${replicasOf(group)}${times}`;
}

function offerBlocks(group: GroupPlan, indent: number): Block[] {
  const rows = group.offers.map((offer, index): Row => {
    const tell = index === 0 ? plain : dim;
    return { cells: offerRow(offer, group).map(tell) };
  });
  const [only] = group.offers;
  if (!only) return [];
  if (rows.length > 1) return [{ kind: 'table', indent, head: OFFER_HEAD, rows, shrink: [2, 1, 0, 3] }];
  const [backend, region, instance, resources, price] = offerRow(only, group);
  const where = [...new Set([backend, region, instance])].join(' ');
  return [line(indent, dim('on'), plain(where), dim(`(${resources})`), plain(price ?? ''))];
}

function totalBlocks(plan: Plan): Table[] {
  const rows = totalRows(plan).map((row, index, { length }): Row => {
    const tell: (text: string) => Cell = index === length - 1 ? strong : plain;
    return { cells: row.map(tell) };
  });
  return rows.length > 0 ? [{ kind: 'table', head: TOTAL_HEAD, rows, shrink: [0] }] : [];
}

function keptLines({ id, expires }: Plan): Line[] {
  if (id === undefined) return [];
  return [
    line(0, dim('kept as plan'), plain(id), ...(expires ? [dim(`until ${expires.slice(0, 10)}`)] : [])),
  ];
}
