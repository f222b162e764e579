// Price lists as they are published for everybody: `<url>/<provider>/version`, and below `<url>/<provider>/<version>/` a
// `catalog.zip`. A list is fetched when its version is another one, and kept on disk; asked is at most every 15 minutes.
// Whatever goes wrong, the list that is kept stays, and it is said why.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { asFailure, Failure } from '../../schemas/errors.ts';
import { backendName } from './row.ts';
import { type Cache, type KeptList, openCache, type Visit } from './source-cache.ts';
import { fetchBytes } from './source-fetch.ts';
import { type PriceLists, readLists } from './source-lists.ts';
import { MAX_LIST_BYTES, readZip } from './zip.ts';

/** Where dstack publishes what gpuhunt collects, hourly (dstack 0.22, 2026). */
export const PUBLISHED_URL = 'https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3';

/** As they are named there. */
const PROVIDERS = ['aws', 'azure', 'cloudrift', 'gcp', 'lambdalabs', 'nebius', 'oci', 'runpod', 'verda'];

export interface PublishedOptions {
  readonly url: string;
  readonly cacheDir: string;
  /** Whether it may be asked now; else what is kept will do. */
  readonly network: boolean;
  readonly now?: () => number;
}

/** Never throws for what the network does. No rows: nothing is kept, and nothing could be had. */
export async function readPublished(options: PublishedOptions): Promise<PriceLists> {
  const { url, cacheDir, network, now = Date.now } = options;
  const cache = openCache(join(cacheDir, createHash('sha256').update(url).digest('hex').slice(0, 16)));
  const kept = new Map<string, KeptList>();
  for (const provider of PROVIDERS) {
    const list = await cache.readList(provider);
    if (list !== null) kept.set(provider, list);
  }
  const visit = await cache.readVisit();
  if (!network) return listsOf(kept, []);
  const isFresh = visit !== null && visit.nextAt > now() && visit.nextAt <= now() + ASK_EVERY_MS;
  return listsOf(kept, isFresh ? visit.trouble : await ask(url, cache, kept, now()));
}

// Private

const ASK_EVERY_MS = 15 * 60_000;
/** Soon, but not with every command that is typed while a server is down. */
const ASK_AGAIN_MS = 60_000;

/** A few letters: where they take longer, somebody waits for a network that is not there. */
const VERSION_TIMEOUT_MS = 2500;
const ZIP_TIMEOUT_MS = 30_000;
const VERSION_BYTES = 200;

/** Brings `kept` up to date as far as possible, and says what is in the way. */
async function ask(url: string, cache: Cache, kept: Map<string, KeptList>, at: number): Promise<string[]> {
  const failures = new Map<string, Failure>();
  const refresh = async (provider: string): Promise<void> => {
    try {
      const list = await newer(`${url}/${provider}`, provider, kept.get(provider)?.version ?? null);
      if (list === null) return;
      kept.set(provider, list);
      await cache.writeList(provider, list).catch(notKept);
    } catch (error) {
      failures.set(provider, asFailure(error));
    }
  };
  await Promise.all(PROVIDERS.map(refresh));
  const trouble = troubleOf(url, failures, kept);
  const nextAt = at + (trouble.length > 0 ? ASK_AGAIN_MS : ASK_EVERY_MS);
  await cache.writeVisit({ nextAt, trouble } satisfies Visit).catch(notKept);
  return trouble;
}

/** A full or read-only disk costs the next command the way, and this one nothing. */
function notKept(): void {}

/** null: the version is still the same. */
async function newer(folder: string, provider: string, known: string | null): Promise<KeptList | null> {
  const version = (await fetchBytes(`${folder}/version`, VERSION_TIMEOUT_MS, VERSION_BYTES))
    .toString()
    .trim();
  if (!/^\w[\w.-]{0,99}$/.test(version)) throw new Failure('transient', 'its version is none');
  if (version === known) return null;
  const zip = await fetchBytes(`${folder}/${version}/catalog.zip`, ZIP_TIMEOUT_MS, MAX_LIST_BYTES);
  const { rows, bad } = readLists(readZip('catalog.zip', zip).files);
  const own = rows.filter(({ backend }) => backend === backendName(provider));
  if (own.length === 0) throw new Failure('transient', 'catalog.zip has no prices of it');
  return { version, rows: own, bad: bad.slice(0, BAD_KEPT) };
}

/** More than anybody reads. */
const BAD_KEPT = 1000;

/** What is the same for several is said once. That a provider is not published there is no trouble where others are. */
function troubleOf(
  url: string,
  failures: ReadonlyMap<string, Failure>,
  kept: ReadonlyMap<string, KeptList>,
): string[] {
  const { origin, pathname } = new URL(url);
  const isTrouble = ([provider, { kind }]: readonly [string, Failure]) =>
    kind !== 'not-found' || kept.size === 0 || kept.has(provider);
  const byReason = Map.groupBy([...failures].filter(isTrouble), ([, { message }]) => message);
  return [...byReason].map(([message, of]) => {
    const names = of.map(([provider]) => provider).sort();
    const who = names.length === PROVIDERS.length ? '' : ` for ${names.join(', ')}`;
    const older = names.some((name) => kept.has(name)) ? '; older prices are used' : '';
    return `asking ${origin}${pathname}${who} failed: ${message}${older}`;
  });
}

function listsOf(kept: ReadonlyMap<string, KeptList>, notes: readonly string[]): PriceLists {
  const lists = [...kept.values()];
  return {
    rows: lists.flatMap(({ rows }) => rows),
    versions: [...kept].map(([provider, { version }]) => ({ backend: backendName(provider), version })),
    bad: lists.flatMap(({ bad }) => bad),
    notes,
  };
}
