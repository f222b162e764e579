// The prices that ship with trueup, for where there is no network. Made by `make-snapshot.ts`; where they are from and of
// which day stands in `snapshot-sources.ts`. They are never live.
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { type PackedList, unpack } from './snapshot-form.ts';
import { datesText, SOURCES } from './snapshot-sources.ts';
import type { PriceLists } from './source-lists.ts';

export const SNAPSHOT_FILE = new URL('./snapshot/prices.json.br', import.meta.url);

/** Of its newest price; most are older. */
export const SNAPSHOT_DATE =
  SOURCES.flatMap(({ dates }) => dates)
    .toSorted()
    .at(-1) ?? '';

export function readSnapshot(): PriceLists {
  const lists = JSON.parse(
    brotliDecompressSync(readFileSync(SNAPSHOT_FILE)).toString('utf8'),
  ) as PackedList[];
  return {
    rows: lists.flatMap(unpack),
    versions: SOURCES.map((source) => ({ backend: source.backend, version: datesText(source) })),
    bad: [],
    notes: [],
  };
}
