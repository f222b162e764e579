// Where two configurations differ, down to the members of objects and the items of lists.
import { canonical, type Json, type JsonObject } from '../../schemas/json.ts';

export interface ValueChange {
  /** `env.MODEL`, `commands[0]`. */
  readonly path: string;
  /** null: not there. */
  readonly from: Json;
  readonly to: Json;
}

export function changedValues(path: string, from: Json | undefined, to: Json | undefined): ValueChange[] {
  if (canonical(from) === canonical(to)) return [];
  if (isObject(from ?? to) && isObject(to ?? from)) return changedMembers(path, members(from), members(to));
  if (isList(from ?? to) && isList(to ?? from)) return changedItems(path, items(from), items(to));
  return [{ path, from: from ?? null, to: to ?? null }];
}

/** `a` and `b` of `a.b`; what is no plain word stands in brackets, and so does an index. */
export function memberPath(path: string, name: string): string {
  return /^[\w-]*[A-Za-z_][\w-]*$/.test(name) ? `${path && `${path}.`}${name}` : `${path}[${name}]`;
}

// Private

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function members(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function items(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

function changedMembers(path: string, from: JsonObject, to: JsonObject): ValueChange[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return names.flatMap((name) => {
    const at = memberPath(path, name);
    // A variable that the file names without a value is there, though it says nothing.
    if (name in from !== name in to && (from[name] ?? to[name] ?? null) === null)
      return [{ path: at, from: name in from ? '' : null, to: name in to ? '' : null }];
    return changedValues(at, from[name], to[name]);
  });
}

/** What two lists begin and end with alike is left out, so that one more line in the middle is one change. */
function changedItems(path: string, from: readonly Json[], to: readonly Json[]): ValueChange[] {
  const start = sharedStart(from, to);
  const end = sharedStart(from.slice(start).toReversed(), to.slice(start).toReversed());
  const before = from.slice(start, from.length - end);
  const after = to.slice(start, to.length - end);
  return Array.from({ length: Math.max(before.length, after.length) }, (_, index) =>
    changedValues(`${path}[${start + index}]`, before[index], after[index]),
  ).flat();
}

function sharedStart(a: readonly Json[], b: readonly Json[]): number {
  const differs = a.findIndex((item, index) => index >= b.length || canonical(item) !== canonical(b[index]));
  return differs === -1 ? Math.min(a.length, b.length) : differs;
}
