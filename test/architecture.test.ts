// The rules of the house, read from the imports and the text of every file.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const FOLDERS = ['schemas', 'reconciler', 'backends', 'proxy', 'action'].filter((folder) =>
  existsSync(join(ROOT, folder)),
);
const COMPOSITION_ROOT = /^reconciler\/serve(\.ts|\/)/;
const SIMULATOR = /^reconciler\/simulate\//;

interface Import {
  readonly from: string;
  /** Repository path for our own files, package name for others. */
  readonly to: string;
  readonly isType: boolean;
}

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|mjs)$/.test(path))
    .map((path) => `${folder}/${path}`),
);
const textOf = new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
const imports = files.flatMap((path) => importsOf(path, textOf.get(path) ?? ''));

/** Everything that a file of the first kind imports must match one of the second. */
const RULES: readonly (readonly [rule: string, from: RegExp, allowed: readonly RegExp[]])[] = [
  [
    'schemas are the ground: they import zod, yaml, croner and each other',
    /^schemas\//,
    [/^schemas\//, /^(zod|yaml|croner)$/, /^node:(crypto|net)$/],
  ],
  [
    'the plan is pure: it imports schemas and itself',
    /^reconciler\/plan\//,
    [/^schemas\//, /^reconciler\/plan\//, /^fast-json-patch$/],
  ],
  [
    'backends import schemas and themselves',
    /^backends\//,
    [/^schemas\//, /^backends\//, /^[^/]*$|^node:|^@|^csv-parse\/sync$/],
  ],
  [
    'the proxy imports schemas, itself, and how a process is told apart',
    /^proxy\//,
    [/^schemas\//, /^proxy\//, /^backends\/host\/process-identity\.ts$/, /^node:/, /^undici$/],
  ],
  [
    'the store imports schemas and itself',
    /^reconciler\/store\//,
    [/^schemas\//, /^reconciler\/store\//, /^node:|^pg$|^@electric-sql\/pglite/],
  ],
  [
    'the Action imports schemas, itself, how a plan is made without a server, and how it is told',
    /^action\//,
    [
      /^schemas\//,
      /^action\//,
      /^reconciler\/(view\/|cli\/screen\.ts$|source\/(content|parse)\.ts$|plan-between\.ts$|wanted\.ts$)/,
      /^backends\/catalog\//,
      /^node:|^zod$|^@octokit\/rest$|^esbuild$/,
    ],
  ],
  [
    'git knows no YAML',
    /^reconciler\/source\/(git|git-env|mirror|tree|blobs|mount|remote|location|watch|follow)/,
    [/^schemas\/(errors|json)\.ts$/, /^reconciler\/source\//, /^node:|^simple-git$/],
  ],
];

describe('the house', () => {
  for (const [rule, from, allowed] of RULES) {
    test(rule, () => {
      const wrong = imports.filter(
        (each) => from.test(each.from) && !allowed.some((pattern) => pattern.test(each.to)),
      );
      expect(wrong.map(({ from: file, to }) => `${file} imports ${to}`)).toEqual([]);
    });
  }

  test('only the composition root makes backends and proxies: everyone else knows them as types', () => {
    const wrong = imports.filter(
      ({ from, to, isType }) =>
        /^reconciler\//.test(from) &&
        !COMPOSITION_ROOT.test(from) &&
        !isType &&
        /^(backends|proxy)\//.test(to) &&
        !to.endsWith('process-identity.ts') &&
        // Price lists are data that commands read without any backend.
        !to.startsWith('backends/catalog/') &&
        // The simulator is a composition root of its own: the real parts in a made-up world, whose cloud is the fake.
        !(SIMULATOR.test(from) && to.startsWith('backends/fake')),
    );
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test('nothing outside the store imports what is behind its port', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        /^reconciler\/store\/(?!store\.ts)/.test(to) &&
        !/^reconciler\/(store\/|serve\.ts|serve\/)/.test(from) &&
        // Its world keeps what is stored in memory.
        !(SIMULATOR.test(from) && to === 'reconciler/store/memory.ts'),
    );
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test('the plan has no clock, no chance, no waiting and no process', () => {
    const impure =
      /\bDate\b|Math\.random|\bawait\b|\basync\b|(?<![.\w])process\.(env|argv|pid|on|exit|cwd|hr|next|std|mem)|console\.|setTimeout|\bfetch\(|performance\./;
    const wrong = files
      .filter((path) => path.startsWith('reconciler/plan/'))
      .flatMap((path) =>
        code(textOf.get(path) ?? '')
          .filter((line) => impure.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      );
    expect(wrong).toEqual([]);
  });

  test('imports form no cycle', () => {
    const next = Map.groupBy(
      imports.filter(({ isType }) => !isType),
      ({ from }) => from,
    );
    const done = new Set<string>();
    const walk = (path: string, trail: readonly string[]): string[] => {
      if (trail.includes(path)) return [[...trail.slice(trail.indexOf(path)), path].join(' → ')];
      if (done.has(path)) return [];
      const found = (next.get(path) ?? []).flatMap(({ to }) =>
        textOf.has(to) ? walk(to, [...trail, path]) : [],
      );
      done.add(path);
      return found;
    };
    expect(files.flatMap((path) => walk(path, []))).toEqual([]);
  });

  test('every file begins by saying what it is for', () => {
    const silent = files.filter((path) => !/^(#!.*\n)?\/\//.test(textOf.get(path) ?? ''));
    expect(silent).toEqual([]);
  });

  test('the type checker is never switched off', () => {
    const off = /\bas any\b|: any\b(?! [a-z])|@ts-(ignore|expect-error|nocheck)/;
    expect(files.filter((path) => code(textOf.get(path) ?? '').some((line) => off.test(line)))).toEqual([]);
  });

  test('the map in the README names every folder', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const folders = new Set(files.map((path) => `${dirname(path)}/`));
    expect([...folders].filter((folder) => !readme.includes(folder))).toEqual([]);
  });
});

/** Lines without those that are comments. */
function code(text: string): string[] {
  return text.split('\n').filter((line) => !/^\s*(\/\/|\/?\*)/.test(line));
}

function importsOf(from: string, text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s+)?([^;]*?)from\s+'([^']+)'|\bimport\('([^']+)'\)/gms,
  );
  return [...statements].map(([, type, names = '', path = '', dynamic]) => {
    const target = dynamic ?? path;
    const to = target.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), target)) : target;
    const named =
      /^\{(.*)\}\s*$/s
        .exec(names)?.[1]
        ?.split(',')
        .map((name) => name.trim())
        .filter(Boolean) ?? [];
    const isType =
      type !== undefined || (named.length > 0 && named.every((name) => name.startsWith('type ')));
    return { from, to, isType };
  });
}
