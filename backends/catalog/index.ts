// A price list made ready to be asked: what is for sale, cheapest first, and why not more is.
import type { Offer } from '../../schemas/offer.ts';
import type { Exclusion } from '../../schemas/plan.ts';
import { diskOf } from './disk.ts';
import { explain } from './explain.ts';
import type { Query } from './query.ts';
import type { Row } from './row.ts';
import { createTable } from './table.ts';

export interface Catalog {
  readonly size: number;
  readonly backends: readonly string[];
  /** The first `limit` that match in the order of rows, and how many do in all. */
  query(
    query: Query,
    options: { readonly limit: number },
  ): { readonly offers: readonly Offer[]; readonly total: number };
  /** Which requirement alone keeps out how many more, nearest miss first. Takes some twenty times what a query takes. */
  explain(query: Query): readonly Exclusion[];
}

/** Of `rows` it keeps one of each place, name and kind of machine, and of each row 14 bytes. */
export function createCatalog(rows: readonly Row[]): Catalog {
  const table = createTable(rows);
  return {
    size: table.size,
    backends: table.backends,
    query(query, { limit }) {
      const { total, ids } = table.select(query);
      return { offers: ids(limit).map((id) => offerOf(table.row(id), query)), total };
    },
    explain: (query) => explain(table, query),
  };
}

// Private

function offerOf(row: Row, { diskGib }: Query): Offer {
  const gpu = { name: row.gpuName ?? '', vendor: row.gpuVendor ?? '', memoryGib: row.gpuMemoryGib ?? 0 };
  return {
    backend: row.backend,
    region: row.region,
    instance: row.instance,
    resources: {
      cpus: row.cpu,
      arch: row.arch,
      memoryGib: row.memoryGib,
      diskGib: diskOf(row, diskGib) ?? 0,
      gpus: Array.from({ length: row.gpuCount }, () => gpu),
    },
    spot: row.spot,
    price: row.price,
    availability: 'unknown',
  };
}
