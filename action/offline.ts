// A plan without a server: the head's files against the base's, as if those ran, at the prices of a list.
import { marketOf } from '../backends/catalog/market.ts';
import { catalogFrom, openCatalog } from '../backends/catalog/source.ts';
import { planBetween, type Side } from '../reconciler/plan-between.ts';
import type { Plan } from '../schemas/plan.ts';

/** What such a plan cannot know; a comment says it. */
export const UNKNOWN_OFFLINE = [
  'What runs now is not known: the files of the base branch are taken for it.',
  'Prices are those of a list, and what is for sale now is not known.',
  'Secrets and the contents of mounted files count as unchanged.',
];

/** `base` null: against nothing. */
export async function planOffline(
  base: Side | null,
  head: Side,
  root: string,
  env: NodeJS.ProcessEnv,
): Promise<Plan> {
  const { catalog, source, date } = await openCatalog(catalogFrom(env));
  return planBetween(base, head, {
    root,
    prices: { source, date },
    ask: (placement, process) => marketOf(catalog, placement, process, OFFERS),
  });
}

// Private

/** Of each market; more are only counted. */
const OFFERS = 10;
