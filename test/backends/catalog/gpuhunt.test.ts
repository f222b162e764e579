// The rule against the one it is to be the same as. `TRUEUP_GPUHUNT_PYTHON` names a Python with gpuhunt.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCatalog } from '../../../backends/catalog/index.ts';
import { matches } from '../../../backends/catalog/match.ts';
import { GPUHUNT, gpuhuntFinds } from './gpuhunt.ts';
import { anyQuery, anyRow, query } from './rows.ts';

const ALL = { limit: Number.POSITIVE_INFINITY };

test.skipIf(GPUHUNT === null)(
  'what matches here matches there (skipped unless TRUEUP_GPUHUNT_PYTHON names a Python with gpuhunt)',
  async () => {
    const rows = fc.sample(anyRow, { numRuns: 2000, seed: SEED });
    const queries = fc.sample(anyQuery, { numRuns: 500, seed: SEED }).map((asked) => ({
      ...asked,
      // What dstack decides, not gpuhunt.
      backends: null,
      regions: null,
      availabilityZones: null,
      instanceTypes: null,
      features: [],
    }));
    const answers = await gpuhuntFinds(GPUHUNT ?? '', rows, queries);
    for (const [index, asked] of queries.entries()) {
      const found = new Set(answers[index]?.found);
      // Which disks can be chosen is the backends' business, so of those gpuhunt takes any.
      const isChosen = (row: (typeof rows)[number]) => row.diskGib === null;
      const theirs = rows.filter(
        (row, place) => found.has(place) && (!isChosen(row) || fitsDisk(row, asked)),
      );
      expect(rows.filter((row) => matches(row, asked))).toEqual(theirs);
      expect(createCatalog(theirs).query(asked, ALL).total).toBe(theirs.length);
    }
    const counts = answers.map(({ found }) => found.length);
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(50);
  },
  60_000,
);

const SEED = 20261129;

function fitsDisk(row: Parameters<typeof matches>[0], { diskGib }: Parameters<typeof matches>[1]): boolean {
  return matches(row, query({ diskGib }));
}
