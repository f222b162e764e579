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

/** GiB of `16`, `16GB`, `512 mb`, `1TB` (all of 1024); undefined when it is none. */
export function parseSize(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  const found = /^(.*?)(mb|gb|tb)?$/.exec(text.replaceAll(' ', '').toLowerCase());
  const amount = parseNumber(found?.[1] ?? '');
  if (amount === undefined) return undefined;
  return amount * GIB[(found?.[2] ?? 'gb') as keyof typeof GIB];
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

// Private

const SECONDS = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 } as const;
const GIB = { mb: 1 / 1024, gb: 1, tb: 1024 } as const;
