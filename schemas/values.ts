// The words for single values: text, numbers, durations, choices. Each says how it may be spelled and what is wrong.
import { describe, type Field, field, isWrong, type Wrong, wrong } from './fields.ts';
import { numberText } from './grammar/scalars.ts';
import { alternatives, closest, shown } from './problems.ts';
import type { Spelling } from './spelling.ts';
import { meantDuration, parseDuration, parseInteger, parseNumber } from './units.ts';
import type { Yaml } from './yaml-value.ts';

// How they are spelled

/** Numbers become text, as in the rest of the configuration language. */
export const TEXT = { title: 'text', type: ['string', 'number'] } as const;
const BOOL = {
  title: 'true or false',
  anyOf: [
    { type: 'boolean' },
    {
      type: 'string',
      pattern: anyCase(['true', 't', 'yes', 'y', 'on', '1', 'false', 'f', 'no', 'n', 'off', '0']),
    },
    { type: 'integer', minimum: 0, maximum: 1 },
  ],
};
export const INT64 = 2 ** 63;

export const INTEGER_TEXT = '^\\s*[-+]?\\d+(?:_\\d+)*(?:\\.0+)?\\s*$';
export const NUMBER_TEXT =
  '^\\s*[-+]?(?:\\d+(?:_\\d+)*\\.?(?:\\d+(?:_\\d+)*)?|\\.\\d+(?:_\\d+)*)(?:[eE][-+]?\\d+)?\\s*$';
const DURATION = {
  title: 'duration',
  anyOf: [
    { type: 'number' },
    { type: 'string', pattern: '^(?:\\s*[-+]?\\d+(?:_\\d+)*\\s*|(?:\\d+ *[wdhms] *)*\\d+ *[wdhms])$' },
  ],
};
const OFF_DURATION = {
  title: 'duration or `off`',
  anyOf: [{ const: 'off' }, ...DURATION.anyOf, { type: 'boolean' }],
};

export const text: Field<string> = field(readText, TEXT);

export function textWhere(read: (value: string) => string | Wrong, spelling: Spelling = TEXT): Field<string> {
  return field((value) => {
    const result = readText(value);
    return isWrong(result) ? result : read(result);
  }, spelling);
}

export function matching(pattern: RegExp, what: string, fix: string): Field<string> {
  return textWhere((value) => (pattern.test(value) ? value : wrong(`${shown(value)} is not ${what}`, fix)), {
    ...TEXT,
    ...(pattern.flags === '' ? { pattern: pattern.source } : {}),
  });
}

export function sized(min: number, max: number): Field<string> {
  return textWhere(
    (value) => {
      const length = [...value].length;
      if (length >= min && length <= max) return value;
      if (length < min) return wrong('this is empty', 'Write at least one character, or remove it.');
      return wrong(`this has ${length} characters; at most ${max} are allowed`, 'Make it shorter.');
    },
    { ...TEXT, minLength: min, maxLength: max },
  );
}

export const bool: Field<boolean> = field(readBool, BOOL);

export function integer(min: number, max = Number.POSITIVE_INFINITY): Field<number> {
  return field(
    (value) => {
      const read = readInteger(value);
      if (read === undefined)
        return wrong(`${describe(value)} is not a whole number`, `Write ${span(min, max)}.`);
      return inSpan(read, min, max);
    },
    spelledNumber('integer', { minimum: min, maximum: max }, INTEGER_TEXT),
  );
}

export function number(min: number, max: number): Field<number> {
  return field(
    (value) => {
      const read = readNumber(value);
      if (read === undefined) return wrong(`${describe(value)} is not a number`, `Write ${span(min, max)}.`);
      return inSpan(read, min, max);
    },
    spelledNumber('number', { minimum: min, maximum: max }, NUMBER_TEXT),
  );
}

export const positive: Field<number> = field(
  (value) => {
    const read = readNumber(value);
    if (read !== undefined && read > 0) return read;
    return wrong(`${describe(value)} is not a number above 0`, 'Write a number above 0.');
  },
  spelledNumber('number', { exclusiveMinimum: 0 }, NUMBER_TEXT),
);

export function choice<const V extends string>(values: readonly V[]): Field<V> {
  return field(
    (value) => {
      const found = values.find((candidate) => candidate === value);
      if (found !== undefined) return found;
      const near = typeof value === 'string' ? closest(value, values) : null;
      if (near !== null) return wrong(`${describe(value)} is not known`, `Did you mean \`${near}\`?`);
      return wrong(`${describe(value)} is not known`, `Write ${alternatives(values)}.`);
    },
    { enum: values },
  );
}

/** Seconds. */
export const duration: Field<number> = field(readDuration, DURATION);

/** Seconds or `off`; `true` means unset. */
export const offDuration: Field<number | 'off' | undefined> = field((value) => {
  if (value === 'off' || value === false) return 'off';
  if (value === true) return undefined;
  const read = readDuration(value);
  if (typeof read !== 'number' || read >= 0) return read;
  return wrong('a duration cannot be negative', 'Write `off` for no limit.');
}, OFF_DURATION);

/** Seconds, negative for `off`; `true` means unset. */
export const idleDuration: Field<number | undefined> = field((value) => {
  if (value === 'off' || value === false) return -1;
  return value === true ? undefined : readDuration(value);
}, OFF_DURATION);

// Readers, for schemas that need them bare

export function readText(value: Yaml): string | Wrong {
  if (typeof value === 'string') {
    return value.includes('\0') ? wrong('there is a NUL character in it', 'Remove it.') : value;
  }
  if (typeof value === 'bigint' || typeof value === 'number') return numberText(value);
  const quotes = typeof value === 'boolean' || typeof value === 'symbol';
  const fix = quotes
    ? 'Put it in quotes.'
    : Array.isArray(value)
      ? 'Write one text, on one line.'
      : 'Write text.';
  return wrong(`text is expected, not ${describe(value)}`, fix);
}

export function readBool(value: Yaml): boolean | Wrong {
  if (typeof value === 'boolean') return value;
  if (value === 0 || value === 0n) return false;
  if (value === 1 || value === 1n) return true;
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  if (['true', 't', 'yes', 'y', 'on', '1'].includes(word)) return true;
  if (['false', 'f', 'no', 'n', 'off', '0'].includes(word)) return false;
  return wrong(`${describe(value)} is neither true nor false`, 'Write `true` or `false`.');
}

/** As the reference has it: what is written as a float is a whole number only where it fits into 64 bits. */
export function readInteger(value: Yaml): number | undefined {
  const read = typeof value === 'string' ? parseInteger(value.replace(/\.0+$/, '')) : readNumber(value);
  if (read === undefined || !Number.isInteger(read)) return undefined;
  return typeof value === 'number' && Math.abs(read) >= INT64 ? undefined : read;
}

/** Numbers, text that is one, and (as the configuration language has it) true as 1. */
export function readNumber(value: Yaml): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string') return parseNumber(value);
  if (typeof value !== 'bigint' && typeof value !== 'number') return undefined;
  return Number.isFinite(Number(value)) ? Number(value) : undefined;
}

export function readDuration(value: Yaml): number | Wrong {
  const read = typeof value === 'string' ? parseDuration(value) : readNumber(value);
  if (read !== undefined) return Math.trunc(read);
  const meant = typeof value === 'string' ? meantDuration(value) : null;
  const example = meant === null ? 'for example `90s` or `1h30m`' : `here \`${meant}\``;
  return wrong(
    `${describe(value)} is not a duration`,
    `Write whole numbers with units (s, m, h, d, w), ${example}.`,
  );
}

// Private

function spelledNumber(
  type: 'integer' | 'number',
  bounds: { readonly [keyword: string]: number },
  pattern: string,
): Spelling {
  const finite = Object.entries(bounds).filter(([, bound]) => Math.abs(bound) < Number.MAX_SAFE_INTEGER);
  const title = type === 'integer' ? 'whole number' : 'number';
  return {
    title,
    anyOf: [
      { type, ...Object.fromEntries(finite) },
      { type: 'string', pattern },
    ],
  };
}

/** A pattern for these words in upper and lower case: JSON Schema knows no flags. */
function anyCase(words: readonly string[]): string {
  const letters = (word: string) =>
    [...word]
      .map((letter) => (/[a-z]/.test(letter) ? `[${letter}${letter.toUpperCase()}]` : letter))
      .join('');
  return `^(?:${words.map(letters).join('|')})$`;
}

function inSpan(value: number, min: number, max: number): number | Wrong {
  if (value >= min && value <= max) return value;
  return wrong(
    `\`${value}\` is ${value < min ? 'below' : 'above'} ${value < min ? min : max}`,
    `Write ${span(min, max)}.`,
  );
}

function span(min: number, max: number): string {
  if (min === Number.NEGATIVE_INFINITY) return 'a number';
  return max >= Number.MAX_SAFE_INTEGER ? `a number from ${min} up` : `a number from ${min} to ${max}`;
}
