// Text on a terminal: what fits, what is cut, and where the caret stands.
import { describe, expect, test } from 'vitest';
import { excerptBlocks } from '../../reconciler/cli/excerpt.ts';
import { columnsOf, render, type Screen, shortened } from '../../reconciler/cli/screen.ts';
import { dim, fact, line, plain } from '../../reconciler/view/cells.ts';

const screen: Screen = { width: 40, height: 24, colour: false, live: false };

describe('width', () => {
  test.each([
    ['plain', 5],
    ['naïve', 5],
    ['e\u0301', 1],
    ['漢字', 4],
    ['🚀', 2],
  ])('%s takes %i columns', (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });

  test('a long name keeps both its ends', () => {
    expect(shortened('abcdefghij', 10)).toBe('abcdefghij');
    expect(shortened('abcdefghijk', 6)).toBe('abc…jk');
    expect(columnsOf(shortened('漢字漢字漢字', 6))).toBeLessThanOrEqual(6);
  });
});

describe('lines', () => {
  test('wrap under their label, between words', () => {
    expect(render([fact('next', plain('once its requests are finished it is stopped'))], screen)).toBe(
      '  next       once its requests are\n             finished it is stopped\n',
    );
  });

  test('never break an address', () => {
    const url = `http://127.0.0.1:3000/${'x'.repeat(60)}`;
    expect(render([fact('url', plain(url))], screen)).toBe(`  url        ${url}\n`);
  });

  test('carry colour only where it is wanted, and no one else’s', () => {
    const cells = line(0, dim('a\x1b[31mb\x1b[2J'));
    expect(render([cells], screen)).toBe('ab\\x1b[2J\n');
    expect(render([cells], { ...screen, colour: true })).toBe('\x1b[2mab\\x1b[2J\x1b[0m\n');
    expect(render([line(0, dim('a\u202eb'))], screen)).toBe('a\\u202eb\n');
  });

  test('of a table fit, by shortening the columns that may be', () => {
    const rows = [{ cells: [plain('a-rather-long-name-of-a-service'), plain('running'), plain('$0.00/h')] }];
    const text = render([{ kind: 'table', head: ['NAME', 'STATUS', 'PRICE'], rows, shrink: [0] }], screen);
    expect(text.split('\n')[1]).toBe('a-rather-lo…-a-service  running  $0.00/h');
  });
});

describe('an excerpt', () => {
  const show = (text: string, column: number, width = 40) => {
    const problem = { line: 1, column, path: '', message: 'no', fix: '', severity: 'error' } as const;
    return render(excerptBlocks('a.yml', text, problem, width), { ...screen, width })
      .split('\n')
      .slice(2, 4);
  };

  test.each([
    ['port: eighty # no', 7, 'eighty'],
    ['a: "x # y" # z', 4, '"x # y"'],
    ['prot: 80', 1, 'prot'],
    ['{min: many, max: 1}', 7, 'many'],
    ['name: 漢字 b', 7, '漢字 b'],
    ['\tport: x', 8, 'x'],
  ])('of %j at %i has its caret under %s', (text, column, value) => {
    const [source = '', caret = ''] = show(text, column);
    const before = source.slice(0, source.indexOf(value));
    expect(caret).toBe(
      `${' '.repeat('  1 '.length)}|${' '.repeat(columnsOf(before) - '  1 |'.length)}${'^'.repeat(columnsOf(value))}`,
    );
  });

  test('of a long line shows the part that matters', () => {
    const [source = '', caret = ''] = show(`key: ${'a '.repeat(100)}`, 120);
    expect(columnsOf(source)).toBeLessThanOrEqual(40);
    expect(source).toMatch(/…a a .*…$/);
    expect(caret).toContain('^');
  });
});
