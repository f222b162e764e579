// What a schema read, as plain JSON: members without a value left out. Filled in place, as it runs over all that is ever
// read; `__proto__` is no key of what a schema read.
import type { Json, JsonObject } from './json.ts';

/** Null, undefined and missing members mean the same to the configuration language. */
export function prune(value: unknown): Json {
  if (Array.isArray(value)) return value.map(prune);
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? pruneObject(value) : (value as Json);
}

export function pruneObject(value: object): JsonObject {
  const pruned: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== null && member !== undefined) pruned[key] = prune(member);
  }
  return pruned;
}

/** A value as JSON text would carry it: only what is undefined is left out, null stays. */
export function plain(value: object): JsonObject {
  const copy: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) copy[key] = plainValue(member);
  }
  return copy;
}

// Private

function plainValue(value: unknown): Json {
  if (Array.isArray(value)) return value.map(plainValue);
  return value !== null && typeof value === 'object' ? plain(value) : ((value ?? null) as Json);
}
