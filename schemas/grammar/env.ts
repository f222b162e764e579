// Environment variables, as a list of `NAME=value` and `NAME`, or as a mapping.
import { describe, describeKind, isWrong, reading, type Say } from '../fields.ts';
import { shown } from '../problems.ts';
import { readText } from '../values.ts';
import { isMapping, type Yaml } from '../yaml-value.ts';

/** A name without value: the server's `secrets` must have it. */
export interface NoValue {
  readonly key: string;
}

export type Env = { readonly [name: string]: string | NoValue };

const SPELLING = {
  title: 'variables',
  anyOf: [
    {
      type: 'object',
      propertyNames: { pattern: '^[^=]+$' },
      additionalProperties: {
        anyOf: [
          { type: ['string', 'number'] },
          {
            type: 'object',
            properties: { key: { type: ['string', 'number'] } },
            required: ['key'],
            additionalProperties: false,
          },
        ],
      },
    },
    {
      type: 'array',
      items: { type: 'string', pattern: '^[a-zA-Z_][a-zA-Z0-9_]*(?:=[^\\n]*)?$' },
    },
  ],
};

export const env = reading<Env>((value, say) => {
  if (Array.isArray(value)) return fromList(value, say);
  if (isMapping(value)) return fromMapping(value, say);
  say(
    [],
    `variables are expected, not ${describeKind(value)}`,
    'Write `NAME: value` lines, or a list of `NAME=value`.',
  );
  return undefined;
}, SPELLING);

// Private

function fromList(items: readonly Yaml[], say: Say): Env {
  const found = new Map<string, string | NoValue>();
  for (const [index, item] of items.entries()) {
    const parts = typeof item === 'string' ? /^([a-zA-Z_][a-zA-Z0-9_]*)(?:=([^\n]*))?$/.exec(item) : null;
    const [, name, value] = parts ?? [];
    if (name === undefined || name === '__proto__') {
      // The value may be a secret: only what comes before `=` or `:` is shown.
      const seen = typeof item === 'string' ? shown(item.split(/[=:]/)[0] ?? '') : describe(item);
      say([index], `${seen} is not a variable`, 'Write `NAME=value` or `NAME`, on one line.');
    } else if (found.has(name)) say([index], `${shown(name)} is given twice`, 'Remove one of the two.');
    else if (value?.includes('\0')) say([index], 'there is a NUL character in it', 'Remove it.');
    else found.set(name, value ?? { key: name });
  }
  return Object.fromEntries(found);
}

function fromMapping(members: { readonly [name: string]: Yaml }, say: Say): Env {
  const found: [string, string | NoValue][] = [];
  for (const [name, value] of Object.entries(members)) {
    if (name === '' || name.includes('=')) {
      say([name], `${shown(name)} cannot be the name of a variable`, 'Use letters, digits and `_`.');
    } else {
      const key = keyOf(value);
      const text = value === null ? undefined : readText(value);
      if (key !== undefined) found.push([name, { key }]);
      else if (text === undefined) say([name], `${shown(name)} has no value`, noValueFix(name));
      else if (isWrong(text)) say([name], text.message, text.fix);
      else found.push([name, text]);
    }
  }
  return Object.fromEntries(found);
}

/** Of `{key: NAME}`, which says in a mapping what `- NAME` says in a list. */
function keyOf(value: Yaml): string | undefined {
  if (!isMapping(value) || Object.keys(value).length !== 1) return undefined;
  const key = readText(value.key ?? null);
  return isWrong(key) ? undefined : key;
}

function noValueFix(name: string): string {
  return `Write \`${name}: ""\` for an empty one; use the list form \`- ${name}\` to take it from the server's secrets.`;
}
