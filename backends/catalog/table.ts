// Rows as numbers: sorted once, cheapest first, each no more than its price and the numbers of its place, name and kind.
// A query judges places, names and kinds, of which there are few, and then only looks verdicts up.
import { type Column, isAbout, judge, kindsOf, namesOf, partsOf, placesOf, type Verdict } from './columns.ts';
import type { Requirement } from './match.ts';
import { compareRows } from './order.ts';
import type { Query } from './query.ts';
import type { Row } from './row.ts';

export interface Table {
  readonly size: number;
  readonly backends: readonly string[];
  select(query: Query): Selection;
  /** What `loose` lets in and `query` does not. */
  excluded(query: Query, loose: Query): Selection;
  row(id: number): Row;
  /** Tells rows apart by what the requirement reads; null: by their price. */
  partOf(requirement: Requirement): ((id: number) => number) | null;
}

export interface Selection {
  readonly total: number;
  /** The first `limit`, cheapest first. */
  ids(limit: number): readonly number[];
}

export function createTable(rows: readonly Row[]): Table {
  const sorted = rows.toSorted(compareRows);
  const size = sorted.length;
  const prices = Float64Array.from(sorted, ({ price }) => price);
  const [places, names, kinds] = [placesOf(sorted), namesOf(sorted), kindsOf(sorted)];
  const parts = partsOf(kinds);

  function sieve(query: Query): Sieved {
    return sift(query.maxPrice === null ? size : countUpTo(prices, query.maxPrice), size, {
      places: [places.codes, judge(places, query)],
      names: [names.codes, judge(names, query)],
      kinds: [kinds.codes, judgeAll(parts, kinds.examples.length, query)],
    });
  }

  return {
    size,
    backends: [...new Set(places.examples.map(({ backend }) => backend))].sort(),
    select: (query) => selectionOf(sieve(query)),
    excluded: (query, loose) => selectionOf(except(sieve(loose), sieve(query))),
    row(id) {
      const [place, name, kind] = [places, names, kinds].map(
        ({ examples, codes }) => examples[codes[id] ?? 0],
      );
      const price = prices[id];
      if (!place || !name || !kind || price === undefined) throw new Error(`there is no row ${id}`);
      return { ...kind, region: place.region, instance: name.instance, price };
    },
    partOf(requirement) {
      const own = [places, names].find((column) => isAbout(column, requirement));
      if (own) return (id) => own.codes[id] ?? 0;
      const part = parts.find((column) => isAbout(column, requirement));
      return part ? (id) => part.codes[kinds.codes[id] ?? 0] ?? 0 : null;
    },
  };
}

// Private

type Codes = Column['codes'];

/** For each row 1 if it matches, and how many do. */
interface Sieved {
  readonly kept: Verdict;
  readonly total: number;
}

interface Judged {
  readonly places: readonly [Codes, Verdict];
  readonly names: readonly [Codes, Verdict];
  readonly kinds: readonly [Codes, Verdict];
}

function selectionOf({ kept, total }: Sieved): Selection {
  return { total, ids: (limit) => firsts(kept, Math.min(limit, total)) };
}

function firsts(kept: Verdict, limit: number): readonly number[] {
  const ids: number[] = [];
  for (let id = kept.indexOf(1); ids.length < limit; id = kept.indexOf(1, id + 1)) ids.push(id);
  return ids;
}

/** For each of `size` kinds whether all its parts are as asked. */
function judgeAll(parts: readonly Column[], size: number, query: Query): Verdict {
  const verdict = new Uint8Array(size).fill(1);
  for (const part of parts) {
    const kept = judge(part, query);
    if (!kept.includes(0)) continue;
    for (let kind = 0; kind < size; kind += 1)
      verdict[kind] = (verdict[kind] ?? 0) & (kept[part.codes[kind] ?? 0] ?? 0);
  }
  return verdict;
}

/**
 * The first `end` of `size` rows whose place, name and kind are all kept. This is where a query spends its time: one loop,
 * alone in its function and without a branch, as half of the guesses would be wrong.
 */
function sift(end: number, size: number, { places, names, kinds }: Judged): Sieved {
  const kept = new Uint8Array(size);
  const [[placeOf, keepsPlace], [nameOf, keepsName], [kindOf, keepsKind]] = [places, names, kinds];
  let total = 0;
  for (let id = 0; id < end; id += 1) {
    const one =
      (keepsPlace[placeOf[id] ?? 0] ?? 0) &
      (keepsName[nameOf[id] ?? 0] ?? 0) &
      (keepsKind[kindOf[id] ?? 0] ?? 0);
    kept[id] = one;
    total += one;
  }
  return { kept, total };
}

function except(loose: Sieved, strict: Sieved): Sieved {
  const kept = loose.kept.map((one, id) => one & ~(strict.kept[id] ?? 0));
  return { kept, total: loose.total - strict.total };
}

/** How many of the ascending `values` are not above `most`. */
function countUpTo(values: Float64Array, most: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}
