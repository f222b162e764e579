// Durations, sizes and numbers as people write them. Pure: text in, number or undefined out.

/** Nothing meant as a number is longer; longer texts would only keep the patterns below busy. */
const LONGEST = 100;

/** Seconds of `90`, `5m`, `1h30m`, `2 d`; undefined when it is none. A whole number alone is seconds and may be negative. */
export function parseDuration(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  const plain = parseInteger(text);
  if (plain !== undefined) return plain;
  if (!/^(?:\d+ *[wdhms] *)+$/.test(text) || text.endsWith(' ')) return undefined;
  let seconds = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [, amount, unit] of text.matchAll(/(\d+) *([wdhms])/g)) {
    const factor = SECONDS[unit as keyof typeof SECONDS];
    if (factor >= smallest) return undefined; // `1m1h`, `1h1h`: more likely a slip than a wish
    smallest = factor;
    seconds += Number(amount) * factor;
  }
  return seconds;
}

/** A duration as it was probably meant, where `parseDuration` finds none: `2 hours` as `2h`, `1.5m` as `1m30s`. */
export function meantDuration(text: string): string | null {
  const [, amount, unit = ''] = /^(\d{1,9}(?:\.\d{1,9})?) ?([a-z]{1,8})$/i.exec(text.trim()) ?? [];
  const factor = WORDS.find(([pattern]) => pattern.test(unit))?.[1];
  if (amount === undefined || factor === undefined) return null;
  const seconds = Math.max(1, Math.round(Number(amount) * factor));
  return durationText(seconds).replaceAll(' ', '');
}

/** GiB of `16`, `16GB`, `512 mb`, `1TB` (all of 1024); undefined when it is none. */
export function parseSize(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  const found = /^(.*?)(mb|gb|tb)?$/.exec(text.replaceAll(' ', '').toLowerCase());
  const amount = parseNumber(found?.[1] ?? '');
  if (amount === undefined) return undefined;
  return amount * GIB[(found?.[2] ?? 'gb') as keyof typeof GIB];
}

/** A size as it was probably meant, where `parseSize` finds none: `16G` and `16GiB` as `16GB`. */
export function meantSize(text: string): string | null {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,9})?) ?([mgt])(?:i?b?|b(?:ytes?)?)$/i.exec(text.trim()) ?? [];
  return amount === undefined || unit === undefined ? null : `${amount}${unit.toUpperCase()}B`;
}

/** The whole number that a text is, `1_000` included; undefined when it is none. */
export function parseInteger(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  const trimmed = text.trim();
  return /^[-+]?\d+(?:_\d+)*$/.test(trimmed) ? Number(trimmed.replaceAll('_', '')) : undefined;
}

/** The finite number that a text is; undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  const trimmed = text.trim();
  if (!/^[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+)?$/i.test(trimmed))
    return undefined;
  const value = Number(trimmed.replaceAll('_', ''));
  return Number.isFinite(value) ? value : undefined;
}

/** Seconds as they are best read: `1h 30m`. */
export function durationText(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.abs(Math.round(seconds));
  for (const [unit, factor] of Object.entries(SECONDS)) {
    const amount = Math.floor(rest / factor);
    if (amount > 0) parts.push(`${amount}${unit}`);
    rest -= amount * factor;
  }
  return `${seconds < 0 ? '-' : ''}${parts.join(' ') || '0s'}`;
}

/** Whether a number at this path of a service is seconds: `probes[0].interval`. */
export function isSeconds(path: string): boolean {
  return DURATIONS.has(path.slice(path.lastIndexOf('.') + 1));
}

// Private

const DURATIONS = new Set([
  'duration',
  'idle_duration',
  'interval',
  'max_duration',
  'scale_down_delay',
  'scale_up_delay',
  'stop_duration',
  'time_window',
  'timeout',
  'window',
]);

const SECONDS = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 } as const;
const WORDS: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|msecs?|millis(?:econds?)?)$/i, 0.001],
  [/^s(?:ecs?|econds?)?$/i, SECONDS.s],
  [/^m(?:ins?|inutes?)?$/i, SECONDS.m],
  [/^h(?:rs?|ours?)?$/i, SECONDS.h],
  [/^d(?:ays?)?$/i, SECONDS.d],
  [/^w(?:eeks?)?$/i, SECONDS.w],
];
const GIB = { mb: 1 / 1024, gb: 1, tb: 1024 } as const;
