// Chooses where a new replica goes. The order is `compareOffers`. What could not be had is
// set aside for a while, and the next is tried.
import type { OffersFact } from '../../schemas/actual.ts';
import type { Failure } from '../../schemas/errors.ts';
import { compareOffers, type Offer } from '../../schemas/offer.ts';
import type { SetAside } from '../../schemas/rollout.ts';
import { pauseMs } from './backoff.ts';

const SELLS = new Set(['unknown', 'available', 'idle']);

export type Choice =
  | { readonly kind: 'offer'; readonly offer: Offer }
  /** `until`: when one that is set aside may be tried again; null: nothing is. */
  | { readonly kind: 'none'; readonly reason: string; readonly until: number | null };

export function place(
  fact: OffersFact | undefined,
  setAside: readonly SetAside[] = [],
  now: number = 0,
): Choice {
  if (!fact) return { kind: 'none', reason: 'offers were not read yet', until: null };
  if (fact.kind !== 'offers') return { kind: 'none', reason: fact.reason, until: null };
  const sold = fact.offers.filter((offer) => SELLS.has(offer.availability));
  // What is idle is there: that no more could be had says nothing of it.
  const paused = (offer: Offer) =>
    offer.availability !== 'idle' && setAside.find((each) => isOf(each, offer) && now < each.until);
  const [best] = sold.filter((offer) => !paused(offer)).toSorted(compareOffers);
  if (best) return { kind: 'offer', offer: best };
  const tried = [...new Set(sold.flatMap((offer) => paused(offer) || []))];
  return tried.length > 0
    ? { kind: 'none', reason: triedText(tried), until: Math.min(...tried.map(({ until }) => until)) }
    : { kind: 'none', reason: fact.why ?? whyNone(fact.offers, fact.leftTo), until: null };
}

/** Adds one that has failed once more. A refused credential says nothing about one offer: all of that backend are meant. */
export function withSetAside(
  before: readonly SetAside[] | undefined,
  offer: Offer,
  failure: Pick<Failure, 'kind' | 'message'>,
  priority: number | undefined,
  now: number,
): readonly SetAside[] {
  const isAll = failure.kind === 'unauthorized';
  const { backend, spot } = offer;
  const [region, instance] = isAll ? [ANY, ANY] : [offer.region, offer.instance];
  const isSame = (each: SetAside) =>
    each.backend === backend && each.region === region && each.instance === instance && each.spot === spot;
  const old = before?.find(isSame);
  // Several replicas that were on their way to it are refused together.
  if (before && old && now < old.until) return before;
  const failures = (old?.failures ?? 0) + 1;
  // To the second: offers that are refused one after the other are tried again together, by one replica.
  const until = Math.floor((now + pauseMs(failures, priority)) / 1_000) * 1_000;
  const others = (before ?? []).filter((each) => !isSame(each) && now < each.until + FORGET_MS);
  return [...others, { backend, region, instance, spot, failures, until, reason: failure.message }];
}

/** What gave a machine when it was tried again has no failures in a row any more; one that is set aside stays so. */
export function withoutSetAside(
  before: readonly SetAside[] | undefined,
  offer: Offer,
  now: number,
): readonly SetAside[] | undefined {
  const isOver = (each: SetAside) => isOf(each, offer) && now >= each.until;
  return before?.some(isOver) ? before.filter((each) => !isOver(each)) : before;
}

// Private

/** In place of a name: all of them. */
const ANY = '*';
/** So long after its pause an offer's failures still count together. */
const FORGET_MS = 600_000;
const SHOWN = 3;

function isOf({ backend, region, instance, spot }: SetAside, offer: Offer): boolean {
  if (backend !== offer.backend) return false;
  return region === ANY || (region === offer.region && instance === offer.instance && spot === offer.spot);
}

function triedText(tried: readonly SetAside[]): string {
  const reasons = [...new Set(tried.map(({ reason }) => reason))];
  const more = reasons.length > SHOWN ? `; and ${reasons.length - SHOWN} more` : '';
  return `tried in vain: ${reasons.slice(0, SHOWN).join('; ')}${more}`;
}

function whyNone(taken: readonly Offer[], leftTo: readonly string[] = []): string {
  if (leftTo.length > 0)
    return `what there is goes to ${leftTo.join(', ')} first, of higher priority and waiting for the same`;
  const backends = [...new Set(taken.map(({ backend }) => backend))].join(', ');
  return taken.length > 0
    ? `${backends} has what the configuration asks for, but nothing of it is free now`
    : 'no backend offers what the configuration asks for';
}
