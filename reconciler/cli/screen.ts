// Turns cells into lines of text: colour where it is wanted, tables that fit, words that wrap under their indent.
import type { Block, Cell, Line, Row, Table, Tone } from '../view/cells.ts';

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly colour: boolean;
  /** A person looks at it: it may be redrawn. */
  readonly live: boolean;
}

type Stream = { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

const WIDTH = 80;

/** https://no-color.org; FORCE_COLOR is its common opposite. */
export function screenOf(stream: Stream, env: NodeJS.ProcessEnv): Screen {
  const live = stream.isTTY === true && env.TERM !== 'dumb';
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  return {
    width: stream.columns || Number(env.COLUMNS) || WIDTH,
    height: stream.rows || 24,
    colour: !env.NO_COLOR && (live || forced),
    live,
  };
}

export function render(blocks: readonly Block[], screen: Screen): string {
  return blocks
    .flatMap((block) => blockLines(block, screen))
    .map((line) => `${line}\n`)
    .join('');
}

/** One cell line as it is, however long: for streams, where a terminal wraps better than we do. */
export function renderLine(line: Line, screen: Screen): string {
  return `${paintAll(line.cells, screen)}\n`;
}

export function paint({ text, tone }: Cell, { colour }: Screen): string {
  const clean = visible(text);
  const code = colour ? CODES[tone] : '';
  return code === '' || clean === '' ? clean : `\x1b[${code}m${clean}\x1b[0m`;
}

/** Columns a text takes on a terminal. */
export function columnsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return [...GRAPHEMES.segment(text)].reduce((sum, { segment }) => sum + (WIDE.test(segment) ? 2 : 1), 0);
}

/** `a-very-long-name` as `a-ver…name`: both ends of a name tell more than its middle. */
export function shortened(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  const parts = [...GRAPHEMES.segment(text)].map(({ segment }) => segment);
  const head = fitting(parts, Math.ceil((columns - 1) / 2));
  const tail = fitting(parts.toReversed(), columns - 1 - columnsOf(head.join(''))).toReversed();
  return `${head.join('')}…${tail.join('')}`;
}

// Private

const CODES: { readonly [tone in Tone]: string } = {
  plain: '',
  strong: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '31',
};

const GRAPHEMES = new Intl.Segmenter();
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/**
 * Other people's text must not steer the terminal: its colours are dropped; other control characters, and marks that turn
 * the reading direction, are shown, not sent.
 */
function visible(text: string): string {
  return text.replace(COLOUR, '').replaceAll('\t', '  ').replace(CONTROL, codeText);
}

function codeText(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const COLOUR = /\x1b\[[0-9;:]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function fitting(parts: readonly string[], columns: number): string[] {
  let used = 0;
  const end = parts.findIndex((part) => {
    used += columnsOf(part);
    return used > columns;
  });
  return end === -1 ? [...parts] : parts.slice(0, end);
}

function paintAll(cells: readonly Cell[], screen: Screen): string {
  return cells.map((cell) => paint(cell, screen)).join(' ');
}

function blockLines(block: Block, screen: Screen): string[] {
  switch (block.kind) {
    case 'table':
      return tableLines(block, screen);
    case 'drawing':
      return [block.cells.map((cell) => paint(cell, screen)).join('')];
    case 'line':
      return wrapped(block, screen);
  }
}

function wrapped({ cells, indent, hang }: Line, screen: Screen): string[] {
  const margin = ' '.repeat(indent);
  const total = cells.reduce((sum, { text }) => sum + columnsOf(visible(text)) + 1, indent - 1);
  if (total <= screen.width) return [cells.length === 0 ? '' : margin + paintAll(cells, screen)];
  const words = cells.flatMap(({ text, tone }) =>
    // Only single spaces may break: more of them are there to align.
    visible(text)
      .split(/(?<=\S) (?=\S)/)
      .map((word) => ({ text: word, tone })),
  );
  const room = screen.width - indent - hang;
  const lines: Cell[][] = [[]];
  let used = indent;
  for (const word of words) {
    const columns = columnsOf(word.text);
    if (used + columns > screen.width && columns <= room) {
      lines.push([]);
      used = indent + hang;
    }
    lines.at(-1)?.push(word);
    used += columns + 1;
  }
  return lines.map((line, index) => margin + (index > 0 ? ' '.repeat(hang) : '') + paintAll(line, screen));
}

const GAP = 2;
/** A shortened column keeps at least this. */
const LEAST = 8;

function tableLines(table: Table, screen: Screen): string[] {
  const head = table.head.map((text): Cell => ({ text, tone: 'dim' }));
  const rows: Row[] = [{ cells: head }, ...table.rows];
  const { shrink, indent = 0 } = table;
  const margin = ' '.repeat(indent);
  const widths = columnWidths(rows, shrink, screen.width - indent);
  return rows.flatMap(({ cells, note }) => {
    const last = cells.findLastIndex(({ text }) => text !== '');
    const line = cells
      .slice(0, last + 1)
      .map((cell, index) => padded(cell, widths[index] ?? 0, index === last, screen));
    if (!note) return [margin + line.join(' '.repeat(GAP))];
    const remark = cutOff(visible(note.text), screen.width - indent - GAP);
    return [
      margin + line.join(' '.repeat(GAP)),
      margin + ' '.repeat(GAP) + paint({ ...note, text: remark }, screen),
    ];
  });
}

function columnWidths(rows: readonly Row[], shrink: readonly number[], width: number): number[] {
  const count = rows[0]?.cells.length ?? 0;
  const widths = Array.from({ length: count }, (_, index) =>
    Math.max(...rows.map(({ cells }) => columnsOf(visible(cells[index]?.text ?? '')))),
  );
  let excess = widths.reduce((sum, columns) => sum + columns, GAP * (count - 1)) - width;
  for (const index of shrink) {
    const columns = widths[index] ?? 0;
    const cut = Math.max(0, Math.min(excess, columns - LEAST));
    widths[index] = columns - cut;
    excess -= cut;
  }
  return widths;
}

function padded(cell: Cell, columns: number, isLast: boolean, screen: Screen): string {
  const text = shortened(visible(cell.text), columns);
  const space = isLast ? '' : ' '.repeat(columns - columnsOf(text));
  return paint({ ...cell, text }, screen) + space;
}

function cutOff(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  return `${fitting(
    [...GRAPHEMES.segment(text)].map(({ segment }) => segment),
    columns - 1,
  ).join('')}…`;
}
