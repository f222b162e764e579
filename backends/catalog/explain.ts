// Why there is not more to choose from: which requirement alone keeps out how many rows, and the smallest change of it
// that would let one in. Where nothing matches and no single one is to blame: those that must give way together.
import { isDeepStrictEqual } from 'node:util';
import type { Exclusion } from '../../schemas/plan.ts';
import { REQUIREMENTS, type Requirement } from './match.ts';
import { type Miss, missOf } from './miss.ts';
import type { Query } from './query.ts';
import type { Row } from './row.ts';
import type { Selection, Table } from './table.ts';
import { without } from './without.ts';

/** Nearest miss first. Requirements that must give way together are named with ` + ` between. */
export function explain(table: Table, query: Query): readonly Exclusion[] {
  const names = NAMES.filter((name) => !isDeepStrictEqual(without(query, name), query));
  const alone = names.flatMap((name) => excludedAlone(table, query, name));
  if (alone.length > 0 || table.select(query).total > 0) return nearestFirst(alone);
  const pairs = pairsOf(names).flatMap((pair) => excludedTogether(table, query, pair));
  if (pairs.length > 0) return nearestFirst(pairs).slice(0, MOST_PAIRS);
  return nearestFirst(excludedTogether(table, query, culprits(table, query, names)));
}

// Private

/** More would say less. */
const MOST_PAIRS = 3;

// An object's keys are known to be no others, as it is `as const`.
const NAMES = Object.keys(REQUIREMENTS) as readonly Requirement[];

interface Excluded {
  readonly exclusion: Exclusion;
  readonly distance: number;
}

function pairsOf(names: readonly Requirement[]): readonly (readonly Requirement[])[] {
  return names.flatMap((a, index) => names.slice(index + 1).map((b) => [a, b]));
}

function nearestFirst(excluded: readonly Excluded[]): readonly Exclusion[] {
  return excluded
    .toSorted((a, b) => a.distance - b.distance || b.exclusion.rows - a.exclusion.rows)
    .map(({ exclusion }) => exclusion);
}

function excludedAlone(table: Table, query: Query, name: Requirement): readonly Excluded[] {
  const selection = table.excluded(query, without(query, name));
  if (selection.total === 0) return [];
  const misses = differing(table, name, selection).map((row) => missOf(name, row, query));
  // The first of equals is the cheapest.
  const nearest = misses.reduce((best, miss) => (miss.distance < best.distance ? miss : best));
  return [excluded([name], selection.total, [nearest])];
}

/** Those that may differ in how far they miss it, the cheapest of each, cheapest first. */
function differing(table: Table, name: Requirement, selection: Selection): readonly Row[] {
  const partOf = table.partOf(name);
  if (partOf === null) return selection.ids(1).map(table.row);
  const seen: boolean[] = [];
  const firsts = selection.ids(selection.total).filter((id) => {
    const part = partOf(id);
    const isFirst = seen[part] !== true;
    seen[part] = true;
    return isFirst;
  });
  return firsts.map(table.row);
}

/** Of requirements of which none can stay: every row that comes without them misses them all. */
function excludedTogether(table: Table, query: Query, names: readonly Requirement[]): readonly Excluded[] {
  const { total, ids } = table.select(names.reduce(without, query));
  const [cheapest] = ids(1);
  if (cheapest === undefined) return [];
  const row = table.row(cheapest);
  const misses = names.map((name) => missOf(name, row, query));
  return [excluded(names, total, misses)];
}

/** Everything gives way, then comes back one by one where something still matches: places and prices last. */
function culprits(table: Table, query: Query, names: readonly Requirement[]): readonly Requirement[] {
  return names.reduceRight((gone, name) => {
    const fewer = gone.filter((each) => each !== name);
    return table.select(fewer.reduce(without, query)).total > 0 ? fewer : gone;
  }, names);
}

function excluded(names: readonly Requirement[], rows: number, misses: readonly Miss[]): Excluded {
  const texts = misses.map(({ words }, index) =>
    names.length > 1 ? named(names[index] ?? '', words) : words,
  );
  const words = texts.filter((text) => text !== '');
  return {
    exclusion: { requirement: names.join(' + '), rows, nearest: words.join(' and ') },
    distance: misses.reduce((sum, { distance }) => sum + distance, 0),
  };
}

/** Beside others a bare value does not say what it is of. */
function named(name: string, words: string): string {
  return words === '' || words.startsWith('`') ? words : `\`${name}: ${words}\``;
}
