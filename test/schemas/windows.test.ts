import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namesService, openingsAt, type Window } from '../../schemas/windows.ts';

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(`2026-01-${text}:00.000Z`);

function window(overrides: Partial<Window> = {}): Window {
  return {
    kind: 'allow',
    schedule: ['0 22 * * *'],
    durationMs: 2 * HOUR,
    timezone: 'UTC',
    services: null,
    ...overrides,
  };
}

/** `open`, or when it opens next. */
function opening(windows: readonly Window[], now: number, service = 'web'): string {
  const found = openingsAt([windows], now)(service);
  if (found.isOpen) return 'open';
  return found.until === null ? 'never' : new Date(found.until).toISOString().slice(8, 16);
}

describe('changes may be applied', () => {
  const nightly = window();
  const frozen = window({ kind: 'deny', schedule: ['0 0 10 * *'], durationMs: 48 * HOUR });
  test.each<[string, readonly Window[], string, string]>([
    ['without windows, always', [], '05T12:00', 'open'],
    ['not before a window begins', [nightly], '05T21:59', '05T22:00'],
    ['from its first instant', [nightly], '05T22:00', 'open'],
    ['until its end, over midnight', [nightly], '05T23:59', 'open'],
    ['not at its end', [nightly], '06T00:00', '06T22:00'],
    ['not where it is denied', [frozen], '11T12:00', '12T00:00'],
    ['where nothing is denied', [frozen], '12T00:00', 'open'],
    ['not where it is allowed and denied', [nightly, frozen], '10T22:30', '12T22:00'],
    [
      'in any of several windows',
      [nightly, window({ schedule: ['0 6 * * *', '0 12 * * *'] })],
      '05T12:30',
      'open',
    ],
    ['in the time zone of the window', [window({ timezone: 'Asia/Tokyo' })], '05T12:59', '05T13:00'],
    ['only in windows for the service', [window({ services: ['other'] })], '05T12:00', 'open'],
    ['not outside of a window for services like it', [window({ services: ['w*'] })], '05T12:00', '05T22:00'],
    [
      'on weekdays as POSIX counts them (1 is Monday)',
      [window({ schedule: ['0 22 * * 1'] })],
      '05T21:00',
      '05T22:00',
    ],
    [
      'never where everything is always denied',
      [window({ kind: 'deny', schedule: ['* * * * *'] })],
      '05T12:00',
      'never',
    ],
  ])('%s', (_, windows, now, expected) => {
    expect(opening(windows, at(now))).toBe(expected);
  });

  test('only where every set of windows lets them', () => {
    const late = window({ schedule: ['0 23 * * *'] });
    const found = openingsAt([[nightly], [late]], at('05T22:30'))('web');
    expect(found).toEqual({ isOpen: false, by: 'allow', until: at('05T23:00') });
  });

  test('when they were said to be, whatever the windows', () => {
    const some = fc.record({
      kind: fc.constantFrom<Window['kind']>('allow', 'deny'),
      schedule: fc.constantFrom(['0 22 * * *'], ['30 */6 * * *'], ['0 0 * * mon', '15 12 * * fri']),
      durationMs: fc.integer({ min: 1, max: 30 }).map((hours) => hours * HOUR),
      timezone: fc.constantFrom('UTC', 'Europe/Berlin'),
      services: fc.constant(null),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 3 }), fc.integer({ min: 0, max: 300 }), (windows, hours) => {
        const now = at('01T00:00') + hours * HOUR + 1;
        const found = openingsAt([windows], now)('web');
        if (found.isOpen || found.until === null) return;
        expect(found.until).toBeGreaterThan(now);
        expect(openingsAt([windows], found.until)('web').isOpen).toBe(true);
        expect(openingsAt([windows], found.until - 1)('web').isOpen).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});

test.each([
  ['web', 'web', true],
  ['web', 'web-1', false],
  ['*', 'anything', true],
  ['web-*', 'web-1', true],
  ['*-web', 'a-web', true],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*ba', 'aba', false],
  ['a**b', 'ab', true],
])('%s names %s: %s', (pattern, name, expected) => {
  expect(namesService([pattern], name)).toBe(expected);
});
