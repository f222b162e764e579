// The editor's schema judges as the parser does, as far as JSON Schema can say it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseConfiguration, TYPES } from '../../schemas/configuration.ts';
import { editorSchema } from '../../schemas/editor.ts';
import type { Json, JsonObject } from '../../schemas/json.ts';
import { asJson } from './as-json.ts';

const schema = editorSchema();
const definitions = schema.$defs as { readonly [id: string]: JsonObject };
const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false });
ajv.addSchema(schema, 'editor');
const validate = ajv.compile({ $ref: 'editor' });

function complaints(text: string): string[] {
  if (validate(asJson(text))) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message }: ErrorObject) => `${instancePath} ${message}`,
  );
}

function mistakes(text: string): string[] {
  const { findings } = parseConfiguration(text);
  return findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
}

/** What JSON Schema cannot say, or could say only in a way that no editor could explain: by what the parser says. */
const BEYOND: readonly RegExp[] = [
  // of the text of the file: anchors, tags, keys given twice, several documents
  /is given twice$|not valid YAML|refers to nothing|tag .* does not fit/,
  // rules over several fields
  / needs `| exclude each other$| excludes `| do(?:es)? not belong beside |^two groups |^this probe is there twice$/,
  /has two limits$|^only one |has no body$|is set both for|^`schedule` starts |^`retry` cannot be|^a preset needs|needs an image$|does not support|^a router |^`docker: true` /,
  // what is inside of a text: how many replicas, the end of a range before its beginning, the parts of a GPU, references, names
  /^this asks for |^the range |^`max` is below|^`target` is below|gives the .* twice$|has an empty|references? |cannot be used|`env` has no variable/,
  /is not a name$|^`\${{|names a replica|fields instead of 5|is no (?:minute|hour|day|month)/,
  /is not an absolute path|leaves its folder|is not a user$|is not a shell$|has too many parts|is not a GPU|architecture$/,
];

describe('the schema', () => {
  test('knows every type', () => {
    expect((schema.properties as JsonObject).type).toMatchObject({ enum: TYPES });
  });

  test('explains every field, each with a type', () => {
    const silent = Object.entries(definitions).flatMap(([id, { properties }]) =>
      Object.entries((properties ?? {}) as { readonly [key: string]: JsonObject })
        .filter(([, { description }]) => description === undefined)
        .map(([key]) => `${id}.${key}`),
    );
    expect(silent).toEqual([]);
  });

  test.each(Object.keys(definitions))('has examples and defaults in %s that are right themselves', (id) => {
    const { properties = {} } = definitions[id] as { properties?: { readonly [key: string]: JsonObject } };
    for (const [key, property] of Object.entries(properties)) {
      const { examples = [], default: standard } = property as { examples?: Json[]; default?: Json };
      const check = ajv.compile({ $ref: `editor#/$defs/${id}/properties/${key}` });
      for (const value of [...examples, ...(standard === undefined ? [] : [standard])]) {
        expect([key, value, check(value)]).toEqual([key, value, true]);
      }
    }
  });
});

describe('the examples', () => {
  const fields = definitions.service?.properties as { readonly [key: string]: { examples?: Json[] } };

  test.each(Object.keys(fields))('of `%s` is read without a complaint', (field) => {
    const [example] = fields[field]?.examples ?? [];
    if (example === undefined) return;
    const basis: Record<string, Json> = { type: 'service', port: 8000, env: { TOKEN: 'x' } };
    if (!['image', 'groups'].includes(field)) basis.commands = ['serve'];
    if (field === 'replicas') basis.scaling = { metric: 'rps', target: 1 };
    if (field === 'scaling') basis.replicas = '1..2';
    const text = stringify({ ...basis, [field]: example });
    expect([text, mistakes(text)]).toEqual([text, []]);
  });
});

describe('spellings', () => {
  const BASE = 'type: service\nport: 80\nimage: nginx\n';

  test.each([
    'auth: on',
    'auth: "No"',
    'python:',
    'env: [A, B=1, "C="]',
    'env: {A: 1, B: {key: C}}',
    'max_duration: 1h30m',
    'max_duration: 90',
    'idle_duration: off',
    'idle_duration: -1',
    'resources: {gpu: "amd:MI300X:8", cpu: arm:4.., memory: 16..32GB, disk: {size: 1TB}}',
    'resources: {cpu: {min: 2}, memory: {min: 8, max: 16GB}, gpu: {name: A100, count: 2..4, compute_capability: 8.0}}',
    'replicas: [{count: 2, commands: [a]}]',
    'groups: [{replicas: 2, commands: [a]}]',
    'fleets: [a, b/c, {name: d}]',
    'gateway: team/edge',
    'model: {format: tgi, name: x}',
    'priority: "5"',
    'max_price: "1.5"',
    'schedule: {cron: ["0 8 * * mon-fri"]}',
    'volumes: ["a:/b", "/c:/d", {name: [x, y], path: /z}]',
    'retry: {duration: 1h}',
  ])('%s is accepted by both', (line) => {
    const text = line.startsWith('replicas') || line.startsWith('groups') ? BASE : `${BASE}`;
    expect([mistakes(text + line), complaints(text + line)]).toEqual([[], []]);
  });

  test.each([
    'auth: maybe',
    'port2: 1',
    'env: ["A B=1"]',
    'env: {A: true}',
    'max_duration: soon',
    'resources: {memory: 16 apples}',
    'backends: [ec2]',
    'probes: [{url: /x}]',
    'probes: [{type: http, url: x}]',
    'model: {name: x}',
    'commands: x',
    'priority: 101',
    'max_price: 0',
    'schedule: {cron: "0 8 * *"}',
    'volumes: [a]',
    'tags: {a: 1}',
    'rate_limits: [{prefix: x, rps: 1}]',
    'groups: [{commands: [a]}]',
  ])('%s is refused by both', (line) => {
    expect([mistakes(BASE + line).length > 0, complaints(BASE + line).length > 0]).toEqual([true, true]);
  });
});

const CORPUS = new URL('../../../shared/configs/', import.meta.url);
const GOLDEN = new URL('../golden/services/', import.meta.url);
const folders = [GOLDEN, ...(existsSync(CORPUS) ? [CORPUS] : [])]; // the second is beside the project, not part of it
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.dstack.yml'))
    .map((name) => new URL(name, folder)),
);

describe('whole files', () => {
  test.each(files.map((url) => [url.pathname.split('/').at(-1), url]))('%s is judged alike', (_name, url) => {
    const text = readFileSync(url as URL, 'utf8');
    const said = mistakes(text);
    const seen = complaints(text);
    if (said.length === 0) expect(seen).toEqual([]);
    else if (seen.length === 0)
      expect(said.filter((message) => !BEYOND.some((rule) => rule.test(message)))).toEqual([]);
  });
});
