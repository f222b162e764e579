import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import { fieldEffect, revisionOf, shapeOf } from '../../schemas/identity.ts';

const GOLDEN = new URL('../golden/', import.meta.url);

interface Identity {
  readonly revision: string;
  readonly shapes: { readonly [group: string]: string };
}

/** What was accepted when its entry was made: its services run on as they are, under the identity they have. */
const REFUSED: { readonly [file: string]: string } = {
  'scaled.dstack.yml': '`schedule` starts the least number of replicas, and that is 0',
};

function identify(text: string): Identity {
  const { spec, sparse, problems } = parseFile(
    { path: 'file.dstack.yml', text },
    { root: '', profiles: null },
  );
  if (spec === null || sparse === null) throw new Error(JSON.stringify(problems));
  const shapes = Object.fromEntries(spec.groups.map((group) => [group.name, shapeOf(group)]));
  return { revision: revisionOf(sparse), shapes };
}

function identifyFile(file: string): Identity {
  return identify(readFileSync(new URL(`services/${file}`, GOLDEN), 'utf8'));
}

describe('the golden file', () => {
  const golden: { readonly [file: string]: Identity } = JSON.parse(
    readFileSync(new URL('identity.json', GOLDEN), 'utf8'),
  );
  const files = readdirSync(new URL('services/', GOLDEN));

  test.each(Object.keys(golden).filter((file) => !Object.hasOwn(REFUSED, file)))(
    '%s has the revision and shapes it always had',
    (file) => {
      expect(files).toContain(file);
      expect(identifyFile(file)).toEqual(golden[file]);
    },
  );

  test.each(Object.entries(REFUSED))('%s keeps its entry, though it is refused now', (file, why) => {
    expect(Object.keys(golden)).toContain(file);
    expect(() => identifyFile(file)).toThrow(why);
  });

  test('every file has an entry; to add one, copy it from this failure', () => {
    const missing = files.filter((file) => !Object.hasOwn(golden, file));
    expect(Object.fromEntries(missing.map((file) => [file, identifyFile(file)]))).toEqual({});
  });

  test('two spellings of one service have one identity', () => {
    expect(golden['minimal-spelled-out.dstack.yml']).toEqual(golden['minimal.dstack.yml']);
    expect(golden['groups-older-spelling.dstack.yml']).toEqual(golden['groups.dstack.yml']);
  });

  test('services that ask for different things have different identities', () => {
    expect(new Set(Object.values(golden).map(({ revision }) => revision)).size).toBe(files.length - 2);
  });
});

describe('a shape', () => {
  const base = 'type: service\nname: web\nport: 80\nimage: nginx\n';
  const shape = (more: string): string | undefined => identify(base + more).shapes['0'];

  test.each([
    ['counts', 'replicas: 3'],
    ['scaling', 'replicas: 1..3\nscaling: {metric: rps, target: 1}'],
    ['probes', 'probes: [{type: http, url: /x}]'],
    ['placement', 'regions: [eu]\nmax_price: 3\nresources: {memory: 64GB}'],
    ['routing', 'auth: false\nmodel: m\nrate_limits: [{rps: 1}]\nstrip_prefix: false'],
    ['durations', 'stop_duration: 1m\nmax_duration: 1h'],
  ])('does not depend on %s', (_what, more) => {
    expect(shape(more)).toBe(shape(''));
  });

  test.each([
    'commands: [x]',
    'env: {A: b}',
    'user: root',
    'shell: bash',
    'files: [x]',
    'privileged: true',
    'resources: {shm_size: 1GB}',
    'dstack: true',
    'volumes: [a:/b]',
    'env: [A]',
    'entrypoint: x',
    'repos: [.]',
  ])('depends on %s', (more) => {
    expect(shape(more)).not.toBe(shape(''));
  });
});

test('a changed field is classified by what it does to replicas', () => {
  expect(['model', 'auth', 'probes'].map(fieldEffect)).toEqual(['route', 'route', 'route']);
  expect(['replicas', 'scaling', 'stop_duration'].map(fieldEffect)).toEqual(['scale', 'scale', 'scale']);
  expect(['regions', 'resources', 'max_price'].map(fieldEffect)).toEqual([
    'placement',
    'placement',
    'placement',
  ]);
  expect(['image', 'env', 'anything', 'constructor'].map(fieldEffect)).toEqual(Array(4).fill('replace'));
});
