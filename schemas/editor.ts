// The JSON Schema (draft 2020-12) that editors check and complete configuration files with, made from the schemas that
// read them. What is said by rules over several fields, or by a text's inner grammar, is only in the latter.
import type { z } from 'zod';
import { SCHEMAS, TYPES } from './configuration.ts';
import type { Json, JsonObject } from './json.ts';
import { policyFile } from './policy-file.ts';
import { type Note, noteOf, type Spelling, spellingOf } from './spelling.ts';

/** Definitions are under `$defs`, by the ids of their notes. */
export function editorSchema(): JsonObject {
  const definitions = new Map<string, JsonObject>();
  const whole = (schema: z.ZodType): JsonObject => schemaOf(schema, definitions);
  const byType = TYPES.map((type) => ({
    if: { properties: { type: { const: type } }, required: ['type'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: whole(SCHEMAS[type]),
  }));
  const profiles = whole(SCHEMAS.profiles);
  return {
    $schema: DRAFT,
    title: 'Configuration of a service or of what belongs to it (*.dstack.yml), or `.dstack/profiles.yml`',
    type: 'object',
    properties: { type: { description: 'What the file describes.', enum: TYPES } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    allOf: [...byType, { if: { not: { required: ['type'] } }, then: profiles }],
    $defs: inOrder(definitions),
  };
}

/** The same for `trueup.yml`. */
export function policyEditorSchema(): JsonObject {
  const definitions = new Map<string, JsonObject>();
  const whole = schemaOf(policyFile, definitions);
  return { $schema: DRAFT, title: 'Policy (trueup.yml)', ...whole, $defs: inOrder(definitions) };
}

/** What a schema is made of, by the names of its parts: for manuals. */
export function definitionsOf(schema: z.core.$ZodType): { readonly [id: string]: JsonObject } {
  const definitions = new Map<string, JsonObject>();
  schemaOf(schema, definitions);
  return Object.fromEntries(definitions);
}

// Private

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

type Definitions = Map<string, JsonObject>;

function inOrder(definitions: Definitions): JsonObject {
  return Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function schemaOf(schema: z.core.$ZodType, definitions: Definitions): JsonObject {
  const note = noteOf(schema);
  if (note?.id === undefined) return { ...structureOf(schema, definitions), ...wordsOf(note) };
  if (!definitions.has(note.id)) {
    definitions.set(note.id, {}); // holds its place, should it contain itself
    definitions.set(note.id, { ...wordsOf(note), ...structureOf(schema, definitions) });
  }
  return { $ref: `#/$defs/${note.id}` };
}

function wordsOf({ description, example, unset }: Note = {}): JsonObject {
  return {
    ...(description === undefined ? {} : { description }),
    ...(unset === undefined ? {} : { default: unset }),
    ...(example === undefined ? {} : { examples: [example] }),
  };
}

function structureOf(schema: z.core.$ZodType, definitions: Definitions): JsonObject {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const inner = (part: z.core.$ZodType): JsonObject => schemaOf(part, definitions);
  switch (def.type) {
    case 'object':
      return mappingOf(def, definitions);
    case 'array':
      return { type: 'array', items: inner(def.element) };
    case 'record':
      return { type: 'object', additionalProperties: inner(def.valueType) };
    case 'nullable':
      return anyOf([inner(def.innerType), { type: 'null' }]);
    case 'optional':
    case 'default':
      return inner(def.innerType);
    case 'pipe':
      return inner(def.in);
    case 'unknown':
      return spelledOut(spellingOf(schema) ?? {}, definitions);
    default:
      throw new Error(`there is no JSON Schema for a field of the kind ${def.type}`);
  }
}

function mappingOf({ shape, catchall }: z.core.$ZodObjectDef, definitions: Definitions): JsonObject {
  const members = Object.entries(shape);
  const required = members.filter(([, member]) => !isOptional(member)).map(([key]) => key);
  return {
    type: 'object',
    properties: Object.fromEntries(members.map(([key, member]) => [key, schemaOf(member, definitions)])),
    ...(required.length === 0 ? {} : { required }),
    ...(catchall?._zod.def.type === 'never' ? { additionalProperties: false } : {}),
  };
}

function isOptional(schema: z.core.$ZodType): boolean {
  return ['optional', 'default'].includes(schema._zod.def.type);
}

function spelledOut(spelling: Spelling, definitions: Definitions): JsonObject {
  if (isZod(spelling)) return schemaOf(spelling, definitions);
  if (!isList(spelling)) return shared(spelling, definitions);
  return anyOf(spelling.map((each) => spelledOut(each, definitions)));
}

/** A spelling with a title is written once, where no other has that title. */
function shared(spelling: JsonObject, definitions: Definitions): JsonObject {
  const { title } = spelling;
  if (typeof title !== 'string' || !/^[a-z ]+$/.test(title)) return spelling;
  const id = title.replaceAll(' ', '_');
  const known = definitions.get(id) ?? spelling;
  definitions.set(id, known);
  return JSON.stringify(known) === JSON.stringify(spelling) ? { $ref: `#/$defs/${id}` } : spelling;
}

function isList(spelling: Spelling): spelling is readonly Spelling[] {
  return Array.isArray(spelling);
}

function isZod(spelling: Spelling): spelling is z.ZodType {
  return '_zod' in spelling;
}

/** Any of these, flat, each once. */
function anyOf(options: readonly JsonObject[]): JsonObject {
  const flat = options.flatMap((option) => (isAnyOf(option) ? option.anyOf : [option]));
  const unique = [...new Map(flat.map((option) => [JSON.stringify(option), option])).values()];
  return unique.length === 1 ? (unique[0] ?? {}) : { anyOf: unique as Json[] };
}

function isAnyOf(schema: JsonObject): schema is { readonly anyOf: readonly JsonObject[] } {
  return Object.keys(schema).join() === 'anyOf';
}
