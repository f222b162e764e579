// `trueup offers`: what could be had for a service, or for what the flags ask, by price lists. Needs no server.

import { marketOf } from '../../backends/catalog/market.ts';
import type { LoadedCatalog } from '../../backends/catalog/source.ts';
import type { Market } from '../../schemas/offer.ts';
import { offersBlocks } from '../view/offers.ts';
import { type OfferFlags, type Wish, wishesOf } from './offers-wish.ts';
import { openPrices } from './prices.ts';
import type { Session } from './session.ts';

export interface OffersOptions extends OfferFlags {
  readonly catalog?: string;
  readonly online?: boolean;
  readonly offline?: boolean;
  readonly maxOffers?: number;
  readonly json?: boolean;
}

/** 1 when nothing matches, or nothing for one of several groups. */
export async function showOffers(session: Session, options: OffersOptions): Promise<number> {
  const wishes = wishesOf(session, options);
  const { catalog: dir, online, offline } = options;
  const loaded = await openPrices(session.env, { dir, network: offline ? false : online });
  const limit = options.json ? (options.maxOffers ?? JSON_SHOWN) : TABLE_READ;
  const markets = wishes.map((wish) => marketOf(loaded.catalog, wish.placement, wish.process, limit));
  for (const note of notesOf(loaded)) session.note(`note: ${note}`);
  if (options.json) await session.json(documentOf(wishes, markets, loaded));
  else {
    const view = { ...viewOf(wishes, markets, loaded), most: options.maxOffers ?? TABLE_SHOWN };
    await session.blocks(offersBlocks(view, session.screen().width));
  }
  return markets.every(({ total }) => total > 0) ? 0 : 1;
}

// Private

const TABLE_SHOWN = 20;
/** A line of the table stands for the same offer in many places. */
const TABLE_READ = 100_000;
/** As many as dstack gives. */
const JSON_SHOWN = 50;
const BAD_SHOWN = 100;

function notesOf({ notes, bad }: LoadedCatalog): string[] {
  const [first] = bad;
  if (!first) return [...notes];
  const others = bad.length - 1;
  const more = others === 0 ? '' : `, and ${others} more ${others === 1 ? 'line' : 'lines'}`;
  return [...notes, `${first.file}:${first.line} is left out: ${first.message}${more}`];
}

function documentOf(wishes: readonly Wish[], markets: readonly Market[], loaded: LoadedCatalog) {
  const groups = markets.map(({ offers, total, excluded }, index) => {
    const { group: name = '', replicas = null } = wishes[index] ?? {};
    const pricePerReplica = offers[0]?.price ?? null;
    return { name, ...(replicas && { replicas }), pricePerReplica, offers, total, excluded };
  });
  const { offers = [], total = 0, excluded = [] } = groups[0] ?? {};
  const { source, date, providers, bad } = loaded;
  const shown = bad.slice(0, BAD_SHOWN);
  return { offers, total, excluded, groups, source, date, providers, bad: shown, badTotal: bad.length };
}

function viewOf(wishes: readonly Wish[], markets: readonly Market[], loaded: LoadedCatalog) {
  const { source, date, providers } = loaded;
  const dated = source === 'snapshot' ? providers : [];
  return {
    groups: markets.map((market, index) => ({
      name: wishes[index]?.title ?? '',
      wish: wishes[index]?.text ?? '',
      replicas: wishes[index]?.replicas ?? null,
      market,
    })),
    prices: { source, date },
    ages: new Map(dated.map(({ backend, version }) => [backend, version ?? 'unknown'])),
  };
}
