// Offers in words: what there is to choose from, what it costs, how old the prices are; or why there is nothing.
import type { Market, Offer } from '../../schemas/offer.ts';
import { type Exclusion, type GroupPlan, HOURS_PER_MONTH, type Plan } from '../../schemas/plan.ts';
import {
  BLANK,
  type Block,
  type Cell,
  dim,
  type Line,
  line,
  plain,
  type Row,
  strong,
  type Table,
} from './cells.ts';
import { sizeText } from './offer-words.ts';
import { monthWords, steadyWords } from './price-words.ts';
import { rangeOf } from './text.ts';

export interface OffersView {
  readonly groups: readonly {
    /** '' where there is only one and nobody named it. */
    readonly name: string;
    /** What is looked for. */
    readonly wish: string;
    /** null: of one machine. */
    readonly replicas: GroupPlan['replicas'] | null;
    readonly market: Market;
  }[];
  /** Lines shown of each group. */
  readonly most: number;
  readonly prices: Plan['prices'];
  /** From when each backend's prices are, where that is known. */
  readonly ages: ReadonlyMap<string, string>;
}

/** `width`: what does not fit is left out if it can be told from the rest, else shortened. */
export function offersBlocks({ groups, most, prices, ages }: OffersView, width: number): Block[] {
  const tables = groups.map((group) => ({ ...group, lines: linesOf(group.market, most) }));
  const shown = new Set(tables.flatMap(({ lines }) => lines.map(({ backend }) => backend)));
  return [
    ...tables.flatMap((table) => [...groupBlocks(table, width), BLANK]),
    ...totalBlocks(tables),
    line(0, dim(pricesText(prices))),
    ...(shown.size > 0 && ages.size > 0 ? [line(0, dim(agesText([...shown], ages)))] : []),
  ];
}

// Private

/** The same thing at the same price, in the cheapest place of several. */
interface OfferLine extends Offer {
  readonly places: number;
}

function linesOf({ offers }: Market, most: number): OfferLine[] {
  const same = Map.groupBy(offers, (offer) => JSON.stringify({ ...offer, region: '' }));
  const lines = [...same.values()].slice(0, most);
  return lines.flatMap(([first, ...others]) => (first ? [{ ...first, places: 1 + others.length }] : []));
}

type GroupTable = OffersView['groups'][number] & { readonly lines: readonly OfferLine[] };

function groupBlocks({ name, wish, replicas, market, lines }: GroupTable, width: number): Block[] {
  const head = [...(name === '' ? [] : [line(0, strong(name))]), line(0, dim(wish))];
  if (market.total === 0) return [...head, BLANK, ...noneBlocks(market)];
  const sum = replicas ? sumBlocks(replicas, lines) : [];
  return [...head, BLANK, tableOf(lines, width), ...moreBlocks(market.total, lines), ...sum];
}

/** What all replicas come to, on the cheapest. */
function sumBlocks(replicas: GroupPlan['replicas'], [cheapest]: readonly OfferLine[]): Block[] {
  if (!cheapest || replicas.max === 1) return [];
  return [sumLine(`${rangeOf(replicas)} replicas on the cheapest:`, [sumOf(replicas, cheapest)])];
}

/** Of several groups that all could run. */
function totalBlocks(tables: readonly GroupTable[]): Block[] {
  const sums = tables.flatMap(({ replicas, lines: [cheapest] }) =>
    replicas && cheapest ? [sumOf(replicas, cheapest)] : [],
  );
  if (tables.length === 1 || sums.length < tables.length) return [];
  return [sumLine(`all ${tables.length} groups on the cheapest:`, sums), BLANK];
}

/** USD per hour at the lowest count, and at the highest. */
type Sum = readonly [low: number, high: number];

function sumOf({ min, max }: GroupPlan['replicas'], { price }: OfferLine): Sum {
  return [price * min, price * max];
}

function sumLine(what: string, sums: readonly Sum[]): Line {
  const steady = sums.reduce((sum, [low]) => sum + low, 0);
  const steadyMax = sums.reduce((sum, [, high]) => sum + high, 0);
  const price = { now: steady, steady, steadyMax, peak: steadyMax };
  return line(0, plain(what), strong(steadyWords(price)), dim(monthWords(price)));
}

function moreBlocks(total: number, lines: readonly OfferLine[]): Block[] {
  const shown = lines.reduce((sum, { places }) => sum + places, 0);
  return shown < total ? [line(0, plain('…'), dim(`${grouped(shown)} of ${grouped(total)} offers`))] : [];
}

function noneBlocks({ excluded, failures }: Market): Block[] {
  return [
    line(0, { text: 'No offer matches.', tone: 'bad' }),
    ...excluded.map((exclusion) => line(2, plain(exclusionText(exclusion)))),
    ...failures.map(({ backend, message }) => line(2, plain(`${backend}: ${message}`))),
  ];
}

/**
 * ``3 offers need `max_price` ≥ 2.10``, which is true of each of them; what else is missed, each may miss by another
 * measure: ``205 offers would do without `gpu.count` (nearest: `gpu.count: 4..`)``.
 */
function exclusionText({ requirement, rows, nearest }: Exclusion): string {
  const count = `${grouped(rows)} ${rows === 1 ? 'offer' : 'offers'}`;
  if (requirement === 'max_price' && nearest !== '')
    return `${count} ${rows === 1 ? 'needs' : 'need'} ${nearest}`;
  const names = requirement.split(' + ').map((name) => `\`${name}\``);
  return `${count} would do without ${names.join(' and ')}${nearest === '' ? '' : ` (nearest: ${nearest})`}`;
}

// Private: the table

interface Column {
  readonly head: string;
  readonly cell: (line: OfferLine) => Cell;
  readonly isNumber?: true;
  readonly mayShrink?: true;
}

function tableOf(lines: readonly OfferLine[], width: number): Table {
  const all = columnsOf(lines);
  const fits = naturalWidth(all, lines) <= width;
  const columns = fits ? all : all.filter((column) => column.head !== PER_MONTH);
  const widths = columns.map((column) => widthOf(column, lines));
  const aligned = (index: number, text: string) =>
    columns[index]?.isNumber ? text.padStart(widths[index] ?? 0) : text;
  return {
    kind: 'table',
    head: columns.map(({ head }, index) => aligned(index, head)),
    rows: lines.map((item): Row => {
      const cells = columns.map(({ cell }) => cell(item));
      return { cells: cells.map(({ text, tone }, index) => ({ text: aligned(index, text), tone })) };
    }),
    // The further right the longer its texts, and the less is lost of them.
    shrink: columns.flatMap(({ mayShrink }, index) => (mayShrink ? [index] : [])).reverse(),
  };
}

const PER_MONTH = '$/MONTH';

/** Only those that tell the offers apart from nothing. */
function columnsOf(lines: readonly OfferLine[]): Column[] {
  const hasGpus = lines.some(({ resources }) => resources.gpus.length > 0);
  const hasSpot = lines.some(({ spot }) => spot);
  const decimals = decimalsOf(lines.map(({ price }) => price));
  return [
    { head: 'WHERE', cell: (item) => plain(placeText(item)), mayShrink: true },
    { head: 'INSTANCE', cell: ({ instance }) => plain(instance), mayShrink: true },
    { head: 'CPU', cell: ({ resources }) => plain(cpuText(resources)), isNumber: true },
    { head: 'MEMORY', cell: ({ resources }) => plain(sizeText(resources.memoryGib)), isNumber: true },
    ...(hasGpus ? [{ head: 'GPU', cell: ({ resources }: OfferLine) => plain(gpuText(resources)) }] : []),
    { head: '$/HOUR', cell: ({ price }) => strong(price.toFixed(decimals)), isNumber: true },
    { head: PER_MONTH, cell: ({ price }) => dim(grouped(price * HOURS_PER_MONTH)), isNumber: true },
    ...(hasSpot ? [{ head: '', cell: spotCell }] : []),
  ];
}

function spotCell({ spot }: Offer): Cell {
  return { text: spot ? 'spot' : '', tone: 'warn' };
}

/** `aws us-east-1 +2`: and two more regions. */
function placeText({ backend, region, places }: OfferLine): string {
  return [backend, region, ...(places > 1 ? [`+${places - 1}`] : [])].join(' ');
}

const GAP = 2;

function naturalWidth(columns: readonly Column[], lines: readonly OfferLine[]): number {
  return columns.reduce((sum, column) => sum + widthOf(column, lines), GAP * (columns.length - 1));
}

function widthOf({ head, cell }: Column, lines: readonly OfferLine[]): number {
  return Math.max(head.length, ...lines.map((item) => cell(item).text.length));
}

/** As a file would say it: `H100:80GB:8`. */
function gpuText({ gpus }: Offer['resources']): string {
  const [gpu] = gpus;
  if (!gpu) return '';
  return [gpu.name, ...(gpu.memoryGib > 0 ? [sizeText(gpu.memoryGib)] : []), gpus.length].join(':');
}

function cpuText({ cpus, arch }: Offer['resources']): string {
  return arch === 'arm' ? `arm:${cpus}` : String(cpus);
}

/** From 2 to 4: what the prices need, and what still matters beside the lowest of them. */
function decimalsOf(prices: readonly number[]): number {
  const lowest = Math.min(...prices);
  const most = lowest < 1 ? 4 : lowest < 10 ? 3 : 2;
  const isEnough = (digits: number) =>
    prices.every((price) => Number(price.toFixed(digits)) === Number(price.toFixed(most)));
  return [2, 3].find((digits) => digits < most && isEnough(digits)) ?? most;
}

function grouped(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

// Private: prices

function pricesText({ source, date }: Plan['prices']): string {
  switch (source) {
    case 'live':
      return 'Prices as the backends say now.';
    case 'catalog':
      return date === null ? 'Prices of the lists given, not live.' : `Prices of ${date}, not live.`;
    case 'snapshot':
      return `Prices of ${date} or earlier, brought along with trueup: not live.`;
  }
}

function agesText(backends: readonly string[], ages: ReadonlyMap<string, string>): string {
  return `By backend: ${backends.map((backend) => `${backend} ${ages.get(backend) ?? 'unknown'}`).join(' · ')}`;
}
