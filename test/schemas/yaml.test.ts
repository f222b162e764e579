import { describe, expect, test } from 'vitest';
import { MAX_BYTES, parseYaml, placeOf } from '../../schemas/yaml.ts';

function readValue(text: string): unknown {
  const { value, findings } = parseYaml(text);
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  return value;
}

function messageOf(text: string): string {
  const { findings } = parseYaml(text);
  return findings.map(({ line, column, message }) => `${line}:${column} ${message}`).join('; ');
}

describe('plain words are read as YAML 1.1 has it', () => {
  test.each([
    ['yes', true],
    ['On', true],
    ['off', false],
    ['NO', false],
    ['y', 'y'],
    ['~', null],
    ['', null],
    ['Null', null],
    ['010', 8n],
    ['0x1F', 31n],
    ['0b101', 5n],
    ['1_000', 1000n],
    ['-7', -7n],
    ['08', '08'],
    ['12:30:00', 45000n],
    ['8000:80', '8000:80'],
    ['1e3', '1e3'],
    ['1.5e+3', 1500],
    ['3.10', 3.1],
    ['.5', 0.5],
    ['190:20:30.15', 685230.15],
    ['-.inf', Number.NEGATIVE_INFINITY],
    ['.nan', Number.NaN],
    ['0o17', '0o17'],
    ["'yes'", 'yes'],
    ['"010"', '010'],
    ['!!str 010', '010'],
    ['!!int "8"', 8n],
    ['!!float 5', 5],
  ])('%s', (text, value) => {
    expect(readValue(text)).toEqual(value);
  });

  test('a date is neither text nor anything else', () => {
    expect((readValue('2001-12-14') as symbol).description).toBe('2001-12-14');
    expect((readValue('2001-13-14') as symbol).description).toBe('2001-13-14');
  });

  test('a long run of digits is text, not minutes of arithmetic', () => {
    expect(readValue('9'.repeat(1000))).toBe('9'.repeat(1000));
  });
});

describe('quotes', () => {
  test.each([
    ['a:\n  b: "c\\\n  d"\n  e: f\n', { a: { b: 'cd', e: 'f' } }],
    ["a:\n  - 'b\n\n  c'\n  - d\n", { a: ['b\nc', 'd'] }],
    ['a: "b\nc"\nd: e\n', { a: 'b c', d: 'e' }],
    ['a:\n  b: "c: d\n# e\n  - f"\n', { a: { b: 'c: d # e - f' } }],
  ])('%j: a line inside of them may be indented in any way', (text, value) => {
    expect(readValue(text)).toEqual(value);
  });

  test('a quote that was forgotten is pointed at, even where another follows', () => {
    expect(messageOf('a: "b\nc: "d"\n')).toContain('1:4 not valid YAML: this quote is never closed');
  });

  test('a quote that is never closed ends with the document', () => {
    expect(messageOf('a: "b\n---\nc: d\n')).toContain('1:4 not valid YAML: this quote is never closed');
  });
});

describe('structure', () => {
  test('one slip is said once, not in all the ways in which a parser stumbles over it', () => {
    for (const text of ['a: b\n  c: d\n', 'a:\n  - b\n\t- c\nd: e\n', 'a:\n  - b\n - c\n']) {
      expect([text, parseYaml(text).findings.length]).toEqual([text, 1]);
    }
  });

  test('lines may end in any of the three ways', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const { value, place } = parseYaml(['a: 1', 'b:', '  - c', ''].join(end));
      expect(value).toEqual({ a: 1n, b: ['c'] });
      expect(placeOf(place, ['b', 0]).place).toMatchObject({ line: 3, column: 5 });
    }
  });

  test('merge keys give way to own keys, and the first mapping of a list wins', () => {
    const text = 'a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\nd:\n  <<: *a\n  x: 4\n';
    const value = readValue(text) as Record<string, unknown>;
    expect(value.c).toEqual({ x: 1n, y: 3n, z: 2n });
    expect(value.d).toEqual({ x: 4n, y: 1n });
  });

  test('places are those of the values themselves, through lists, mappings and aliases', () => {
    const { place } = parseYaml('probes:\n  - &p\n    url: /x\n  - *p\nempty:\n');
    const at = (...path: (string | number)[]): string => {
      const found = placeOf(place, path).place;
      return `${found.line}:${found.column}`;
    };
    expect(at('probes', 0, 'url')).toBe('3:10');
    expect(at('probes', 1, 'url')).toBe('3:10');
    expect(at('empty')).toBe('5:1');
    expect(at('probes', 0, 'nothing')).toBe('3:5');
  });

  test.each([
    ['a: 1\nb: 2\na: 3', '3:1 `a` is given twice'],
    ['a: {b: 1, b: 2}', '1:11 `b` is given twice'],
    ['a: 1\n---\nb: 2', '2:1 not valid YAML: a file holds one document, and here begins a second'],
    ['a: *x', '1:4 `*x` refers to nothing above it'],
    ['a: &a [*a]', '1:8 `*a` refers to nothing above it'],
    ['a: !!python/object:os.system x', '1:30 the tag `!!python/object:os.system` does not fit here'],
    ['a: !mine [x]', '1:10 the tag `!mine` does not fit here'],
    ['yes: 1', '1:1 the key `yes` is read as true'],
    ['? [a]\n: 1', '1:3 this cannot be a key'],
    ['__proto__: {a: 1}', '1:1 the key `__proto__` cannot be a key'],
    ['<<: 5', '1:1 `<<` merges mappings, and this is none'],
    [Buffer.from('a: caf\xe9', 'latin1').toString('utf8'), '1:7 this is not UTF-8'],
    [Buffer.from('\uFEFFa: b', 'utf16le').toString('utf8'), '1:1 this is not UTF-8'],
    ['a: \u0007', '1:4 the character U+0007 is not allowed in YAML'],
    ['p: 22:22', '1:4 `22:22` without quotes is the number 1342 in YAML 1.1'],
    ['[', '1:1 not valid YAML: a `[` is never closed, or what it holds is not indented'],
    ['a: "b\nc: "d', '1:4 not valid YAML: this quote is never closed'],
    ["a: 'b''c\nd: e", '1:4 not valid YAML: this quote is never closed'],
    ['a: b: c', '1:4 not valid YAML: there is a `: ` inside of a value'],
    ['a: {b: [c]\nd: e', '1:4 not valid YAML: a `{` is never closed, or what it holds is not indented'],
    ['a:\n  - b\n - c', '3:2 not valid YAML: this `-` does not begin in the column of those above it'],
    ['a:\n\tb: c', '2:1 not valid YAML: a tab cannot be used for indentation'],
    ['a:\n  b: 1\n c: 2', '3:2 not valid YAML: this does not begin in the column of the keys above it'],
    ['a:b\nc: d', '1:1 not valid YAML: this line is no `key: value`'],
    ['a: @b', '1:4 not valid YAML: a value cannot begin with this sign'],
  ])('%j says what is wrong and where', (text, expected) => {
    expect(messageOf(text)).toContain(expected);
  });
});

describe('hostile files are refused', () => {
  const laughs = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh']) {
    laughs.push(`${to}: &${to} [${`*${from},`.repeat(10)}]`);
  }

  test.each([
    ['a billion laughs', laughs.join('\n'), 'more than 100000 values'],
    [
      'laughs hidden in merge keys',
      `b: &b {k: [${'1,'.repeat(500)}]}\nm: &m {<<: *b}\nl: [${'*m,'.repeat(500)}]`,
      'more than 100000 values',
    ],
    ['a deep nest', '['.repeat(20_000), 'nested too deeply'],
    ['nothing but brackets', '{}'.repeat(400_000), 'this cannot follow the value before it'],
    ['very many lines', 'a: b\n'.repeat(100_000), 'more than 30000 words'],
    ['a nest that the parser still reads', `${'['.repeat(100)}${']'.repeat(100)}`, 'nested too deeply'],
    ['a long file', `a: ${'x'.repeat(MAX_BYTES)}`, 'at most 1000000 are read'],
  ])('%s', (_what, text, expected) => {
    const { value, findings } = parseYaml(text);
    expect(value).toBeUndefined();
    expect(findings.map(({ message }) => message).join()).toContain(expected);
  });

  test('mappings have no prototype to reach', () => {
    const value = readValue('constructor: {prototype: {polluted: 1}}\ntoString: x') as object;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
