// What is said of a price: what it becomes, by how much, what it may reach meanwhile, what that is in a month.
import { aroundOf } from '../../schemas/keys.ts';
import type { AroundChange, Change, Plan, Price } from '../../schemas/plan.ts';
import { HOURS_PER_MONTH } from '../../schemas/plan.ts';
import { money } from './cells.ts';
import { shownAround, shownChanges, unchangedAround, unchangedOf } from './plan-words.ts';
import { visible } from './text.ts';

/** What a price is, what it becomes, and the difference: each '' where it says nothing. */
export interface PriceWords {
  /** `$12.40/h → $18.60–24.80/h` */
  readonly price: string;
  readonly difference: string;
  /** The most while it is rolled out. */
  readonly peak: string;
  /** `$9,052/month → $13,578–18,104/month` */
  readonly month: string;
  /** What the sums leave out, because nothing is for sale that it could run on. */
  readonly without: string;
}

/** Of a whole plan. Against nothing there is nothing to compare with. */
export function totalWords(plan: Plan): PriceWords {
  const { price, base, changes, warnings, around = [] } = plan;
  const isFirst = base === null && [...changes, ...around].every(({ change }) => change === 'create');
  const words = isFirst ? { ...wordsOf(price), ...steadyOnly(price) } : wordsOf(price);
  const fleets = warnings.filter(({ kind, service }) => UNSOLD.includes(kind) && aroundOf(service) !== null);
  const unsold = [...changes.filter((change) => isUnsold(change, warnings)), ...fleets].map(({ service }) =>
    visible(service),
  );
  if (unsold.length === 0) return words;
  const more = unsold.length - NAMES_SHOWN;
  const names = [...unsold.slice(0, NAMES_SHOWN), ...(more > 0 ? [`${more} more`] : [])];
  return { ...words, difference: '', without: `without ${names.join(', ')}: no offer` };
}

/** `warnings`: of its plan; without them whatever is priced is taken for the whole. */
export function changePriceWords(change: Change, warnings: Plan['warnings'] = []): PriceWords {
  const { now } = change.price;
  if (!isUnsold(change, warnings)) return ownWords(change);
  return { price: `${money(now)} → unknown`, difference: '', peak: '', month: '', without: '' };
}

/** Of a fleet: what its machines cost that no service has; null: it has none of those. */
export function aroundPriceWords({ change, price }: AroundChange): PriceWords | null {
  return price && !isFree(price) ? ownWords({ change, price }) : null;
}

function ownWords({ change, price }: Pick<Change, 'change' | 'price'>): PriceWords {
  if (change === 'create') return { ...wordsOf(price), ...steadyOnly(price) };
  if (change === 'delete') return { ...wordsOf(price), price: `saves ${money(price.now)}`, difference: '' };
  return wordsOf(price);
}

export function isFree({ now, steady, steadyMax, peak }: Price): boolean {
  return now === 0 && steady === 0 && steadyMax === 0 && peak === 0;
}

/** Whether a change has a price that the headline does not say already. */
export function hasOwnPrice(plan: Plan, { change, price }: Change): boolean {
  if (change === 'keep' || isFree(price)) return false;
  return shownChanges(plan).length > 1 || wordsOf(price).price !== wordsOf(plan.price).price;
}

export const TOTAL_HEAD = ['SERVICE', 'NOW', 'STEADY', 'PEAK', 'DIFFERENCE'];

/** Service by service, and all together; none where the headline says as much. */
export function totalRows(plan: Plan): readonly (readonly string[])[] {
  const priced = shownChanges(plan).filter(({ price }) => !isFree(price));
  const fleets = shownAround(plan).flatMap(({ kind, name, price }) =>
    price && !isFree(price) ? [totalRow(`${kind} ${name}`, price)] : [],
  );
  if (priced.length + fleets.length < 2) return [];
  const unchanged = [...unchangedOf(plan), ...unchangedAround(plan)].filter(
    ({ price }) => price && !isFree(price),
  );
  const rest = unchanged.length > 0 ? [totalRow('unchanged', added(unchanged))] : [];
  const isKnown = (change: Change) => !isUnsold(change, plan.warnings);
  return [
    ...priced.map((change) => totalRow(change.service, change.price, isKnown(change) ? {} : UNKNOWN)),
    ...fleets,
    ...rest,
    totalRow('total', plan.price, plan.changes.every(isKnown) ? {} : { difference: '' }),
  ];
}

/** `$18.60–24.80/h`: at the lowest counts, and at the highest, where fleets keep less beside. */
export function steadyWords({ steady, steadyMax }: Price): string {
  return spread(money(Math.min(steady, steadyMax)), money(Math.max(steady, steadyMax)), '/h');
}

/** `+$6.20/h (+50 %)`; '' when nothing differs. */
export function differenceWords({ now, steady }: Price): string {
  const difference = steady - now;
  if (Math.abs(difference) < UNSEEN) return '';
  const sign = difference > 0 ? '+' : '−';
  const fraction = now > 0 ? Math.abs(difference) / now : Number.POSITIVE_INFINITY;
  const percent = fraction < MUCH ? ` (${sign}${percentOf(fraction)} %)` : '';
  return `${sign}${money(Math.abs(difference))}${percent}`;
}

/** `$9,052/month → $13,578–18,104/month` */
export function monthWords({ now, steady, steadyMax }: Price): string {
  const after = spread(perMonth(steady), perMonth(steadyMax), '/month');
  return perMonth(now) === perMonth(steady) ? after : `${perMonth(now)} → ${after}`;
}

export function added(changes: readonly { readonly price?: Price | undefined }[]): Price {
  const sum = (of: (price: Price) => number) =>
    changes.reduce((total, { price }) => total + (price ? of(price) : 0), 0);
  return {
    now: sum(({ now }) => now),
    steady: sum(({ steady }) => steady),
    steadyMax: sum(({ steadyMax }) => steadyMax),
    peak: sum(({ peak }) => peak),
  };
}

// Private

/** USD per hour that no price shows. */
const UNSEEN = 0.00005;

function wordsOf(price: Price): PriceWords {
  const steady = steadyWords(price);
  return {
    price: money(price.now) === steady ? steady : `${money(price.now)} → ${steady}`,
    difference: differenceWords(price),
    peak: peakWords(price),
    month: monthWords(price),
    without: '',
  };
}

/** Whether it needs more replicas than can be bought, so that nobody knows what it will cost. */
function isUnsold({ service, groups }: Change, warnings: Plan['warnings']): boolean {
  const isWarned = warnings.some((each) => each.service === service && UNSOLD.includes(each.kind));
  return isWarned && groups.some(({ pricePerReplica }) => pricePerReplica === null);
}

const UNSOLD: readonly Plan['warnings'][number]['kind'][] = ['no-offer', 'over-max-price', 'capacity'];

const UNKNOWN = { steady: 'unknown', difference: '' };

/** More are only counted. */
const NAMES_SHOWN = 3;

function steadyOnly(price: Price): Partial<PriceWords> {
  return { price: steadyWords(price), difference: '', month: monthWords({ ...price, now: price.steady }) };
}

/** '' when it is no more than before or after. */
function peakWords({ now, steady, peak }: Price): string {
  return peak > Math.max(now, steady) + UNSEEN ? `peak ${money(peak)}` : '';
}

/** `$1.00/h` to `$2.00/h` as `$1.00–2.00/h`. */
function spread(low: string, high: string, unit: string): string {
  return low === high ? low : `${low.slice(0, -unit.length)}–${high.slice(1)}`;
}

/** From ten times as much on, percents say nothing. */
const MUCH = 10;

function percentOf(fraction: number): string {
  const percent = fraction * 100;
  return percent < 1 ? '<1' : String(Math.round(percent));
}

/** Made once: making one takes a hundred times as long as using it. */
const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const CENTS = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function perMonth(usdPerHour: number): string {
  const usd = usdPerHour * HOURS_PER_MONTH;
  return `$${(usd > 0 && usd < 100 ? CENTS : WHOLE).format(usd)}/month`;
}

function totalRow(
  name: string,
  price: Price,
  { steady = steadyWords(price), difference = differenceWords(price) } = {},
): readonly string[] {
  return [visible(name), money(price.now), steady, money(price.peak), difference || '—'];
}
