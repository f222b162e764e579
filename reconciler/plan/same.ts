// Whether two states say the same, cheaply: a pass makes a new state out of parts of the old one, and what is one and
// the same object need not be looked into.

/** True for values of equal `canonical` text; a member that is `undefined` counts as left out. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => isSameValue(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return (a ?? null) === (b ?? null);
  const names = membersOf(a);
  return names.length === membersOf(b).length && names.every((name) => isSameMember(name, a, b));
}

// Private

type Members = { readonly [name: string]: unknown };

function isObject(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function membersOf(value: Members): string[] {
  return Object.keys(value).filter((name) => value[name] !== undefined);
}

function isSameMember(name: string, a: Members, b: Members): boolean {
  return b[name] !== undefined && Object.hasOwn(b, name) && isSameValue(a[name], b[name]);
}
