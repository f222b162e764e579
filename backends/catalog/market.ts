// What a placement could be bought for: by a price list, by backends that are asked now, and by both put together.
import type { Placement } from '../../schemas/desired.ts';
import { asFailure } from '../../schemas/errors.ts';
import { compareOffers, type Market, type Offer } from '../../schemas/offer.ts';
import type { Backend } from '../backend.ts';
import type { Catalog } from './index.ts';
import { type Machine, queryOf } from './query.ts';

/** What a price list says, its first `limit` offers. Nothing of it is known to be for sale. */
export function marketOf(
  catalog: Catalog,
  placement: Placement,
  process: Machine | undefined,
  limit: number,
): Market {
  const query = queryOf(placement, process);
  return { ...catalog.query(query, { limit }), excluded: catalog.explain(query), failures: [] };
}

/** Longer than a healthy cloud takes, shorter than a reader's patience. */
const PATIENCE_MS = 5000;

/** What backends say now. One that fails, or has not answered in `patienceMs`, is named and left out. */
export async function askMarket(
  backends: Iterable<Asked>,
  placement: Placement,
  patienceMs = PATIENCE_MS,
): Promise<Market> {
  const answers = await Promise.all([...backends].map((backend) => ask(backend, placement, patienceMs)));
  const offers = answers.flatMap((answer) => answer.offers ?? []).toSorted(compareOffers);
  const failures = answers.flatMap(({ failure }) => failure ?? []);
  const excluded = answers.flatMap((answer) => answer.excluded ?? []);
  return { offers, total: offers.length, excluded, failures };
}

/**
 * What is known live of a thing takes the place of what the list says of it. `total` is exact where the market holds all
 * its offers; offers that it was cut off before are counted twice.
 */
export function overlay(live: readonly Offer[], market: Market): Market {
  const known = new Map(live.map((offer) => [keyOf(offer), offer]));
  const listed = new Set(market.offers.map(keyOf));
  const added = live.filter((offer) => !listed.has(keyOf(offer)));
  const offers = [...market.offers.map((offer) => known.get(keyOf(offer)) ?? offer), ...added];
  return { ...market, offers: offers.toSorted(compareOffers), total: market.total + added.length };
}

// Private

type Asked = Pick<Backend, 'name' | 'offers' | 'misses'>;

interface Answer {
  readonly offers?: readonly Offer[];
  readonly excluded?: Market['excluded'];
  readonly failure?: Market['failures'][number];
}

async function ask(backend: Asked, placement: Placement, patienceMs: number): Promise<Answer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const message = `it did not say within ${patienceMs / 1000} s what it sells`;
  const timer = setTimeout(() => reject(new Error(message)), patienceMs);
  try {
    return await Promise.race([answerOf(backend, placement), late]);
  } catch (error) {
    return { failure: { backend: backend.name, message: asFailure(error).message } };
  } finally {
    clearTimeout(timer);
  }
}

async function answerOf(backend: Asked, placement: Placement): Promise<Answer> {
  const offers = await backend.offers(placement);
  return { offers, excluded: offers.length === 0 ? ((await backend.misses?.(placement)) ?? []) : [] };
}

/** GPUs are part of it: `gcp` sells one machine type with several. */
function keyOf({ backend, region, instance, spot, resources: { gpus } }: Offer): string {
  return JSON.stringify([backend, region, instance, spot, gpus.length, gpus[0]?.name]).toLowerCase();
}
