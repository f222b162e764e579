// JSON as a type, and its one canonical spelling: what hashes are taken over.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** JSON text with object keys sorted and members that are `undefined` left out, so that equal values have equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** JSON text for reading: what fits is on one line, behind the `taken` columns; the rest is spread over several. */
export function readable(value: Json, width: number, indent = '', taken = 0): string {
  const short = oneLine(value);
  const isScalar = value === null || typeof value !== 'object';
  if (isScalar || short.length + indent.length + taken <= width) return short;
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const items = entries.map(([key, member], index) => {
    const label = isList ? '' : `${JSON.stringify(key)}: `;
    const comma = index < entries.length - 1 ? 1 : 0;
    return `${deeper}${label}${readable(member, width, deeper, label.length + comma)}`;
  });
  return isList ? `[\n${items.join(',\n')}\n${indent}]` : `{\n${items.join(',\n')}\n${indent}}`;
}

// Private

function oneLine(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${oneLine(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
