// The words schemas are written in: zod types whose every mistake carries a message and a fix in the user's words.
// A field that is wrong yields undefined, so that rules over the whole still run and all is said at once.
import { z } from 'zod';
import { numberText } from './grammar/scalars.ts';
import { alternatives, closest, shown } from './problems.ts';
import { type Spelling, written } from './spelling.ts';
import { isMapping, type Yaml } from './yaml-value.ts';

/** What a reader gives instead of a value. Marked by a symbol, which no document can hold. */
export interface Wrong {
  readonly [WRONG]: true;
  readonly message: string;
  readonly fix: string;
  /** Below the value that was read. */
  readonly path: readonly string[];
}

const WRONG = Symbol('wrong');

/** How schemas run: where fields are read by hand, the code zod would generate costs more to make than it saves. */
export const PLAINLY = { jitless: true } as const;

export type Field<T> = z.ZodType<T, unknown>;
export type Read<T> = (value: Yaml) => T | Wrong;
/** Reports a mistake at `path` below the value that a rule looks at. */
export type Say = (path: readonly (string | number)[], message: string, fix: string) => void;

export function wrong(message: string, fix: string, path: readonly string[] = []): Wrong {
  return { [WRONG]: true, message, fix, path };
}

export function isWrong(value: unknown): value is Wrong {
  return value !== null && typeof value === 'object' && WRONG in value;
}

/** A value read by hand; `spelling` is what may be written, for editors. */
export function field<T>(read: Read<T>, spelling: Spelling): Field<T> {
  return reading((value, say) => {
    const result = read(value);
    if (!isWrong(result)) return result;
    say([], result.message, result.fix);
    return undefined;
  }, spelling);
}

/** A value read by hand of which several things may be wrong at once; undefined when it is of no use. */
export function reading<T>(read: (value: Yaml, say: Say) => T | undefined, spelling: Spelling): Field<T> {
  return written(spelling).transform((value, context) => {
    const say: Say = (path, message, fix) => {
      context.addIssue({ ...issueOf(wrong(message, fix)), path: [...path] });
    };
    if (!isAbsent(value)) return read(value as Yaml, say) as T;
    const { message, fix } = absent(value);
    say([], message, fix);
    return undefined as T;
  });
}

/** A value that has a short spelling: `expand` writes it out, then `schema` reads it. */
export function shorthand<T>(
  expand: (value: Yaml) => Yaml | Wrong,
  schema: Field<T>,
  short: Spelling,
): Field<T> {
  return field(expand, [short, schema]).pipe(schema as z.ZodType<T, Yaml>);
}

/** A value whose schema, one of `options`, depends on what it looks like. */
export function choose<T>(pick: (value: Yaml) => Field<T> | Wrong, options: Spelling): Field<T> {
  return written(options).transform((value, context) => {
    const schema = isAbsent(value) ? absent(value) : pick(value as Yaml);
    if (isWrong(schema)) {
      context.addIssue(issueOf(schema));
      return undefined as T;
    }
    // Not `safeParse`: what could be read of a value with mistakes is kept, for the rules over the whole.
    const result = schema._zod.run(
      { value, issues: [] },
      { ...PLAINLY, async: false },
    ) as z.core.ParsePayload<T>;
    context.issues.push(...result.issues);
    return result.value;
  });
}

/** A mapping with exactly these keys. */
export function object<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape).join(' ');
  // The message of an unknown key is the list of known ones: `findings.ts` makes the sentence.
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  });
}

/** A mapping with a schema per value of one of its keys. */
export function byTag<T>(tag: string, schemas: { readonly [value: string]: Field<T> }): Field<T> {
  const names = Object.keys(schemas);
  return choose((value) => {
    if (!isMapping(value))
      return wrong(`a mapping is expected, not ${describe(value)}`, `Give it \`${tag}\`.`);
    const chosen = value[tag];
    const schema = typeof chosen === 'string' && Object.hasOwn(schemas, chosen) ? schemas[chosen] : undefined;
    if (schema !== undefined) return schema;
    const message =
      chosen === undefined ? `\`${tag}\` is missing` : `\`${tag}\` cannot be ${describe(chosen)}`;
    const near = typeof chosen === 'string' ? closest(chosen, names) : null;
    const fix = near === null ? `Set \`${tag}\` to ${alternatives(names)}.` : `Did you mean \`${near}\`?`;
    return wrong(message, fix, [tag]);
  }, Object.values(schemas));
}

/** Adds rules over a whole mapping; they run even where parts of it are wrong (those are undefined). */
export function withRules<T>(schema: Field<T>, rules: (value: Partial<T>, say: Say) => void): Field<T> {
  const check = z.check<T>((payload) => {
    // zod leaves what has the wrong type as it found it; the value is of no use to anybody else then.
    for (const issue of payload.issues)
      if (issue.code === 'invalid_type') erase(payload.value, issue.path ?? []);
    rules(payload.value as Partial<T>, (path, message, fix) => {
      payload.issues.push({ ...issueOf(wrong(message, fix)), path: [...path], input: payload.value });
    });
  });
  check._zod.def.when = ({ value }) => isMapping(value);
  return (schema as z.ZodType<T, unknown>).check(check);
}

/** A value as it may stand in a sentence. */
export function describe(value: Yaml | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'empty';
  if (typeof value === 'string') return value === '' ? 'an empty text' : shown(value);
  if (typeof value === 'symbol') return `the date \`${value.description}\``;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return `\`${typeof value === 'boolean' ? value : numberText(value as bigint | number)}\``;
}

/** The same where the value may be a secret: of which kind it is, and nothing of it. */
export function describeKind(value: Yaml | undefined): string {
  if (typeof value === 'string' && value !== '') return 'text';
  return typeof value === 'number' || typeof value === 'bigint' ? 'a number' : describe(value);
}

// Private

function erase(value: unknown, path: readonly PropertyKey[]): void {
  const [step, ...rest] = path;
  if (step === undefined || value === null || typeof value !== 'object') return;
  if (rest.length > 0) erase(Reflect.get(value, step), rest);
  else Reflect.set(value, step, undefined);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function absent(value: null | undefined): Wrong {
  return value === null
    ? wrong('this is empty', 'Give it a value, or remove the line.')
    : wrong(MISSING, 'Add it.');
}

/** `findings.ts` says which key is missing. */
export const MISSING = 'is missing';

function issueOf({ message, fix, path }: Wrong) {
  const inside: PropertyKey[] = [...path];
  return { code: 'custom' as const, message, params: { fix }, path: inside };
}
