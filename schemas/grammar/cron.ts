// Cron expressions of five fields, in UTC. Weekday numbers are POSIX: 0 is Sunday.
import { type Wrong, wrong } from '../fields.ts';
import { shown } from '../problems.ts';
import { textWhere } from '../values.ts';

interface CronField {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const FIELDS: readonly CronField[] = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 6, words: WEEKDAYS },
];

export const cron = textWhere(
  (value) => {
    const parts = value.trim().split(/\s+/);
    if (parts.length !== FIELDS.length) {
      const message = `${shown(value)} has ${parts.length} fields instead of 5`;
      return wrong(
        message,
        'Write minute, hour, day of month, month and day of week, for example `0 8 * * mon-fri`.',
      );
    }
    for (const [index, part] of parts.entries()) {
      const mistake = FIELDS[index] === undefined ? null : mistakeIn(part, FIELDS[index]);
      if (mistake !== null) return mistake;
    }
    return value;
  },
  { title: 'cron expression', type: 'string', pattern: '^\\s*(?:\\S+\\s+){4}\\S+\\s*$' },
);

/** True when a weekday is given by number, where this differs from dstack (0 is Monday there). */
export function hasNumericWeekday(expression: string): boolean {
  const weekday = expression.trim().split(/\s+/)[4] ?? '';
  return /(?:^|[,-])\d/.test(weekday);
}

// Private

function mistakeIn(part: string, field: CronField): Wrong | null {
  for (const item of part.split(',')) {
    const mistake = itemMistake(item, field);
    if (mistake !== null) return wrong(`${shown(item)} is no ${field.name}: ${mistake}`, fixFor(field));
  }
  return null;
}

function itemMistake(item: string, field: CronField): string | null {
  if (field.name === 'day of month' && /^last$/i.test(item)) return null;
  const every = /^\*(?:\/(\d+))?$/.exec(item);
  if (every !== null) return stepMistake(every[1], field.max - field.min);
  const numbers = /^(\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(item);
  if (numbers !== null) return rangeMistake(Number(numbers[1]), numbers[2], numbers[3], field);
  const words = /^([a-z]+)(?:-([a-z]+))?$/i.exec(item);
  if (words === null || field.words.length === 0) return 'it is not understood';
  const [first, last] = [words[1], words[2] ?? words[1]].map((word) =>
    field.words.indexOf(word?.toLowerCase() ?? ''),
  );
  if (first === undefined || last === undefined || first < 0 || last < 0) return 'the name is not known';
  return first > last ? 'it ends before it begins' : null;
}

function rangeMistake(
  first: number,
  end: string | undefined,
  step: string | undefined,
  field: CronField,
): string | null {
  const last = end === undefined ? (step === undefined ? first : field.max) : Number(end);
  if (first < field.min || last > field.max) return `it is outside ${field.min}-${field.max}`;
  if (first > last) return 'it ends before it begins';
  return stepMistake(step, last - first);
}

function stepMistake(step: string | undefined, span: number): string | null {
  if (step === undefined) return null;
  if (Number(step) === 0) return 'the step is 0';
  return Number(step) > span ? 'the step is longer than the range' : null;
}

function fixFor({ min, max, words }: CronField): string {
  const names = words.length === 0 ? '' : `, or names like \`${words[0]}-${words[4]}\``;
  return `Write numbers from ${min} to ${max}${names}, \`*\`, ranges \`a-b\` or steps \`*/n\`.`;
}
