// Windows: when changes of services may be applied. Answers whether they may be now, and else when they next may.
import { nextFire, previousFire } from './cron.ts';

export interface Window {
  readonly kind: 'allow' | 'deny';
  /** Cron expressions; each fire opens (or closes) for `durationMs`. */
  readonly schedule: readonly string[];
  readonly durationMs: number;
  /** IANA name. */
  readonly timezone: string;
  /** Names, with `*` for any text; null: all services. */
  readonly services: readonly string[] | null;
}

/** `until`: when it opens next, epoch ms; null: it is not in sight. */
export type Opening =
  | { readonly isOpen: true }
  | { readonly isOpen: false; readonly by: Window['kind']; readonly until: number | null };

/**
 * Whether changes of a service may be applied at `now`, by every one of several sets of windows. Of one set: never
 * within a `deny`; where there are `allow` windows for the service, only within one.
 */
export function openingsAt(sets: readonly (readonly Window[])[], now: number): (service: string) => Opening {
  const known = new Map<string, Opening>();
  return (service) => {
    const mine = sets.map((windows) => windows.filter((window) => concerns(window, service)));
    const key = mine
      .map((windows, at) => windows.map((window) => sets[at]?.indexOf(window)).join())
      .join(';');
    const opening = known.get(key) ?? openingAt(mine, now);
    known.set(key, opening);
    return opening;
  };
}

/** Whether one of `patterns` means the service: its name, or a text with `*` for any number of characters. */
export function namesService(patterns: readonly string[], service: string): boolean {
  return patterns.some((pattern) => matches(pattern, service));
}

// Private

/** A search that has found no opening by then gives up. */
const HORIZON_MS = 366 * 86_400_000;
/** Moments looked at: a search among windows that always deny what they allow takes a tenth of a second at most. */
const MOMENTS = 100;

function concerns({ services }: Window, service: string): boolean {
  return services === null || namesService(services, service);
}

function openingAt(sets: readonly (readonly Window[])[], now: number): Opening {
  const by = closedBy(sets, now);
  return by === null ? { isOpen: true } : { isOpen: false, by, until: nextOpening(sets, now) };
}

function nextOpening(sets: readonly (readonly Window[])[], now: number): number | null {
  let at: number | null = now;
  for (let count = 0; count < MOMENTS; count++) {
    at = mayOpenAt(sets, at);
    if (at === null || at - now > HORIZON_MS) return null;
    if (closedBy(sets, at) === null) return at;
  }
  return null;
}

/** The earliest moment after `at`, at which it is closed, that need be looked at: before it nothing can be open. */
function mayOpenAt(sets: readonly (readonly Window[])[], at: number): number | null {
  const denied = sets.flat().filter((window) => window.kind === 'deny' && isWithin(window, at));
  if (denied.length > 0) return Math.max(...denied.map((window) => endOf(window, at) ?? at));
  const closed = sets.filter((windows) => !isAllowed(windows, at));
  const starts = closed.map((windows) => nextStart(windows, at));
  return starts.includes(null) ? null : Math.max(...starts.filter((start) => start !== null));
}

function nextStart(windows: readonly Window[], at: number): number | null {
  const allowing = windows.filter(({ kind }) => kind === 'allow');
  const starts = allowing.map(({ schedule, timezone }) => nextFire(schedule, at, timezone));
  const coming = starts.filter((start) => start !== null);
  return coming.length === 0 ? null : Math.min(...coming);
}

/** What keeps changes back at an instant; null: nothing. A `deny` wins over what is allowed. */
function closedBy(sets: readonly (readonly Window[])[], at: number): Window['kind'] | null {
  const denies = sets.flat().some((window) => window.kind === 'deny' && isWithin(window, at));
  if (denies) return 'deny';
  return sets.every((windows) => isAllowed(windows, at)) ? null : 'allow';
}

function isAllowed(windows: readonly Window[], at: number): boolean {
  const allowing = windows.filter(({ kind }) => kind === 'allow');
  return allowing.length === 0 || allowing.some((window) => isWithin(window, at));
}

function isWithin(window: Window, at: number): boolean {
  const end = endOf(window, at);
  return end !== null && at < end;
}

/** When the window that began last, at or before `at`, ends or has ended. */
function endOf({ schedule, durationMs, timezone }: Window, at: number): number | null {
  const start = previousFire(schedule, at, timezone);
  return start === null ? null : start + durationMs;
}

function matches(pattern: string, name: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return pattern === name;
  const last = parts.pop() ?? '';
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last))
    return false;
  let at = first.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
