// What several backends would sell for one placement.
import type { Backend } from '../backends/backend.ts';
import type { OffersFact } from '../schemas/actual.ts';
import type { Placement } from '../schemas/desired.ts';
import { asFailure } from '../schemas/errors.ts';
import type { Offer } from '../schemas/offer.ts';

/** Offers of all that answer; one that fails is left out, and named when no other has an offer. */
export async function offersOfAll(
  backends: Iterable<Backend>,
  placement: Placement,
  mark: (offer: Offer, backend: Backend) => Offer = (offer) => offer,
): Promise<OffersFact> {
  const failures: string[] = [];
  const lists = await Promise.all(
    [...backends].map(async (backend) => {
      try {
        return (await backend.offers(placement)).map((offer) => mark(offer, backend));
      } catch (error) {
        failures.push(`${backend.name}: ${asFailure(error).message}`);
        return [];
      }
    }),
  );
  const offers = lists.flat();
  return offers.length === 0 && failures.length > 0
    ? { kind: 'unknown', reason: failures.join('; ') }
    : { kind: 'offers', offers };
}
