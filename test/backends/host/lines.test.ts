import { expect, test } from 'vitest';
import { createLineCutter } from '../../../backends/host/lines.ts';

function cut(limit: number, pieces: readonly string[]): readonly string[] {
  const { push, flush } = createLineCutter(limit);
  return [...pieces.flatMap(push), ...flush()];
}

test('lines are put together from pieces, and an unfinished last one counts', () => {
  expect(cut(100, ['on', 'e\ntw', 'o\r\n\nthree'])).toEqual(['one', 'two', '', 'three']);
});

test('nothing gives no line', () => {
  expect(cut(100, [])).toEqual([]);
});

test('a line keeps its first characters and says how many more there were', () => {
  expect(cut(4, ['abc', 'defg\n', 'next\n'])).toEqual(['abcd … (3 more characters)', 'next']);
});
