// What is said of where replicas could run, and why nowhere.
import type { Change, Exclusion, GroupPlan } from '../../schemas/plan.ts';
import { money } from './cells.ts';
import { rangeOf, visible } from './text.ts';

export const OFFER_HEAD = ['BACKEND', 'REGION', 'INSTANCE', 'RESOURCES', 'PRICE'];

export function offerRow(offer: GroupPlan['offers'][number], { replicas }: GroupPlan): readonly string[] {
  const { backend, region, instance, price, spot, fleet, availability } = offer;
  const isIdle = fleet !== undefined && availability === 'idle';
  // There is one of it, and it is paid for already.
  const times = isIdle ? ' idle' : replicas.max === 1 ? '' : ` × ${rangeOf(replicas)}`;
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

/** No more digits than mean something: 22.35 of a card that is sold as 24 is no better known than 22.4. */
export function sizeText(gib: number): string {
  return `${gib < 100 ? Math.round(gib * 10) / 10 : Math.round(gib)}GB`;
}

// Private

const EXCLUSIONS_SHOWN = 3;

function resourcesOf({ resources }: GroupPlan['offers'][number]): string {
  const { cpus, memoryGib, gpus, arch } = resources;
  const [gpu] = gpus;
  const gpuText = gpu ? [`${gpus.length}×${gpu.name}:${sizeText(gpu.memoryGib)}`] : [];
  return [...gpuText, `${cpus}cpu${arch === 'arm' ? ':arm' : ''}`, sizeText(memoryGib)].join(' ');
}

function exclusionWords({ requirement, rows, nearest }: Exclusion): string {
  const would = `${rows} would do without ${requirement.split(' + ').join(' and ')}`;
  return visible(nearest === '' ? would : `${would} (nearest: ${nearest})`);
}
