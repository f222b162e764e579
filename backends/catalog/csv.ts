// Reads price lists as gpuhunt publishes them: columns by name, so that a list may have more of them, or fewer. A line
// that cannot be read is left out and named; it never costs the others.
import { parse } from 'csv-parse/sync';
import { VENDORS } from '../../schemas/resources.ts';
import { backendName, type Row } from './row.ts';

/** A line that was left out, and why. */
export interface BadRow {
  readonly file: string;
  /** From 1, the header included. */
  readonly line: number;
  readonly message: string;
}

/** `backend` is whose list it is, unless a column `provider` says so of each line. `isList`: its first line says so. */
export function readRows(
  backend: string,
  file: string,
  csv: string,
): { readonly rows: readonly Row[]; readonly bad: readonly BadRow[]; readonly isList: boolean } {
  const [header, ...lines] = linesOf(csv);
  if (header === undefined) return { rows: [], bad: [], isList: false };
  const names = 'cells' in header ? header.cells : [];
  const missing = REQUIRED.filter((column) => !names.includes(column));
  if (missing.length > 0) {
    const message = `this is no price list: there is no column ${missing.join(', ')}`;
    return { rows: [], bad: [{ file, line: header.line, message }], isList: false };
  }
  const rows: Row[] = [];
  const bad: BadRow[] = [];
  for (const line of lines) {
    const read = 'cells' in line ? rowOf(cellsUnder(names, line.cells), backend) : line.message;
    if (typeof read === 'string') bad.push({ file, line: line.line, message: read });
    else rows.push(read);
  }
  return { rows, bad, isList: true };
}

// Private: lines

type Line = { readonly line: number } & (
  | { readonly cells: readonly string[] }
  | { readonly message: string }
);

const SYNTAX = { bom: true, relax_column_count: true, skip_empty_lines: true };

function linesOf(csv: string): readonly Line[] {
  const lines: Line[] = [];
  const failure = readInto(lines, csv, 0);
  return failure === null ? lines : oneByOne(csv);
}

/** What the syntax error is; null: there is none. */
function readInto(lines: Line[], csv: string, before: number): string | null {
  try {
    parse(csv, {
      ...SYNTAX,
      on_record: (cells: string[], { lines: line }) => {
        lines.push({ line: before + line, cells });
        return null;
      },
    });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A quote in the wrong place takes lines with it that are fine. No cell of a price list has a line break. */
function oneByOne(csv: string): readonly Line[] {
  const lines: Line[] = [];
  for (const [index, text] of csv.split(/\r?\n/).entries()) {
    const failure = readInto(lines, text, index);
    if (failure !== null) lines.push({ line: index + 1, message: failure });
  }
  return lines;
}

// Private: cells

type Cells = (column: string) => string;

const REQUIRED = ['instance_name', 'location', 'price', 'cpu', 'memory', 'gpu_count', 'spot'];

/** Before vendors and architectures had columns, GPUs were of NVIDIA, `tpu-` began the name of a TPU, and CPUs were x86. */
const TPU = 'tpu-';

/** More than any machine has: an offer lists each of its GPUs, and a slip in a list must not fill the memory. */
const MOST_GPUS = 1024;

const FORMATS: readonly (readonly [column: string, what: string, fits: (text: string) => boolean])[] = [
  ['instance_name', 'a name', (text) => text !== ''],
  ['location', 'a name', (text) => text !== ''],
  ['price', 'an amount', isAmount],
  ['cpu', 'a count', isCount],
  ['memory', 'an amount', isAmount],
  ['gpu_count', 'a count', isCount],
  ['gpu_count', 'a count that a machine can have', (text) => Number(text) <= MOST_GPUS],
  ['gpu_memory', 'an amount', optional(isAmount)],
  ['gpu_vendor', 'a vendor', optional((text) => VENDORS.some((vendor) => vendor === text.toLowerCase()))],
  ['spot', '`True` or `False`', (text) => /^(true|false)$/i.test(text)],
  ['disk_size', 'an amount', optional(isAmount)],
  ['cpu_arch', '`x86` or `arm`', optional((text) => /^(x86|arm)$/i.test(text))],
  ['provider_data', 'JSON', optional(isJson)],
];

function cellsUnder(names: readonly string[], cells: readonly string[]): Cells {
  return (column) => cells[names.indexOf(column)] ?? '';
}

/** The row, or what is wrong with it. */
function rowOf(cell: Cells, backend: string): Row | string {
  const wrong = FORMATS.find(([column, , fits]) => !fits(cell(column)));
  if (wrong) return `\`${wrong[0]}\` is "${cell(wrong[0])}", which is not ${wrong[1]}`;
  const gpuCount = Number(cell('gpu_count'));
  const gpuName = cell('gpu_name');
  const isTpu = gpuName.startsWith(TPU);
  const implied = isTpu ? 'google' : gpuCount > 0 ? 'nvidia' : null;
  return {
    backend: backendName(cell('provider') || backend),
    instance: cell('instance_name'),
    region: cell('location'),
    price: Number(cell('price')),
    cpu: Number(cell('cpu')),
    memoryGib: Number(cell('memory')),
    gpuCount,
    gpuName: (isTpu ? gpuName.slice(TPU.length) : gpuName) || null,
    gpuMemoryGib: amountOf(cell('gpu_memory')),
    gpuVendor: cell('gpu_vendor').toLowerCase() || implied,
    spot: cell('spot').toLowerCase() === 'true',
    diskGib: amountOf(cell('disk_size')),
    flags: cell('flags').split(/\s+/).filter(Boolean),
    arch: cell('cpu_arch').toLowerCase() === 'arm' ? 'arm' : 'x86',
  };
}

function amountOf(text: string): number | null {
  return text === '' ? null : Number(text);
}

function optional(fits: (text: string) => boolean): (text: string) => boolean {
  return (text) => text === '' || fits(text);
}

function isAmount(text: string): boolean {
  return /^\s*(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) && Number.isFinite(Number(text));
}

function isCount(text: string): boolean {
  return /^\s*\d+\s*$/.test(text);
}

/** Nothing here reads it, but a row with half of it is half a row. */
function isJson(text: string): boolean {
  if (text === '{}') return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
