// What a schema read, as plain JSON: members without a value left out.
import type { Json, JsonObject } from './json.ts';

/** Null, undefined and missing members mean the same to the configuration language. */
export function prune(value: unknown): Json {
  if (Array.isArray(value)) return value.map(prune);
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? pruneObject(value) : (value as Json);
}

export function pruneObject(value: object): JsonObject {
  const members = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, prune(member)]));
}

/** A value as JSON text would carry it: only what is undefined is left out, null stays. */
export function plain(value: object): JsonObject {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, plainValue(member)]));
}

// Private

function plainValue(value: unknown): Json {
  if (Array.isArray(value)) return value.map(plainValue);
  return value !== null && typeof value === 'object' ? plain(value) : ((value ?? null) as Json);
}
