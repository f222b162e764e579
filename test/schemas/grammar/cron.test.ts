import { describe, expect, test } from 'vitest';
import { cron, hasNumericWeekday } from '../../../schemas/grammar/cron.ts';
import { read } from './read.ts';

test.each([
  '* * * * *',
  '0 8 * * mon-fri',
  '*/15 0-6 1,15 jan-mar,dec sun',
  '0 0 last * *',
  '5-59/10 * * * 0',
  '  0   8 * * *  ',
])('%j is an expression', (text) => {
  expect(read(cron, JSON.stringify(text))).toBe(text);
});

test.each([
  ['0 8 * *', '4 fields instead of 5'],
  ['0 8 * * * *', '6 fields instead of 5'],
  ['60 * * * *', '`60` is no minute: it is outside 0-59'],
  ['* 24 * * *', 'no hour'],
  ['* * 0 * *', 'no day of month'],
  ['* * * 13 *', 'no month'],
  ['* * * * 7', 'no day of week'],
  ['* * * * fun', 'the name is not known'],
  ['* * * * fri-mon', 'it ends before it begins'],
  ['30-10 * * * *', 'it ends before it begins'],
  ['*/0 * * * *', 'the step is 0'],
  ['*/99 * * * *', 'the step is longer than the range'],
  ['1, * * * *', 'not understood'],
  ['@daily', '1 fields instead of 5'],
])('%j is none', (text, message) => {
  expect(read(cron, JSON.stringify(text))).toContain(message);
});

describe('a weekday given by number is noticed', () => {
  test.each(['0 8 * * 1', '0 8 * * 1-5', '0 8 * * mon,3', '0 8 * * 1/2'])('in %s', (text) => {
    expect(hasNumericWeekday(text)).toBe(true);
  });

  test.each(['0 8 * * mon-fri', '0 8 * * *', '0 8 * * */2', '1 2 3 4 *'])('not in %s', (text) => {
    expect(hasNumericWeekday(text)).toBe(false);
  });
});
