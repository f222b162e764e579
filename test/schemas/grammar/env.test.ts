import { expect, test } from 'vitest';
import { env } from '../../../schemas/grammar/env.ts';
import { read } from './read.ts';

test.each([
  ['[A=1, "B=", C, "D=x=y"]', { A: '1', B: '', C: { key: 'C' }, D: 'x=y' }],
  [
    '{A: 1, B: 1.50, C: "", D: {key: E}, 1A: x, A-B: y}',
    { A: '1', B: '1.5', C: '', D: { key: 'E' }, '1A': 'x', 'A-B': 'y' },
  ],
  ['{A: {key: 5}}', { A: { key: '5' } }],
  ['{A: 22:22, B: 010, C: 1e3}', { A: '1342', B: '8', C: '1e3' }],
  ['[]', {}],
  ['{}', {}],
])('%s', (yaml, expected) => {
  expect(read(env, yaml)).toEqual(expected);
});

test.each([
  ['[1A=x]', '`1A` is not a variable'],
  ['["A=x\\ny"]', '`A` is not a variable'],
  ['[A=1, A]', '`A` is given twice'],
  ['[5]', '`5` is not a variable'],
  ['{A: true}', 'text is expected, not `true`'],
  ['{A: }', '`A` has no value'],
  ['{A: [x]}', 'text is expected, not a list'],
  ['{A: {key: B, more: C}}', 'text is expected, not a mapping'],
  ['A=1', 'variables are expected, not text'],
  ['["A: x"]', '`A` is not a variable'],
])('%s is a mistake', (yaml, message) => {
  expect(read(env, yaml)).toContain(message);
});
