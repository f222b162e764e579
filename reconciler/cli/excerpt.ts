// Shows a problem where it is: the line of the file with a caret under the value, then the message and the fix.
import type { Finding } from '../../schemas/problems.ts';
import type { Block, Cell } from '../view/cells.ts';
import { dim, line, plain, strong } from '../view/cells.ts';
import { columnsOf } from './screen.ts';

/** `path` as the user typed it. */
export function excerptBlocks(path: string, text: string, problem: Finding, width: number): Block[] {
  const { line: number, column, message, fix, severity } = problem;
  const tone = severity === 'error' ? 'bad' : 'warn';
  const title = line(0, { text: severity, tone }, strong(message));
  const place = line(2, dim(`${path}:${number}:${column}`));
  const source = text.split(LINE_END)[number - 1];
  const shown =
    source === undefined || source.trim() === '' ? [] : sourceLines(source, number, column, width, tone);
  return [title, place, ...shown, ...(fix ? [line(2, dim('fix'), plain(fix))] : []), line(0)];
}

/** The column behind the value, from 1. */
export function valueEnd(text: string, { line: number, column }: Finding): number {
  const source = text.split(LINE_END)[number - 1] ?? '';
  return column + valueLength(source.slice(column - 1));
}

// Private

/** As `parseYaml` counts lines. */
const LINE_END = /\r\n?|\n/;

function sourceLines(
  source: string,
  number: number,
  column: number,
  width: number,
  tone: Cell['tone'],
): Block[] {
  const gutter = `${number} |`;
  const room = Math.max(20, width - gutter.length - 4);
  const { text, start, length } = cropped(source.replace(/\p{Cc}/gu, ' '), column - 1, room);
  const before = columnsOf(text.slice(0, start));
  const under = ' '.repeat(before) + '^'.repeat(Math.max(1, columnsOf(text.slice(start, start + length))));
  return [
    line(2, dim(gutter), plain(text)),
    line(2, dim(`${' '.repeat(gutter.length - 1)}|`), { text: under, tone }),
  ];
}

/** A window of a long line around the value. */
function cropped(source: string, at: number, room: number) {
  const length = valueLength(source.slice(at));
  if (source.length <= room) return { text: source, start: at, length };
  const from = Math.max(0, Math.min(at - Math.floor(room / 3), source.length - room));
  const head = from > 0 ? '…' : '';
  const text = `${head}${source.slice(from + head.length, from + room - 1)}${from + room < source.length ? '…' : ''}`;
  const start = at - from;
  return { text, start, length: Math.max(1, Math.min(length, text.length - start)) };
}

/** How far the value (or key) at the start of `rest` goes: to its quote or bracket, else to what ends it in YAML. */
function valueLength(rest: string): number {
  const whole = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|\s+)/.exec(rest);
  if (whole) return whole[0].length;
  if (/^[[{]/.test(rest)) return flowLength(rest);
  return Math.max(1, rest.split(/,\s|\s#|:\s|:$|[\]}]\s*(?:$|[,\]}#])/)[0]?.trimEnd().length ?? 0);
}

/** To the bracket that closes the first one; to the end of the line where there is none. */
function flowLength(rest: string): number {
  let depth = 0;
  for (const { 0: bracket, index } of rest.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    if (depth === 0) return index + 1;
  }
  return rest.trimEnd().length;
}
