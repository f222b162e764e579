// Compares a summary with what somebody expects of it: only what is written counts, and numbers may be bounded.
import { isWrong } from '../../schemas/fields.ts';
import { readTime } from './scenario/values.ts';

/** What is not as expected, each in a sentence; `expected` is part of a summary, with bounds like `>= 2` for numbers. */
export function unmetIn(actual: unknown, expected: unknown, path = ''): string[] {
  if (Array.isArray(expected)) return unmetList(actual, expected, path);
  if (isObject(expected)) {
    if (!isObject(actual)) return [`${path || 'the summary'} is ${shown(actual)}`];
    return Object.entries(expected).flatMap(([key, value]) => unmetMember(actual, key, value, path));
  }
  return isMet(actual, expected) ? [] : [`${path} is ${shown(actual)}, not ${shown(expected)}`];
}

// Private

type Members = { readonly [key: string]: unknown };

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that may be left out is nothing while it is. */
function unmetMember(actual: Members, key: string, expected: unknown, path: string): string[] {
  const inside = path === '' ? key : `${path}.${key}`;
  if (Object.hasOwn(actual, key)) return unmetIn(actual[key], expected, inside);
  if (expected === null || (Array.isArray(expected) && expected.length === 0)) return [];
  // `fleets: {pool: null}`, where there are no fleets at all.
  if (path === '' && isObject(expected) && Object.values(expected).every((each) => each === null)) return [];
  return [`there is no ${inside}; there is ${Object.keys(actual).join(', ') || 'nothing'}`];
}

/** A list is compared item by item; `waiting: [capacity]` speaks of the reasons, `problems: [trueup.yml]` of the files. */
function unmetList(actual: unknown, expected: readonly unknown[], path: string): string[] {
  const items: readonly unknown[] = Array.isArray(actual) ? actual : [];
  const plain = items.map((item, index) =>
    isObject(item) && !isObject(expected[index]) ? (item.reason ?? item.file) : item,
  );
  if (plain.length !== expected.length) return [`${path} is ${shown(plain)}, not ${shown(expected)}`];
  return expected.flatMap((each, index) => unmetIn(plain[index], each, `${path}[${index}]`));
}

const BOUND = /^\s*(<=|>=|<|>|=|!=)\s*(\S.*?)\s*$/;

function isMet(actual: unknown, expected: unknown): boolean {
  const [, sign, text] = (typeof expected === 'string' && BOUND.exec(expected)) || [];
  if (sign === undefined)
    return actual === expected || (typeof expected === 'string' && String(actual) === expected);
  return typeof actual === 'number' && compare(actual, sign, boundOf(text));
}

/** A number; or a time, as its seconds. Anything else nothing is compared with. */
function boundOf(text: string | undefined): number {
  const ms = readTime(text ?? '');
  return isWrong(ms) ? Number(text) : ms / 1000;
}

function compare(actual: number, sign: string, bound: number): boolean {
  switch (sign) {
    case '<':
      return actual < bound;
    case '<=':
      return actual <= bound;
    case '>':
      return actual > bound;
    case '>=':
      return actual >= bound;
    case '!=':
      return actual !== bound;
    default:
      return actual === bound;
  }
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
