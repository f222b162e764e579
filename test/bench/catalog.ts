// One question to a price list of 100,000 rows: the index, a look at every row by the same rules, and gpuhunt, from which
// the lists come, where a Python that has it is named by TRUEUP_GPUHUNT_PYTHON.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Catalog, createCatalog } from '../../backends/catalog/index.ts';
import { matcherOf } from '../../backends/catalog/match.ts';
import { compareRows } from '../../backends/catalog/order.ts';
import type { Query } from '../../backends/catalog/query.ts';
import type { Row as Priced } from '../../backends/catalog/row.ts';
import { readSnapshot } from '../../backends/catalog/snapshot.ts';
import { GPUHUNT, gpuhuntFinds } from '../backends/catalog/gpuhunt.ts';
import { query } from '../backends/catalog/rows.ts';
import { type Entry, median, type Row, ratiosOf } from './figures.ts';

const ROWS = 100_000;
const LIMIT = 10;
/** Times that each question is asked; its median counts. */
const REPEATS = { index: 200, explain: 10, scan: 10, gpuhunt: 3, build: 5 };

export const catalogEntry: Entry = {
  name: 'catalog',
  title: `A question to a price list of ${ROWS.toLocaleString('en-US')} rows`,
  async run(say) {
    const bytes = bytesPerRow();
    const rows = manyRows();
    say('building');
    const builds = timesOf(REPEATS.build, () => createCatalog(rows));
    const catalog = createCatalog(rows);
    say('asking the index');
    const index = QUERIES.map((asked) =>
      median(timesOf(REPEATS.index, () => catalog.query(asked, { limit: LIMIT }))),
    );
    const explained = QUERIES.map((asked) => median(timesOf(REPEATS.explain, () => catalog.explain(asked))));
    say('looking at every row');
    const scans = QUERIES.map((asked) => median(timesOf(REPEATS.scan, () => rows.filter(matcherOf(asked)))));
    say('asking gpuhunt');
    const gpuhunt = await askGpuhunt(rows, catalog);
    return {
      rows: [
        { what: `index: first ${LIMIT} and how many`, unit: 'ms', samples: index },
        { what: 'a look at every row', unit: 'ms', samples: scans, ratios: ratiosOf(scans, index) },
        ...(gpuhunt
          ? [{ what: 'gpuhunt', unit: 'ms', samples: gpuhunt, ratios: ratiosOf(gpuhunt, index) } as const]
          : []),
        {
          what: 'index: why there is not more',
          unit: 'ms',
          samples: explained,
          ratios: ratiosOf(explained, index),
        },
        { what: 'building the index', unit: 'ms', samples: builds },
        { what: 'memory of the index, bytes/row', unit: '', samples: [bytes] },
      ] satisfies Row[],
      notes: [
        `${QUERIES.length} questions, a sample for each; ratios are to the index. Rows: the list that ships with trueup, repeated with other regions and prices.`,
        ...(gpuhunt ? [] : ['gpuhunt was left out: TRUEUP_GPUHUNT_PYTHON names no Python that has it.']),
      ],
    };
  },
};

// Private

/** What people ask for: nothing, CPUs, one or many GPUs by name or by size, cheap, spot, and what is not there. */
const QUERIES: readonly Query[] = [
  {},
  { cpu: atLeast(16), memoryGib: atLeast(64) },
  { cpu: exactly(4), memoryGib: exactly(16), arch: 'arm' as const },
  { gpu: { count: atLeast(1) } },
  { gpu: { count: atLeast(1), memoryGib: atLeast(24), vendor: 'nvidia' } },
  { gpu: { count: exactly(8), names: ['H100'] } },
  { gpu: { count: { min: 1, max: 2 }, names: ['A100', 'H100', 'L40S'] }, spot: 'auto' as const },
  { gpu: { count: atLeast(1), totalMemoryGib: atLeast(320) }, backends: ['gcp', 'aws'] },
  { gpu: { count: atLeast(1), computeCapability: '8.9' }, maxPrice: 5 },
  { gpu: { count: atLeast(1), names: ['MI300X'] }, maxPrice: 0.5, spot: 'spot' as const },
].map((asked) =>
  query({ cpu: atLeast(2), memoryGib: atLeast(8), diskGib: atLeast(100), spot: 'on-demand', ...asked }),
);

function atLeast(min: number) {
  return { min, max: null };
}

function exactly(value: number) {
  return { min: value, max: value };
}

function manyRows(): readonly Priced[] {
  const { rows } = readSnapshot();
  return Array.from({ length: ROWS }, (_, i) => {
    const round = Math.floor(i / rows.length);
    const row = rows[i % rows.length];
    if (!row) throw new Error('the price list is empty');
    return round === 0
      ? row
      : { ...row, region: `${row.region}-${round}`, price: row.price * (1 + round / 100) };
  }).toSorted(compareRows);
}

function timesOf(repeats: number, run: () => unknown): readonly number[] {
  return Array.from({ length: repeats }, () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
}

/** With what it keeps of its rows, as nothing else keeps them. Before anything else, when there is least to collect. */
function bytesPerRow(): number {
  const none = usedWith(() => createCatalog([]));
  const many = usedWith(() => createCatalog(manyRows()));
  return (many.bytes - none.bytes) / many.size;
}

function usedWith(create: () => Catalog): { readonly bytes: number; readonly size: number } {
  const catalog = create();
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { bytes: heapUsed + arrayBuffers, size: catalog.size };
}

// Private: gpuhunt

/** null: it is not there. Throws when it finds anything else than the catalog. */
async function askGpuhunt(rows: readonly Priced[], catalog: Catalog): Promise<readonly number[] | null> {
  if (GPUHUNT === null) return null;
  const answers = await gpuhuntFinds(GPUHUNT, rows, QUERIES, REPEATS.gpuhunt);
  for (const [i, asked] of QUERIES.entries()) {
    const [ours, theirs] = [catalog.query(asked, { limit: 0 }).total, answers[i]?.found.length];
    if (ours !== theirs) throw new Error(`question ${i}: the index finds ${ours}, gpuhunt ${theirs}`);
  }
  return answers.map(({ ms }) => ms);
}
