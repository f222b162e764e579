// What is said of a changed field: its old and its new value, as much of them as tells them apart.
import type { FieldChange } from '../../schemas/plan.ts';
import { durationText, isSeconds } from '../../schemas/units.ts';
import { MARKS, type Mark } from './plan-words.ts';
import { elided, visible } from './text.ts';

export interface FieldWords {
  readonly mark: Mark;
  readonly path: string;
  /** null: it is not there. Where both are too long for one line, what they share is left out of them. */
  readonly from: string | null;
  readonly to: string | null;
  /** One line for both, where there is nothing to compare; else ''. */
  readonly note: string;
}

/** What fields mean that a file does not write; of others it is nothing, or depends on the rest. */
export const UNWRITTEN: { readonly [field: string]: string | undefined } = {
  auth: 'true',
  docker: 'false',
  https: 'true',
  nvcc: 'false',
  priority: '0',
  privileged: 'false',
  replicas: '1',
  single_branch: 'true',
  spot_policy: 'on-demand',
  strip_prefix: 'true',
};

/** `width`: columns for each value. */
export function fieldWords({ path, from, to }: FieldChange, width: number): FieldWords {
  const said = { path: visible(path), note: '' };
  if (isMask(from) && isMask(to))
    return { ...said, mark: MARKS.update, from: HIDDEN, to: HIDDEN, note: `${HIDDEN} (changed)` };
  const nothing = isOwnField(path) ? unwrittenText(path) : null;
  const [old, now] = [valueText(path, from) ?? nothing, valueText(path, to) ?? nothing];
  if (old === null) return { ...said, mark: MARKS.create, from: null, to: elided(now ?? '', width) };
  if (now === null) return { ...said, mark: MARKS.delete, from: elided(old, width), to: null };
  const fits = old.length <= width && now.length <= width;
  const [before, after] = fits ? [old, now] : withoutShared(old, now, width);
  return { ...said, mark: MARKS.update, from: elided(before, width), to: elided(after, width) };
}

// Private

const HIDDEN = '••••';

function unwrittenText(field: string): string {
  const value = Object.hasOwn(UNWRITTEN, field) ? UNWRITTEN[field] : undefined;
  return value === undefined ? 'not set' : `${value} (default)`;
}

/** A field of a service has a meaning when it is not written, too. */
function isOwnField(path: string): boolean {
  return /^\w+$/.test(path);
}

function isMask(value: FieldChange['from']): boolean {
  return typeof value === 'string' && /^mask:[0-9a-f]{16}$/.test(value);
}

function valueText(path: string, value: FieldChange['from']): string | null {
  if (value === null) return null;
  if (isMask(value)) return HIDDEN;
  const said = withUnit(path, value);
  const text = typeof said === 'string' ? said : JSON.stringify(said, withUnit);
  return visible(text.replace(/mask:[0-9a-f]{16}/g, HIDDEN));
}

/** Seconds as a file has them: `1h30m`. */
function withUnit(path: string, value: unknown): unknown {
  return typeof value === 'number' && isSeconds(path) ? durationText(value).replaceAll(' ', '') : value;
}

/** Two long texts with less of what both begin and end with. */
function withoutShared(a: string, b: string, width: number): readonly [string, string] {
  const [old, now] = [[...a], [...b]];
  const start = sharedStart(old, now);
  const end = sharedStart(old.slice(start).toReversed(), now.slice(start).toReversed());
  const room = width - Math.max(old.length, now.length) + start + end;
  return [around(old, start, end, room), around(now, start, end, room)];
}

/** Least of what is around a difference that is shown on either side. */
const CONTEXT = 12;

/** What differs, with about `room` letters of the `start` before it and the `end` after it. */
function around(letters: readonly string[], start: number, end: number, room: number): string {
  const before = Math.max(CONTEXT, Math.ceil(room / 2) - 1, room - end - 1);
  const after = Math.max(CONTEXT, room - Math.min(start, before) - 2);
  const [from, to] = [Math.max(0, start - before), Math.min(letters.length, letters.length - end + after)];
  const inner = letters.slice(from, to).join('');
  return `${from > 0 ? '…' : ''}${inner}${to < letters.length ? '…' : ''}`;
}

function sharedStart(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((letter, index) => letter !== b[index]);
  return differs === -1 ? Math.min(a.length, b.length) : differs;
}
