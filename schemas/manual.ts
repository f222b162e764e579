// The manuals of the configuration language (docs/configuration.md) and of the policy (docs/policy.md), made from the
// same schemas that read the files.
import { TYPES } from './configuration.ts';
import { DIFFERENCES } from './differences.ts';
import { definitionsOf, editorSchema, policyEditorSchema } from './editor.ts';
import { fieldEffect } from './identity.ts';
import type { Json, JsonObject } from './json.ts';
import { AFTERWORD, FOREWORD } from './manual-text.ts';
import { POLICY_AFTERWORD, POLICY_FOREWORD } from './policy-text.ts';
import { PROFILE_FIELDS } from './profiles.ts';

export function manual(): string {
  const definitions = editorSchema().$defs as Definitions;
  const ofType = (type: string) => (type === 'volume' ? Object.keys(definitions).filter(isVolume) : [type]);
  const types = TYPES.flatMap(ofType);
  const sections = sectionsOf(definitions, [...types, 'profiles']);
  return document([FOREWORD, ...sections, AFTERWORD, differences()]);
}

export function policyManual(): string {
  const definitions = policyEditorSchema().$defs as Definitions;
  return document([POLICY_FOREWORD, ...sectionsOf(definitions, ['policy']), POLICY_AFTERWORD]);
}

/** The tables of every part of a schema, from the one of this name on. */
export function fieldTables(schema: Parameters<typeof definitionsOf>[0], first: string): string {
  return sectionsOf(definitionsOf(schema) as Definitions, [first]).join('\n\n');
}

// Private

interface Field extends JsonObject {
  readonly description: string;
}

interface Definition extends JsonObject {
  readonly description: string;
  readonly properties: { readonly [key: string]: Field };
}

type Definitions = { readonly [id: string]: Definition };

function document(parts: readonly string[]): string {
  return `${parts.map((text) => text.trim()).join('\n\n')}\n`;
}

function sectionsOf(definitions: Definitions, first: readonly string[]): string[] {
  const parts = order(definitions, first).filter((id) => definitions[id]?.properties !== undefined);
  return parts.map((id) => section(id, definitions));
}

/** Each part after the first that speaks of it, beginning with those named. */
function order(definitions: Definitions, first: readonly string[]): string[] {
  const found = new Set<string>();
  const visit = (id: string): void => {
    if (found.has(id)) return;
    found.add(id);
    for (const [, next = ''] of JSON.stringify(definitions[id]).matchAll(/"#\/\$defs\/([^"]+)"/g))
      visit(next);
  };
  for (const id of first) visit(id);
  return [...found];
}

const isVolume = (id: string): boolean => /^volume_(?!mount)/.test(id);

/** What a change of a field does is known of services and their groups. */
const WITH_EFFECT: readonly string[] = ['service', 'group'];
const WITHOUT_MEANING: readonly string[] = [
  'type',
  'home_dir',
  'setup',
  'startup_order',
  'stop_criteria',
  'count',
];

function section(id: string, definitions: Definitions): string {
  const definition = definitions[id];
  if (definition === undefined) throw new Error(`the manual has no part ${id}`);
  const withEffect = WITH_EFFECT.includes(id);
  const level = isTop(id) ? '##' : '###';
  const columns = ['field', 'type', 'default', ...(withEffect ? ['a change'] : []), 'meaning'];
  const required = (definition.required ?? []) as readonly string[];
  const fields = Object.entries(definition.properties);
  const rank = ([key]: readonly [string, unknown]): number => rankOf(key, required.includes(key));
  const rows = fields
    .toSorted((a, b) => rank(a) - rank(b))
    .map(([key, field]) => [
      `\`${key}\``,
      typeText(field, definitions),
      required.includes(key) ? '**required**' : shownValue(field.default),
      ...(withEffect ? [WITHOUT_MEANING.includes(key) ? '' : effectOf(id, key)] : []),
      `${field.description}${exampleOf(key, field)}`,
    ]);
  return `${level} ${id}\n\n${definition.description}\n\n${table(columns, rows)}`;
}

/** First what a thing is and must have, then what it may have, then what profiles may give, at last what says nothing. */
function rankOf(key: string, isRequired: boolean): number {
  if (key === 'type') return 0;
  if (key === 'name') return 1;
  if (isRequired) return 2;
  if (WITHOUT_MEANING.includes(key)) return 5;
  return PROFILE_FIELDS.includes(key) ? 4 : 3;
}

function isTop(id: string): boolean {
  return (TYPES as readonly string[]).includes(id) || isVolume(id) || ['profiles', 'policy'].includes(id);
}

/** The name becomes a rename; a group's own resources place it. */
function effectOf(id: string, key: string): string {
  return key === 'name' ? (id === 'service' ? 'rename' : 'replace') : fieldEffect(key);
}

function exampleOf(key: string, { examples }: JsonObject): string {
  const [example] = (examples ?? []) as readonly Json[];
  return example === undefined ? '' : `<br>\`${key}: ${flow(example)}\``;
}

function shownValue(value: Json | undefined): string {
  return value === undefined ? '' : `\`${flow(value)}\``;
}

/** A value as it is written in YAML, on one line. */
function flow(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, member]) => `${key}: ${flow(member)}`)
      .join(', ')}}`;
  }
  if (typeof value !== 'string') return String(value);
  return /^[\w/~.@<][\w ./:@*<>=-]*$/.test(value) && !/: |^[\d.]+$/.test(value)
    ? value
    : JSON.stringify(value);
}

// Private: types in words

function typeText(schema: JsonObject, definitions: Definitions): string {
  const kinds = kindsOf(schema, definitions).filter((kind) => kind !== 'empty');
  return [...new Set(kinds)].join(' or ');
}

function kindsOf(schema: JsonObject, definitions: Definitions): string[] {
  const {
    $ref,
    title,
    anyOf,
    type,
    enum: values,
    const: only,
    items,
    additionalProperties: members,
  } = schema;
  if (typeof $ref === 'string') return [reference($ref.slice('#/$defs/'.length), definitions)];
  if (typeof title === 'string') return [title];
  if (Array.isArray(anyOf)) return anyOf.flatMap((option) => kindsOf(option as JsonObject, definitions));
  if (Array.isArray(values)) return [values.map((value) => `\`${String(value)}\``).join(', ')];
  if (only !== undefined) return [`\`${String(only)}\``];
  if (type === 'null') return ['empty'];
  if (type === 'array') return [`list of ${typeText((items ?? {}) as JsonObject, definitions)}`];
  if (members) return [`names, each with ${typeText(members as JsonObject, definitions)}`];
  if (type === 'object') return [`\`{${Object.keys((schema.properties ?? {}) as JsonObject).join(', ')}}\``];
  return ['anything'];
}

function reference(id: string, definitions: Definitions): string {
  if (definitions[id]?.properties !== undefined) return `[${id}](#${id})`;
  return String(definitions[id]?.title ?? id);
}

// Private: Markdown

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function differences(): string {
  const rows = DIFFERENCES.map(({ here, there, why, lines }) => [
    `${here}${
      lines === undefined
        ? ''
        : `<br>${lines
            .split('\n')
            .map((each) => `\`${each}\``)
            .join(' ')}`
    }`,
    there,
    why,
  ]);
  return `## Differences from dstack\n\nEvery other file that dstack accepts is accepted with the same meaning, and what it rejects is rejected.\n\n${table(['here', 'in dstack', 'why'], rows)}`;
}
