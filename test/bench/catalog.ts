// One question to a price list of 100,000 rows: the index, a look at every row by the same rules, and gpuhunt, from which
// the lists come, where a Python that has it is named by TRUEUP_GPUHUNT_PYTHON.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Catalog, createCatalog } from '../../backends/catalog/index.ts';
import { matcherOf } from '../../backends/catalog/match.ts';
import { compareRows } from '../../backends/catalog/order.ts';
import type { Query } from '../../backends/catalog/query.ts';
import type { Row as Priced } from '../../backends/catalog/row.ts';
import { readSnapshot } from '../../backends/catalog/snapshot.ts';
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

/** Reads `{rows, queries}`, says for each query how many match and the median of the milliseconds it took. */
const PYTHON = `
import json, statistics, sys, time
from gpuhunt import CatalogItem, QueryFilter
from gpuhunt._internal.constraints import matches
from gpuhunt._internal.models import AcceleratorVendor, CPUArchitecture

def item(r):
    vendor = AcceleratorVendor(r.pop("gpu_vendor")) if r["gpu_vendor"] else r.pop("gpu_vendor")
    return CatalogItem(**{**r, "gpu_vendor": vendor, "cpu_arch": CPUArchitecture(r["cpu_arch"])})

def query(q):
    if q["cpu_arch"]: q["cpu_arch"] = CPUArchitecture(q["cpu_arch"])
    if q["gpu_vendor"]: q["gpu_vendor"] = AcceleratorVendor(q["gpu_vendor"])
    if q["min_compute_capability"]: q["min_compute_capability"] = tuple(map(int, q["min_compute_capability"].split(".")))
    return QueryFilter(**q)

data = json.load(open(sys.argv[1]))
items = [item(r) for r in data["rows"]]
answers = []
for q in map(query, data["queries"]):
    times = []
    for _ in range(data["repeats"]):
        started = time.perf_counter()
        found = [i for i in items if matches(i, q)]
        times.append((time.perf_counter() - started) * 1000)
    answers.append({"total": len(found), "ms": statistics.median(times)})
print(json.dumps(answers))
`;

interface Answer {
  readonly total: number;
  readonly ms: number;
}

/** null: it is not there. Throws when it finds anything else than the catalog. */
async function askGpuhunt(rows: readonly Priced[], catalog: Catalog): Promise<readonly number[] | null> {
  const python = process.env.TRUEUP_GPUHUNT_PYTHON;
  if (!python) return null;
  const dir = mkdtempSync(join(tmpdir(), 'trueup-bench-'));
  try {
    const file = join(dir, 'job.json');
    const job = { rows: rows.map(itemOf), queries: QUERIES.map(filterOf), repeats: REPEATS.gpuhunt };
    writeFileSync(file, JSON.stringify(job));
    const { stdout } = await promisify(execFile)(python, ['-c', PYTHON, file]);
    const answers = JSON.parse(stdout) as readonly Answer[];
    for (const [i, asked] of QUERIES.entries()) {
      const [ours, theirs] = [catalog.query(asked, { limit: 0 }).total, answers[i]?.total];
      if (ours !== theirs) throw new Error(`question ${i}: the index finds ${ours}, gpuhunt ${theirs}`);
    }
    return answers.map(({ ms }) => ms);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function itemOf(row: Priced) {
  return {
    provider: row.backend,
    instance_name: row.instance,
    location: row.region,
    price: row.price,
    cpu: row.cpu,
    memory: row.memoryGib,
    gpu_count: row.gpuCount,
    gpu_name: row.gpuName,
    gpu_memory: row.gpuMemoryGib,
    gpu_vendor: row.gpuVendor,
    spot: row.spot,
    disk_size: row.diskGib,
    flags: row.flags,
    cpu_arch: row.arch,
  };
}

function filterOf({ gpu, ...asked }: Query) {
  return {
    provider: asked.backends,
    cpu_arch: asked.arch,
    min_cpu: asked.cpu.min,
    max_cpu: asked.cpu.max,
    min_memory: asked.memoryGib.min,
    max_memory: asked.memoryGib.max,
    min_disk_size: asked.diskGib.min,
    max_disk_size: asked.diskGib.max,
    max_price: asked.maxPrice,
    spot: asked.spot === 'auto' ? null : asked.spot === 'spot',
    allowed_flags: asked.allowedFlags,
    gpu_vendor: gpu.vendor,
    gpu_name: gpu.names.length === 0 ? null : gpu.names,
    min_gpu_count: gpu.count.min,
    max_gpu_count: gpu.count.max,
    min_gpu_memory: gpu.memoryGib?.min ?? null,
    max_gpu_memory: gpu.memoryGib?.max ?? null,
    min_total_gpu_memory: gpu.totalMemoryGib?.min ?? null,
    max_total_gpu_memory: gpu.totalMemoryGib?.max ?? null,
    min_compute_capability: gpu.computeCapability,
  };
}
