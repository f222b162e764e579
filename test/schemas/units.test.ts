import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { numberText } from '../../schemas/grammar/scalars.ts';
import { durationText, parseDuration, parseSize } from '../../schemas/units.ts';

describe('durations', () => {
  test.each([
    ['90', 90],
    ['-5', -5],
    [' 5 ', 5],
    ['1_000', 1000],
    ['90s', 90],
    ['5 m', 300],
    ['1h', 3600],
    ['2d', 172_800],
    ['1w', 604_800],
    ['1h30m', 5400],
    ['1h 30m 5s', 5405],
  ])('%j is %i seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each(['', 'm', '5M', '1.5h', '5m ', ' 5m', '30m1h', '1h1h', 'h1', '5 minutes', '-5m'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (seconds) => parseDuration(durationText(seconds)) === seconds),
      { seed: 1 },
    );
  });
});

describe('sizes', () => {
  test.each([
    ['16', 16],
    ['16GB', 16],
    ['16 gb', 16],
    ['512MB', 0.5],
    ['1.5TB', 1536],
    ['.5gb', 0.5],
    ['1e1GB', 10],
  ])('%j is %d GiB', (text, gib) => {
    expect(parseSize(text)).toBe(gib);
  });

  test.each(['', 'GB', '8G', '80GiB', '8GBs', '1..2', 'inf', 'nan', '1'.repeat(500)])(
    '%j is none',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});

test.each([
  [8080n, '8080'],
  [1, '1.0'],
  [3.11, '3.11'],
  [-0, '-0.0'],
  [1e16, '1e+16'],
  [123456789.125, '123456789.125'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [1.5e-7, '1.5e-07'],
  [Number.POSITIVE_INFINITY, 'inf'],
])('the number %s as text is %s', (value, text) => {
  expect(numberText(value)).toBe(text);
});
