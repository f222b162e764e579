// What may be written where a schema reads by hand, and what each field is for: the one source of the editor's schema
// and of the manual. zod itself knows only that something is read there.
import { z } from 'zod';
import type { Json, JsonObject } from './json.ts';

/** JSON Schema; another schema; or any one of several of these. */
export type Spelling = JsonObject | z.ZodType | readonly Spelling[];

export interface Note {
  /** Where it is kept in the editor's schema, and its heading in the manual. */
  readonly id?: string;
  readonly description?: string;
  readonly example?: Json;
  /** What holds where nothing is written, as it would be written. */
  readonly unset?: Json;
}

/** Takes anything; `spelling` is for editors and readers. */
export function written(spelling: Spelling): z.ZodUnknown {
  const schema = z.unknown();
  spellings.set(schema, spelling);
  return schema;
}

export function spellingOf(schema: z.core.$ZodType): Spelling | undefined {
  return spellings.get(schema);
}

/** A field with its meaning: one or two sentences, an example, and what holds where it is not written. */
export function about<F extends z.ZodType>(field: F, description: string, example?: Json, unset?: Json): F {
  return noted(field, {
    description,
    ...(example === undefined ? {} : { example }),
    ...(unset === undefined ? {} : { unset }),
  });
}

/** A schema that is told of once, wherever it is used. */
export function named<F extends z.ZodType>(id: string, description: string, schema: F): F {
  return noted(schema, { id, description });
}

export function noteOf(schema: z.core.$ZodType): Note | undefined {
  // Rules are added to a copy, which has the same meaning.
  const { parent } = schema._zod;
  return notes.get(schema) ?? (parent ? noteOf(parent) : undefined);
}

// Private

const spellings = new WeakMap<z.core.$ZodType, Spelling>();
const notes = new WeakMap<z.core.$ZodType, Note>();

/** A copy, because one schema may stand behind several fields. */
function noted<F extends z.ZodType>(schema: F, note: Note): F {
  const copy = schema.clone() as F;
  notes.set(copy, note);
  return copy;
}
