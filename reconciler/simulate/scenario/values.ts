// The words for single values of a scenario: instants, stretches of time, rates, chances.
import { describe, type Field, field, isWrong, type Wrong, wrong } from '../../../schemas/fields.ts';
import { readNumber } from '../../../schemas/values.ts';
import { isMapping, type Yaml } from '../../../schemas/yaml-value.ts';

/** From the first to the second; drawn anew each time, from the seed. */
export type Span = readonly [number, number];

const TIME = { title: 'time', anyOf: [{ type: 'number' }, { type: 'string' }] };

/** Milliseconds; written as seconds or with units: `90`, `1.5`, `200ms`, `90s`, `1h30m`. */
export const time: Field<number> = field(readTime, TIME);

/** Milliseconds: one time, or `20s..40s`. */
export const span: Field<Span> = field(readSpan, TIME);

/** What does not happen at all. */
export const NEVER = 'never';

export const spanOrNever: Field<Span | typeof NEVER> = field(
  (value) => (value === NEVER ? NEVER : readSpan(value)),
  { title: 'time or `never`', anyOf: TIME.anyOf },
);

/** Requests per second: one rate, or `10..100` for a straight line between two. */
export const rate: Field<Span> = field(
  (value) => {
    const ends = endsOf(value).map((end) => readNumber(end));
    const [first, last = first] = ends;
    const isRate = (end: number | undefined) => end !== undefined && end >= 0 && end <= MOST_RPS;
    if (ends.length <= 2 && ends.every(isRate)) return [first ?? 0, last ?? 0];
    return wrong(
      `${describe(value)} is not a rate`,
      `Write requests per second up to ${MOST_RPS}, as \`20\` or \`10..100\`.`,
    );
  },
  { title: 'rate', anyOf: TIME.anyOf },
);

/** Between 0 and 1; written so, or as `30%`. */
export const chance: Field<number> = field(
  (value) => {
    const percent = typeof value === 'string' && value.trim().endsWith('%');
    const number = readNumber(percent ? String(value).trim().slice(0, -1) : value);
    const read = number === undefined || !percent ? number : number / 100;
    if (read !== undefined && read >= 0 && read <= 1) return read;
    return wrong(`${describe(value)} is not a share`, 'Write `30%` or a number from 0 to 1.');
  },
  { title: 'share', anyOf: TIME.anyOf },
);

/** Epoch ms. */
export const instant: Field<number> = field(
  (value) => {
    const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    if (/^\d{4}-\d\d-\d\d/.test(String(value)) && Number.isFinite(at)) return at;
    return wrong(`${describe(value)} is not an instant`, 'Write it in quotes, as "2026-01-05T09:00:00Z".');
  },
  { title: 'instant', type: 'string' },
);

/** Any YAML value as JSON would have it. */
export function jsonOf(value: Yaml): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'symbol') return value.description;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, jsonOf(member)]));
}

export function readTime(value: Yaml): number | Wrong {
  const ms = typeof value === 'string' ? parseTime(value.trim()) : seconds(value);
  if (ms !== undefined && ms > LONGEST_MS)
    return wrong(`${describe(value)} is too long`, 'Write at most ten years.');
  if (ms !== undefined && ms >= 0) return ms;
  return wrong(
    `${describe(value)} is not a time`,
    'Write seconds or units (ms, s, m, h, d), for example `90s`, `1h30m` or `200ms`.',
  );
}

// Private

/** More would only take long, and tell nothing more. */
const MOST_RPS = 10_000;
/** Ten years: no instant of a scenario is beyond what a clock can show. */
const LONGEST_MS = 10 * 365 * 86_400_000;

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

function seconds(value: Yaml): number | undefined {
  const number = typeof value === 'boolean' ? undefined : readNumber(value);
  return number === undefined ? undefined : number * 1_000;
}

function parseTime(text: string): number | undefined {
  if (/^\d{1,12}(?:\.\d{1,6})?$/.test(text)) return Number(text) * 1_000;
  if (!/^(?:\d{1,9}(?:\.\d{1,6})? ?(?:ms|[smhdw]) ?){1,6}$/.test(`${text} `.replace(/ $/, '')))
    return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?) ?(ms|[smhdw])/g)];
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit as keyof typeof UNITS], 0);
}

function readSpan(value: Yaml): Span | Wrong {
  const ends = endsOf(value);
  if (ends.length > 2) return wrong(`${describe(value)} is not a span of time`, 'Write `20s` or `20s..40s`.');
  const first = readTime(ends[0] ?? '');
  const last = ends[1] === undefined ? first : readTime(ends[1]);
  if (isWrong(first)) return first;
  if (isWrong(last)) return last;
  return last < first
    ? wrong(`${describe(value)} ends before it begins`, 'Put the shorter time first.')
    : [first, last];
}

function endsOf(value: Yaml): readonly Yaml[] {
  return typeof value === 'string' ? value.split('..') : [value];
}
