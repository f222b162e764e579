// Where a picture of a run is drawn: time from left to right, a label before each row.
import { type Cell, type Drawing, plain } from './cells.ts';

export interface Canvas {
  /** Columns of the labels, and of the lanes. */
  readonly label: number;
  readonly columns: number;
  readonly durationMs: number;
}

export const MARGIN = 2;

/** A stretch of time, in ms from the beginning. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function row({ label }: Canvas, name: Cell, cells: readonly Cell[]): Drawing {
  const text = name.text.length > label ? `${name.text.slice(0, label - 1)}…` : name.text.padEnd(label);
  return { kind: 'drawing', cells: [plain(' '.repeat(MARGIN)), { ...name, text: `${text} ` }, ...cells] };
}

export function columnOf({ columns, durationMs }: Canvas, ms: number): number {
  return Math.min(columns - 1, Math.max(0, Math.floor((ms / durationMs) * columns)));
}

/** The stretch that each column mostly shows; null: none. */
export function columnsOf<S extends Span>(canvas: Canvas, stretches: readonly S[]): (S | null)[] {
  const width = canvas.durationMs / canvas.columns;
  return Array.from({ length: canvas.columns }, (_, column) =>
    mostly(stretches, column * width, (column + 1) * width),
  );
}

/** Nothing is drawn behind the last thing to be seen; neighbours of one tone become one cell. */
export function drawn(cells: readonly Cell[]): Cell[] {
  const shown = cells.slice(0, cells.findLastIndex(({ text }) => text !== ' ') + 1);
  const joined: Cell[] = [];
  for (const cell of shown) {
    const last = joined.at(-1);
    if (last?.tone === cell.tone) joined[joined.length - 1] = { ...last, text: last.text + cell.text };
    else joined.push(cell);
  }
  return joined;
}

// Private

function mostly<S extends Span>(stretches: readonly S[], from: number, to: number): S | null {
  let best: S | null = null;
  let longest = 0;
  for (const stretch of stretches) {
    const shared = Math.min(to, stretch.to) - Math.max(from, stretch.from);
    if (shared > longest) [best, longest] = [stretch, shared];
  }
  return best;
}
