// What a schedule means in time, and in words: when a service starts, and what ends it.
import { nextFire, nextFires } from './cron.ts';
import type { ServiceSpec } from './desired.ts';
import type { NextStart } from './rollout.ts';
import { durationText } from './units.ts';

/** The first start after `after` (epoch ms). */
export function nextStart(cron: readonly string[], after: number): NextStart {
  return { cron, at: nextFire(cron, after) };
}

/** When a scheduled service starts next, three times, and what ends it; null when it has no schedule. */
export function scheduleText(spec: ServiceSpec, now: number): string | null {
  if (!spec.schedule) return null;
  const { cron } = spec.schedule;
  const starts = nextFires(cron, SHOWN, now).map(utcText);
  return starts.length === 0
    ? `never starts: no day fits ${cronText(cron)}`
    : `starts by ${cronText(cron)} at ${starts.join(', ')}; ${endText(spec)}`;
}

/** What ends a service that has started. */
export function endText({ maxDurationMs, schedule, utilization }: ServiceSpec): string {
  const ends = [
    ...(maxDurationMs === undefined
      ? []
      : [`\`max_duration\` ends it after ${durationText(maxDurationMs / 1000)}`]),
    ...(utilization ? [`\`utilization_policy\` ends it when a GPU ${idleText(utilization)}`] : []),
  ];
  if (ends.length > 0) return ends.join(', and ');
  return schedule ? 'nothing ends it: set `max_duration` to end it before the next start' : 'nothing ends it';
}

export function idleText({ minGpuPercent, windowMs }: NonNullable<ServiceSpec['utilization']>): string {
  return `was used less than ${minGpuPercent}% for ${durationText(windowMs / 1000)}`;
}

export function cronText(cron: readonly string[]): string {
  return cron.map((text) => `\`${text.trim()}\``).join(' or ');
}

/** Epoch ms to the minute: `2026-01-05 08:00 UTC`. */
export function utcText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

// Private

const SHOWN = 3;
