// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
// Files made to keep us busy: each is refused in words, within a second of this process's own time.
import { describe, expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import { MAX_BYTES } from '../../schemas/yaml.ts';
import { MAX_WORDS } from '../../schemas/yaml-compose.ts';

/** What is repeated until a file is as long as it may be. */
const REPEATED = [
  ...['- a\n', '-\n', '- ', ': ', 'a:\n', 'a: b\n', '? ', '? a\n: b\n', 'a: b: c\n', 'a: [', '- [', 'a:\n '],
  ...['[', '[[],', '[1,', '{', '{}', '{a: 1,', '{a\n,', '[a\n', ']', '}', '},', ',', '[? a : b,'],
  ...['#\n', '# x\n', '\n', '\n ', '\t', 'a:\t\n', '\r', ' ', 'x', 'x ', 'x:y ', '~\n', '@\n', '`'],
  ...['"', "'", '"a" ', '- "a"\n', '"\\n', '"\\u0041', '|\n', '- >\n', 'a: |\n  b\n', '>-\n\n'],
  ...[
    '&a ',
    '- &a x\n',
    '- *a\n',
    '*a ',
    '!a ',
    '- !!str a\n',
    '<<: *a\n',
    '%a\n',
    '%TAG ! a\n',
    '---\n',
    '...\n',
  ],
  ...['${{ ', '$$', '${{ env.A }}', '\u{1f999}', '\uFEFF'],
];

const PLACES: readonly (readonly [where: string, head: string])[] = [
  ['alone', ''],
  ['as a command', 'type: service\nport: 80\ncommands:\n  - '],
  ['in brackets', 'type: service\nport: 80\nenv: ['],
];

function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function judge(text: string): string[] {
  const file = { path: 'web.dstack.yml', text };
  return parseFile(file, { root: '', profiles: null }).problems.map(({ message }) => message);
}

/** Each takes a tenth of a second: all places only where there is time. */
const places = process.env.FUZZ_CASES === undefined ? PLACES.slice(0, 1) : PLACES;

describe.each(places)('a megabyte, %s, of', (_where, head) => {
  test.each(REPEATED)('%j', (piece) => {
    const text = head + piece.repeat((MAX_BYTES - head.length) / new TextEncoder().encode(piece).length);
    expect(cpuSeconds(() => judge(text))).toBeLessThan(1);
  });
});

/** One word is at least a character: the longest run that is still read to its end. */
test.each(REPEATED)('as many of %j as are still read take less than a second', (piece) => {
  const text = piece.repeat(MAX_WORDS / piece.length);
  expect(cpuSeconds(() => judge(text))).toBeLessThan(1);
});

describe('bombs', () => {
  const aliases = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi', 'ij'])
    aliases.push(`${to}: &${to} [${`*${from},`.repeat(10)}]`);
  const merges = ['a: &a {k: x}'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi', 'ij'])
    merges.push(`${to}: &${to} {l: *${from}, m: *${from}, <<: *${from}}`);
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}: v`).join('\n');
  const groups = `type: service\nport: 80\ngroups:\n${'  - {replicas: 1}\n'.repeat(1500)}`;

  test.each([
    ['aliases of aliases', aliases.join('\n'), 'more than 100000 values'],
    ['merges of merges', merges.join('\n'), '`type` is missing'],
    [
      'one value too long',
      `type: service\nport: 80\nimage: ${'x'.repeat(MAX_BYTES)}`,
      'at most 1000000 are read',
    ],
    ['a long image', `type: service\nport: 80\nnam: ${'x'.repeat(MAX_BYTES - 100)}`, 'is not a known key'],
    ['unknown keys', `type: service\nport: 80\n${keys(3000)}`, 'is not a known key'],
    [
      'variables',
      `type: service\nport: 80\nimage: x\nenv:\n${keys(3000).replaceAll('k', '  =')}`,
      'cannot be the name',
    ],
    ['groups', groups, 'needs `commands` or `image`'],
    ['probes', `type: service\nport: 80\nimage: x\nprobes: [${'{type: http},'.repeat(3000)}]`, 'at most 10'],
    [
      'a long cron',
      `type: service\nport: 80\nimage: x\nschedule: {cron: "${'1,'.repeat(100_000)} * * * *"}`,
      'minute',
    ],
    ['a long gpu', `type: service\nport: 80\nimage: x\nresources: {gpu: "${'a:'.repeat(100_000)}"}`, 'twice'],
    [
      'references',
      `type: service\nport: 80\nimage: x\nenv: {A: "${'${{ x }}'.repeat(50_000)}"}`,
      'not a reference',
    ],
  ])('%s', (_what, text, expected) => {
    let said: string[] = [];
    expect(cpuSeconds(() => (said = judge(text)))).toBeLessThan(1);
    expect(said.join('\n')).toContain(expected);
    expect(said.length).toBeLessThanOrEqual(201);
  });
});
