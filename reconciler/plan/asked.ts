// What a group asks of a machine, in few words: for when nobody sells it.
import type { GroupSpec, Range, Requirement } from '../../schemas/desired.ts';

/** `1 × H100, 2.. cpus, 8GB.. of memory, on aws, in eu-west, at most 2.00 $/h`. */
export function askedText({ placement }: Pick<GroupSpec, 'placement'>): string {
  const { requirement, backends, regions, availabilityZones, instanceTypes, spotPolicy, maxPrice } =
    placement;
  return [
    ...resourceTexts(requirement),
    ...anyOf('as', instanceTypes),
    ...anyOf('on', backends),
    ...anyOf('in', regions),
    ...anyOf('in', availabilityZones),
    ...(spotPolicy === 'auto' ? [] : [spotPolicy]),
    ...(maxPrice === null ? [] : [`at most ${maxPrice.toFixed(2)} $/h`]),
  ].join(', ');
}

// Private

function resourceTexts({ gpu, cpu, memoryGib, diskGib }: Requirement): string[] {
  const isAsked = gpu !== null && (gpu.count.min > 0 || gpu.names.length > 0);
  const model = gpu?.names.join(' or ') || gpu?.vendor || 'GPU';
  const each = gpu?.memoryGib ? ` with ${rangeText(gpu.memoryGib, 'GB')}` : '';
  const all = gpu?.totalMemoryGib ? ` (${rangeText(gpu.totalMemoryGib, 'GB')} in all)` : '';
  return [
    ...(isAsked ? [`${rangeText(gpu.count)} × ${model}${each}${all}`] : []),
    ...(cpu ? [`${rangeText(cpu.count)}${cpu.arch ? ` ${cpu.arch}` : ''} cpus`] : []),
    ...(memoryGib ? [`${rangeText(memoryGib, 'GB')} of memory`] : []),
    ...(diskGib ? [`${rangeText(diskGib, 'GB')} of disk`] : []),
  ];
}

/** As in a configuration: `2`, `2..`, `2..8`. */
function rangeText({ min, max }: Range, unit = ''): string {
  if (min === max) return `${min}${unit}`;
  return `${min}${unit}..${max === null ? '' : `${max}${unit}`}`;
}

function anyOf(word: string, names: readonly string[] | null): string[] {
  return names === null ? [] : [`${word} ${names.join(' or ') || 'none'}`];
}
