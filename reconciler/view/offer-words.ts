// What is said of where replicas could run, and why nowhere.
import type { Change, Exclusion, GroupPlan } from '../../schemas/plan.ts';
import { money } from './cells.ts';
import { rangeOf, visible } from './text.ts';

export const OFFER_HEAD = ['BACKEND', 'REGION', 'INSTANCE', 'RESOURCES', 'PRICE'];

export function offerRow(offer: GroupPlan['offers'][number], { replicas }: GroupPlan): readonly string[] {
  const { backend, region, instance, price, spot } = offer;
  const times = replicas.max === 1 ? '' : ` × ${rangeOf(replicas)}`;
  return [backend, region, instance, resourcesOf(offer), `${money(price)}${times}${spot ? ' spot' : ''}`].map(
    visible,
  );
}

/** '' when all are listed. */
export function moreOffers({ offers, totalOffers }: GroupPlan): string {
  return totalOffers > offers.length ? `the cheapest ${offers.length} of ${totalOffers} offers` : '';
}

/** Whether it matters to this change where replicas could run. */
export function placesReplicas({ change, how, price }: Change): boolean {
  if (change === 'create' || change === 'rename') return true;
  const isGrowing = price.steadyMax > price.now || price.peak > price.now;
  const mayMove = how.includes('replace') || how.includes('placement');
  return change === 'update' && (mayMove || (how.includes('scale') && isGrowing));
}

/** Why there is nothing to offer, nearest miss first. */
export function exclusionsOf({ offers, totalOffers, excluded }: GroupPlan): readonly string[] {
  if (offers.length > 0) return [];
  if (totalOffers > 0) return [`none of ${totalOffers} offers that would do is free now`];
  return ['no offer matches', ...excluded.slice(0, EXCLUSIONS_SHOWN).map(exclusionWords)];
}

// Private

const EXCLUSIONS_SHOWN = 3;

function resourcesOf({ resources }: GroupPlan['offers'][number]): string {
  const { cpus, memoryGib, gpus, arch } = resources;
  const [gpu] = gpus;
  const gpuText = gpu ? [`${gpus.length}×${gpu.name}:${gpu.memoryGib}GB`] : [];
  return [...gpuText, `${cpus}cpu${arch === 'arm' ? ':arm' : ''}`, `${memoryGib}GB`].join(' ');
}

function exclusionWords({ requirement, rows, nearest }: Exclusion): string {
  const would = `${rows} would without ${requirement}`;
  return visible(nearest === '' ? would : `${would} (nearest: ${nearest})`);
}
