// Text with a tone, not yet colour or HTML: what the CLI and the page are made of.
import type { ServiceView } from '../../schemas/api.ts';
import type { AroundStatus } from '../../schemas/api-around.ts';
import type { WaitingView } from '../../schemas/api-parts.ts';
import type { Plan } from '../../schemas/plan.ts';

export type Tone = 'plain' | 'strong' | 'dim' | 'good' | 'warn' | 'bad';

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** Wraps with its further lines `hang` columns right of the first. */
export interface Line {
  readonly kind: 'line';
  readonly indent: number;
  readonly hang: number;
  readonly cells: readonly Cell[];
}

export interface Table {
  readonly kind: 'table';
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  /** Columns that are shortened in the middle, in this order, when the table is too wide. */
  readonly shrink: readonly number[];
  /** Columns to the left of it; absent: none. */
  readonly indent?: number;
}

/** Cells side by side, without spaces between them; never wrapped. */
export interface Drawing {
  readonly kind: 'drawing';
  readonly cells: readonly Cell[];
}

export type Block = Line | Table | Drawing;

export interface Row {
  readonly cells: readonly Cell[];
  /** A remark under the row. */
  readonly note?: Cell;
}

export const BLANK: Line = { kind: 'line', indent: 0, hang: 0, cells: [] };

export function line(indent: number, ...cells: readonly Cell[]): Line {
  return { kind: 'line', indent, hang: 4, cells };
}

/** `  url         http://…`: what is said, under the same column whatever its label. */
export function fact(label: string | Cell, ...cells: readonly Cell[]): Line {
  const { text, tone } = typeof label === 'string' ? dim(label) : label;
  return { kind: 'line', indent: 2, hang: LABEL + 1, cells: [{ text: text.padEnd(LABEL), tone }, ...cells] };
}

export function plain(text: string): Cell {
  return { text, tone: 'plain' };
}

export function strong(text: string): Cell {
  return { text, tone: 'strong' };
}

export function dim(text: string): Cell {
  return { text, tone: 'dim' };
}

export function toneOf(status: ServiceView['status'] | AroundStatus): Tone {
  switch (status) {
    case 'running':
    case 'ready':
      return 'good';
    case 'failed':
    case 'invalid':
    case 'lost':
      return 'bad';
    case 'degraded':
    case 'starting':
    case 'rolling':
    case 'removing':
    case 'creating':
    case 'waiting':
      return 'warn';
    case 'kept':
    case 'stopped':
    case 'scaled-to-zero':
    case 'scheduled':
    case 'suspended':
      return 'dim';
  }
}

/** `$1,234.50/h`; below ten cents `$0.067/h`, as people multiply it by replicas and hours. */
export function money(usdPerHour: number): string {
  const isSmall = usdPerHour > 0 && usdPerHour < 0.1;
  return `$${(isSmall ? PARTS_OF_CENTS : CENTS).format(usdPerHour)}/h`;
}

/** Made once: making one takes a hundred times as long as using it. */
const CENTS = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const PARTS_OF_CENTS = new Intl.NumberFormat('en-US', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 4,
});

export function shortCommit(commit: string): string {
  return commit.slice(0, 8);
}

export function problemLines({ file, line: at, message, fix, severity }: Plan['problems'][number]): Line[] {
  const label: Cell = { text: severity, tone: severity === 'error' ? 'bad' : 'warn' };
  return [fact(label, plain(`${file}:${at} ${message}`)), ...(fix ? [fact('', dim(fix))] : [])];
}

/** The name of the group of a service without groups: nobody wrote it, so nobody wants to read it. */
export const ONLY_GROUP = '0';

export function waitingLine({ reason, subject, since, until, detail }: WaitingView): Line {
  const whose = subject === '' || subject === ONLY_GROUP ? '' : `${subject}: `;
  const what = `${whose}${detail || reason}`;
  const when = `since ${clock(since)}${until ? `, until ${clock(until)}` : ''}`;
  return fact('waiting', plain(what), dim(`(${reason} ${when})`));
}

/** Of an instant, in the time zone of whoever reads: with its date. */
export function stamp(time: string): string {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeOfDay(at)}`;
}

/** As `stamp`, but today goes without saying. */
export function clock(time: string): string {
  const at = new Date(time);
  return at.toDateString() === new Date().toDateString() ? timeOfDay(at) : stamp(time);
}

// Private

/** As wide as the longest label. */
const LABEL = 'deployment'.length;

function timeOfDay(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
