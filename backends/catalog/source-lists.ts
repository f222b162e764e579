// Price lists as text made into rows, whoever they come from.
import { type BadRow, readRows } from './csv.ts';
import { backendName, type Row } from './row.ts';
import type { CsvFile } from './zip.ts';

export interface PriceLists {
  readonly rows: readonly Row[];
  readonly versions: readonly { readonly backend: string; readonly version: string }[];
  readonly bad: readonly BadRow[];
  readonly notes: readonly string[];
}

/**
 * One list of each backend: of two for the same the first. A file is of the backend that it is named by. `isNone`: no file
 * is a price list; one without a row that can be read still is.
 */
export function readLists(files: readonly CsvFile[]): PriceLists & { readonly isNone: boolean } {
  const read = new Map<string, { readonly from: string } & ReturnType<typeof readRows>>();
  const notes: string[] = [];
  for (const { name, from = name, text } of files) {
    const backend = backendName(name.replace(/\.csv$/i, ''));
    const first = read.get(backend);
    if (first) notes.push(`${from} is left out: ${first.from} has prices of ${backend} already`);
    else read.set(backend, { from, ...readRows(backend, from, text) });
  }
  const lists = [...read.values()];
  return {
    rows: lists.flatMap(({ rows }) => rows),
    versions: [],
    bad: lists.flatMap(({ bad }) => bad),
    notes,
    isNone: lists.every(({ isList }) => !isList),
  };
}

/** `2026-07-30` of `20260730-1234`, as published lists are named; null: it does not say. */
export function dayOf(version: string): string | null {
  const [, year, month, day] = /^(20\d\d)(\d\d)(\d\d)(?!\d)/.exec(version) ?? [];
  return year === undefined ? null : `${year}-${month}-${day}`;
}
