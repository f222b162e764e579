// From what zod found to what the user reads: the place in the file, the path, a sentence and a fix.
import type { z } from 'zod';
import type { Severity } from './errors.ts';
import { describe, describeKind, type Field, MISSING, PLAINLY } from './fields.ts';
import { closest, type Finding, MANY, type Path, pathText, shown } from './problems.ts';
import { type Places, placeOf, type YamlDocument } from './yaml.ts';
import { isMapping, type Yaml } from './yaml-value.ts';

/** Something to say about a value, before it is known where that value is. */
export interface Remark {
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
}

/** Reads a document by a schema: the value, or all that is wrong with it. */
export function readDocument<T>(
  document: Pick<YamlDocument, 'value' | 'place'>,
  schema: Field<T>,
): { readonly data: T | undefined; readonly findings: readonly Finding[] } {
  const result = schema.safeParse(document.value, PLAINLY);
  if (result.success) return { data: result.data, findings: [] };
  const issues = result.error.issues.slice(0, MANY);
  const remarks = issues.flatMap((issue) => remarksOf(issue, document.value)).slice(0, MANY);
  const findings = remarks.map((remark) =>
    locate({ ...remark, path: asWritten(remark.path, document.value) }, document.place, 'error'),
  );
  return { data: undefined, findings };
}

/** The path of a variable in the form that the document has it in: by its name in a mapping, by its place in a list. */
export function asWritten(path: Path, root: Yaml | undefined): Path {
  const env = isMapping(root) ? root.env : undefined;
  const [field, name, ...rest] = path;
  if (field !== 'env' || typeof name !== 'string' || !Array.isArray(env)) return path;
  return ['env', env.findIndex((item) => typeof item === 'string' && item.split('=')[0] === name), ...rest];
}

/** Finds the place of a remark: the value itself, the key where it is one, else the nearest thing that holds it. */
export function locate(
  remark: Remark & { readonly atKey?: boolean },
  places: Places,
  severity: Severity,
): Finding {
  const { place, known } = placeOf(places, remark.path);
  const missing = known.length === remark.path.length - 1 && remark.message.endsWith(MISSING);
  const at = remark.atKey === true || missing ? (place.key ?? place) : place;
  return {
    line: at.line,
    column: at.column,
    path: pathText(missing ? remark.path : known),
    message: remark.message,
    fix: remark.fix,
    severity,
  };
}

// Private

type Issue = z.core.$ZodIssue;

function remarksOf(issue: Issue, root: Yaml | undefined): (Remark & { readonly atKey?: boolean })[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .slice(0, MANY)
        .map((key) => unknownKey([...path, key], key, issue.message.split(' ')));
    case 'invalid_type':
      return [wrongType(path, issue.expected, valueAt(root, path))];
    case 'custom':
      return [custom(path, issue)];
    default:
      return [{ path, message: 'this is not valid', fix: 'Compare it with the documentation.' }];
  }
}

function unknownKey(path: Path, key: string, known: readonly string[]): Remark & { readonly atKey: true } {
  return { path, message: `${shown(key)} is not a known key`, fix: unknownKeyFix(key, known), atKey: true };
}

const OF_RESOURCES: readonly string[] = ['cpu', 'memory', 'shm_size', 'gpu', 'disk'];
const FEW = 12;

function unknownKeyFix(key: string, known: readonly string[]): string {
  if (OF_RESOURCES.includes(key) && known.includes('resources')) return 'Move it below `resources`.';
  const near = closest(key, known);
  if (near !== null) return `Did you mean \`${near}\`?`;
  return known.length > FEW ? 'Remove it.' : `Remove it; known here: ${known.join(', ')}.`;
}

/** Problems are shown to everybody who sees a pull request. */
const HOLDS_SECRETS: ReadonlySet<string | number> = new Set(['registry_auth', 'headers']);

function wrongType(path: Path, expected: string, found: Yaml | undefined): Remark {
  if (found === undefined) return missing(path);
  const list = expected === 'array';
  const wanted = list ? 'a list' : 'a mapping';
  const fix = list
    ? 'Write each item on a line of its own, after `- `.'
    : 'Write `key: value` lines, indented below it.';
  const what = path.some((step) => HOLDS_SECRETS.has(step)) ? describeKind(found) : describe(found);
  return { path, message: `${wanted} is expected, not ${what}`, fix };
}

function custom(path: Path, issue: Issue & { readonly code: 'custom' }): Remark {
  if (issue.message === MISSING) return missing(path);
  const fix: unknown = issue.params?.fix;
  return { path, message: issue.message, fix: typeof fix === 'string' ? fix : '' };
}

function missing(path: Path): Remark {
  const key = String(path.at(-1) ?? 'it');
  return { path, message: `\`${key}\` ${MISSING}`, fix: `Add \`${key}\`.` };
}

function valueAt(root: Yaml | undefined, path: Path): Yaml | undefined {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value)) value = value[Number(step)];
    else if (isMapping(value)) value = value[step];
    else return undefined;
  }
  return value;
}
