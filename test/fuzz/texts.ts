// Texts that nobody would write, and texts that somebody nearly wrote.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { editorSchema } from '../../schemas/editor.ts';

const GOLDEN = new URL('../golden/services/', import.meta.url);
/** Beside the project, not part of it: used where it is there. */
const CORPUS = new URL('../../../shared/configs/', import.meta.url);

export const realFiles: readonly string[] = [GOLDEN, CORPUS]
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.dstack.yml'))
      .map((name) => readFileSync(new URL(name, folder), 'utf8')),
  );

const definitions = editorSchema().$defs as { readonly [id: string]: { readonly properties?: object } };
const KEYS = [
  ...new Set(Object.values(definitions).flatMap(({ properties = {} }) => Object.keys(properties))),
];

/** What is likely to be read in a way of its own. */
const ODD = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'null',
  '~',
  'true',
  'on',
  'off',
  '0',
  '-1',
  '010',
  '1e3',
  '1e999',
  '.inf',
  '.nan',
  '22:22',
  '2001-01-01',
  '9'.repeat(400),
  '..',
  '1..',
  '..2',
  '2..1',
  'A100:80GB:2',
  'a:b:c',
  '/a:/b',
  '${{ env.A }}',
  '${{ secrets.A',
  '${{ groups[0].replicas[99999999999].IP_ADDRESS }}',
  '$$',
  '1h30m',
  '* * * * *',
  '',
  ' ',
  '"',
  "'",
  '\\',
  '\t',
  '|',
  '>-',
  '&a',
  '*a',
  '<<: *a',
  '!!binary x',
  '!!python/object:os.system x',
  '{',
  '}',
  '[',
  ']',
  '- ',
  '? ',
  ': ',
  '#',
  '%YAML 1.2',
  '---',
  '...',
  '\uFEFF',
  '\u2028',
  '\u0000',
  '\uD800',
  '🦙',
  'é'.normalize('NFD'),
];

const word = fc.oneof(fc.constantFrom(...ODD), fc.constantFrom(...KEYS), fc.string({ maxLength: 12 }));

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => new TextDecoder().decode(array));

/** Lines of keys and values, more or less indented. */
const yamlish = fc
  .array(
    fc.tuple(fc.nat(4), fc.constantFrom('', '- ', '? '), word, fc.constantFrom(': ', ':', '', ' '), word),
    {
      maxLength: 12,
    },
  )
  .map((lines) =>
    lines.map(([indent, dash, a, colon, b]) => `${' '.repeat(indent)}${dash}${a}${colon}${b}`).join('\n'),
  );

const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    word,
    fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 3 }),
  ),
})).value;

/** Right fields with wrong values. */
const structured = fc
  .tuple(
    fc.constantFrom('service', 'task', 'dev-environment', 'fleet', 'volume', 'gateway', 'preset'),
    fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 8 }),
  )
  .map(([type, fields]) => stringify({ type, port: 80, image: 'x', ...Object.fromEntries(fields) }));

type Edit = (text: string) => string;

const edit: fc.Arbitrary<Edit> = fc
  .tuple(fc.constantFrom('cut', 'put', 'double', 'swap', 'value'), fc.nat(), fc.nat(30), word)
  .map(([kind, seed, length, inserted]) => (text: string) => {
    const at = text.length === 0 ? 0 : seed % text.length;
    const end = Math.min(text.length, at + length);
    if (kind === 'cut') return text.slice(0, at) + text.slice(end);
    if (kind === 'put') return text.slice(0, at) + inserted + text.slice(at);
    if (kind === 'double') return text.slice(0, end) + text.slice(at);
    if (kind === 'swap') return text.slice(end) + text.slice(0, end);
    const lines = text.split('\n');
    const line = seed % lines.length;
    return lines.with(line, (lines[line] ?? '').replace(/: .*$/, `: ${inserted}`)).join('\n');
  });

const mutated = fc
  .tuple(fc.constantFrom(...realFiles), fc.array(edit, { minLength: 1, maxLength: 3 }))
  .map(([text, edits]) => edits.reduce((result, change) => change(result), text));

export const texts = fc.oneof(
  { weight: 1, arbitrary: bytes },
  { weight: 2, arbitrary: yamlish },
  { weight: 2, arbitrary: structured },
  { weight: 5, arbitrary: mutated },
);
