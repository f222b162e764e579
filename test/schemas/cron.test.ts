import { describe, expect, test } from 'vitest';
import { nextFire, nextFires, previousFire } from '../../schemas/cron.ts';

const at = (text: string) => Date.parse(text);
const spell = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString().slice(0, 16));
/** A Thursday. */
const NEW_YEAR = at('2026-01-01T00:00:00Z');

describe('the next fire', () => {
  test.each([
    ['0 8 * * mon-fri', '2026-01-01T08:00'],
    ['0 8 * * 0', '2026-01-04T08:00'],
    ['0 8 * * 7', '2026-01-04T08:00'],
    ['0 8 * * 1', '2026-01-05T08:00'],
    ['0 8 * * sat-sun', '2026-01-03T08:00'],
    ['0 0 13 * fri', '2026-02-13T00:00'],
    ['30 6 last * *', '2026-01-31T06:30'],
    ['30 6 last feb *', '2026-02-28T06:30'],
    ['5/10 * * * *', '2026-01-01T00:05'],
    ['*/15 * * * *', '2026-01-01T00:15'],
    ['0 0 30 2 *', null],
  ])('of %s', (cron, expected) => {
    expect(spell(nextFire(cron, NEW_YEAR))).toBe(expected);
  });

  test('comes after the instant, never at it', () => {
    expect(spell(nextFire('0 8 * * *', at('2026-01-01T07:59:59.999Z')))).toBe('2026-01-01T08:00');
    expect(spell(nextFire('0 8 * * *', at('2026-01-01T08:00:00Z')))).toBe('2026-01-02T08:00');
  });

  test('is the earliest of several expressions, each instant once', () => {
    const fires = nextFires(['0 18 * * *', '0 8,18 * * *'], 3, NEW_YEAR);
    expect(fires.map(spell)).toEqual(['2026-01-01T08:00', '2026-01-01T18:00', '2026-01-02T08:00']);
  });

  test('is at the hour of the time zone, summer and winter', () => {
    expect(spell(nextFire('0 8 * * *', at('2026-01-15T00:00:00Z'), 'Europe/Berlin'))).toBe(
      '2026-01-15T07:00',
    );
    expect(spell(nextFire('0 8 * * *', at('2026-07-15T00:00:00Z'), 'Europe/Berlin'))).toBe(
      '2026-07-15T06:00',
    );
  });
});

describe('the previous fire', () => {
  test('counts from the instant itself on', () => {
    expect(spell(previousFire('0 8 * * *', at('2026-01-02T08:00:00Z')))).toBe('2026-01-02T08:00');
    expect(spell(previousFire('0 8 * * *', at('2026-01-02T07:59:59.999Z')))).toBe('2026-01-01T08:00');
  });

  test('is the latest of several expressions, or null when there never was one', () => {
    expect(spell(previousFire(['0 8 * * *', '0 7 * * *'], at('2026-01-02T07:30:00Z')))).toBe(
      '2026-01-02T07:00',
    );
    expect(previousFire('0 0 30 2 *', NEW_YEAR)).toBeNull();
  });
});
