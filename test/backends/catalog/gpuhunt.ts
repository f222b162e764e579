// The matcher that price lists are made for: gpuhunt itself, in a Python that has it.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Query } from '../../../backends/catalog/query.ts';
import type { Row } from '../../../backends/catalog/row.ts';

/** null: nobody says which Python has it. */
export const GPUHUNT = process.env.TRUEUP_GPUHUNT_PYTHON || null;

export interface Found {
  /** Places of rows. */
  readonly found: readonly number[];
  /** The median of `repeats` times. */
  readonly ms: number;
}

/** For each query which rows match. Places, instance types and features are not its business. */
export async function gpuhuntFinds(
  python: string,
  rows: readonly Row[],
  queries: readonly Query[],
  repeats = 1,
): Promise<readonly Found[]> {
  const dir = mkdtempSync(join(tmpdir(), 'trueup-gpuhunt-'));
  try {
    const file = join(dir, 'job.json');
    writeFileSync(file, JSON.stringify({ rows: rows.map(itemOf), queries: queries.map(filterOf), repeats }));
    const { stdout } = await promisify(execFile)(python, ['-c', PYTHON, file], { maxBuffer: 2 ** 30 });
    return JSON.parse(stdout) as readonly Found[];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

// Private

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
        found = [n for n, i in enumerate(items) if matches(i, q)]
        times.append((time.perf_counter() - started) * 1000)
    answers.append({"found": found, "ms": statistics.median(times)})
print(json.dumps(answers))
`;

function itemOf(row: Row) {
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
