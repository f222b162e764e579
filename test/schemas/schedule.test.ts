import { describe, expect, test } from 'vitest';
import type { ServiceSpec } from '../../schemas/desired.ts';
import { scheduleText } from '../../schemas/schedule.ts';
import { spec } from '../plan/samples.ts';

const NEW_YEAR = Date.parse('2026-01-01T00:00:00Z');
const text = (fields: Partial<ServiceSpec>) => scheduleText(spec('job', fields), NEW_YEAR);

describe('what a plan says of a schedule', () => {
  test('is nothing where there is none', () => {
    expect(text({ maxDurationMs: 1000 })).toBeNull();
  });

  test('are its next three starts, and what ends it', () => {
    expect(text({ schedule: { cron: ['0 8 * * sat', '30 7 * * mon'] }, maxDurationMs: 5_400_000 })).toBe(
      'starts by `0 8 * * sat` or `30 7 * * mon` at 2026-01-03 08:00 UTC, 2026-01-05 07:30 UTC, 2026-01-10 08:00 UTC; ' +
        '`max_duration` ends it after 1h 30m',
    );
  });

  test('is a warning where nothing ends it, and where it never starts', () => {
    expect(text({ schedule: { cron: ['0 8 * * *'] } })).toMatch(/; nothing ends it: set `max_duration`/);
    expect(text({ schedule: { cron: ['0 0 31 4 *'] } })).toBe('never starts: no day fits `0 0 31 4 *`');
  });
});
