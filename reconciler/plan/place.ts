// Chooses where a new replica goes. A total order: price, then backend, region, instance type.
import type { OffersFact } from '../../schemas/actual.ts';
import type { Offer } from '../../schemas/offer.ts';

const SELLS = new Set(['unknown', 'available', 'idle']);

export type Choice =
  | { readonly kind: 'offer'; readonly offer: Offer }
  | { readonly kind: 'none'; readonly reason: string };

export function place(fact: OffersFact | undefined): Choice {
  if (!fact) return { kind: 'none', reason: 'offers were not read yet' };
  if (fact.kind === 'unknown') return { kind: 'none', reason: fact.reason };
  const [best] = fact.offers.filter((offer) => SELLS.has(offer.availability)).toSorted(byIdleThenPrice);
  return best ? { kind: 'offer', offer: best } : { kind: 'none', reason: whyNone(fact.offers) };
}

function whyNone(taken: readonly Offer[]): string {
  const backends = [...new Set(taken.map(({ backend }) => backend))].join(', ');
  return taken.length > 0
    ? `${backends} has what the configuration asks for, but nothing of it is free now`
    : 'no backend offers what the configuration asks for';
}

function byIdleThenPrice(a: Offer, b: Offer): number {
  const idle = Number(b.availability === 'idle') - Number(a.availability === 'idle');
  return (
    idle ||
    a.price - b.price ||
    compare(a.backend, b.backend) ||
    compare(a.region, b.region) ||
    compare(a.instance, b.instance)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
