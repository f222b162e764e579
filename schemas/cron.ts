// When cron expressions of five fields fire. Weekdays are POSIX (0 and 7 are Sunday); where both a day of the month and
// a weekday are given, both must hold, as dstack reads them: `0 0 13 * fri` is Friday the 13th.
import { Cron } from 'croner';

/** One expression, or several: whichever fires first counts. */
export type CronText = string | readonly string[];

/** The first fire after `after` (epoch ms); null when there never is one, as on 30 February. */
export function nextFire(cron: CronText, after: number, timezone = 'UTC'): number | null {
  return nextFires(cron, 1, after, timezone)[0] ?? null;
}

/** The first `count` fires after `after`, in their order; fewer when there are no more. */
export function nextFires(cron: CronText, count: number, after: number, timezone = 'UTC'): number[] {
  const fires = compiled(cron, timezone).flatMap((each) => each.nextRuns(count, new Date(after)));
  return inOrder(fires).slice(0, count);
}

/** The last fire at or before `at`; null when there was none. */
export function previousFire(cron: CronText, at: number, timezone = 'UTC'): number | null {
  const minuteAfter = new Date(at - (at % MINUTE_MS) + MINUTE_MS);
  const fires = compiled(cron, timezone).flatMap((each) => each.previousRuns(1, minuteAfter));
  return inOrder(fires).at(-1) ?? null;
}

// Private

const MINUTE_MS = 60_000;

function compiled(cron: CronText, timezone: string): Cron[] {
  const texts = typeof cron === 'string' ? [cron] : cron;
  return texts.map(
    (text) => new Cron(spelled(text), { timezone, mode: '5-part', domAndDow: true, paused: true }),
  );
}

/** As croner spells it: `last` is `L`, and a step that begins at a number needs its end. */
function spelled(text: string): string {
  const ends = [59, 23, 31, 12, 6];
  const fields = text.trim().split(/\s+/);
  return fields
    .map((field, index) => field.replace(/\blast\b/gi, 'L').replace(/(^|,)(\d+)\//g, `$1$2-${ends[index]}/`))
    .join(' ');
}

function inOrder(dates: readonly Date[]): number[] {
  return [...new Set(dates.map((date) => date.getTime()))].toSorted((a, b) => a - b);
}
