// Where prices come from: a folder of price lists, the published ones as last read, or the snapshot that ships with
// trueup. The first two are lists of some day and the last is older still: nothing here is ever a live price.
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { Failure } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { BadRow } from './csv.ts';
import { readFolder } from './folder.ts';
import { type Catalog, createCatalog } from './index.ts';
import { PUBLISHED_URL, readPublished } from './published.ts';
import type { Row } from './row.ts';
import { readSnapshot, SNAPSHOT_DATE } from './snapshot.ts';
import { dayOf, type PriceLists } from './source-lists.ts';

export type CatalogFrom =
  | { readonly kind: 'folder'; readonly dir: string }
  | {
      readonly kind: 'published';
      /** What the providers' folders are below. */
      readonly url: string;
      /** Where what was read is kept. */
      readonly cacheDir: string;
      /** Whether it may be asked now; else what was kept will do. */
      readonly network: boolean;
    };

export interface LoadedCatalog {
  readonly catalog: Catalog;
  readonly source: Plan['prices']['source'];
  /** ISO 8601, of its newest price; null: nobody said. */
  readonly date: string | null;
  readonly providers: readonly {
    readonly backend: string;
    readonly rows: number;
    /** Of its list; of the snapshot: from when its prices are. null: nobody said. */
    readonly version: string | null;
  }[];
  /** Lines that could not be read. */
  readonly bad: readonly BadRow[];
  /** What a reader should know of how it was come by: what was left out, or is older than it should be. */
  readonly notes: readonly string[];
}

/** `dir` and `network` are what the user says now; without them the environment decides, and nothing is asked for. */
export function catalogFrom(
  env: NodeJS.ProcessEnv,
  { dir, network }: { readonly dir?: string | undefined; readonly network?: boolean | undefined } = {},
): CatalogFrom {
  const { TRUEUP_CATALOG_URL: url, TRUEUP_CATALOG_DIR: folder, XDG_CACHE_HOME: cache } = env;
  if (dir !== undefined) return { kind: 'folder', dir };
  if (folder && !network) return { kind: 'folder', dir: folder };
  const cacheHome = cache && isAbsolute(cache) ? cache : join(env.HOME || homedir(), '.cache');
  return {
    kind: 'published',
    url: url ? checkedUrl(url) : PUBLISHED_URL,
    cacheDir: join(cacheHome, 'trueup', 'catalog'),
    network: network ?? Boolean(url),
  };
}

/** Throws `invalid` when a folder has no prices; the published lists have the snapshot to fall back on. */
export async function openCatalog(from: CatalogFrom): Promise<LoadedCatalog> {
  if (from.kind === 'folder') return loaded('catalog', null, await readFolder(from.dir));
  const lists = await readPublished(from);
  const date = newest(lists.versions.map(({ version }) => dayOf(version)));
  const isBetter = lists.rows.length > 0 && (from.network || date === null || date >= SNAPSHOT_DATE);
  if (isBetter) return loaded('catalog', date, lists);
  const snapshot = readSnapshot();
  return loaded('snapshot', SNAPSHOT_DATE, { ...snapshot, notes: lists.notes });
}

// Private

function loaded(source: LoadedCatalog['source'], date: string | null, lists: PriceLists): LoadedCatalog {
  const { rows, versions, bad, notes } = lists;
  const versionOf = new Map(versions.map(({ backend, version }) => [backend, version]));
  const counts = countsOf(rows);
  const providers = [...counts].map(([backend, count]) => ({
    backend,
    rows: count,
    version: versionOf.get(backend) ?? null,
  }));
  return { catalog: createCatalog(rows), source, date, providers, bad, notes };
}

function countsOf(rows: readonly Row[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { backend } of rows) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  return new Map([...counts].sort());
}

function newest(days: readonly (string | null)[]): string | null {
  return (
    days
      .filter((day) => day !== null)
      .toSorted()
      .at(-1) ?? null
  );
}

/** Not shown when it is wrong: it may hold a password. */
function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !/[@?#]/.test(text)) return text.replace(/\/+$/, '');
  throw new Failure('invalid', 'TRUEUP_CATALOG_URL is not an address of price lists', {
    fix: 'Write https://HOST/PATH, without user, password or query; below it each provider has its folder.',
  });
}
