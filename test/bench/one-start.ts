// A process of its own that has nothing yet, and is done when the store holds what the repository asks for. Speaks JSON:
// a `Start` as its argument, `Stages` on stdout.
import type { Boundary } from '../../reconciler/boundary.ts';
import { openSource } from '../../reconciler/source/git.ts';
import { openMemory } from '../../reconciler/store/memory.ts';
import { openPglite } from '../../reconciler/store/pglite.ts';
import { openPostgres } from '../../reconciler/store/postgres.ts';
import type { Store } from '../../reconciler/store/store.ts';
import { createLoad } from './loading.ts';
import { PROJECT } from './services.ts';

export interface Start {
  readonly store: 'memory' | 'pglite' | 'postgres';
  /** URL or folder; '' for memory. */
  readonly where: string;
  readonly repo: string;
  /** A folder for the clone. */
  readonly dir: string;
  /** How many must be there in the end. */
  readonly services: number;
}

/** Milliseconds since the process began. */
export interface Stages {
  readonly opened: number;
  readonly fetched: number;
  readonly read: number;
  readonly stored: number;
}

async function main({ store: kind, where, repo, dir, services }: Start): Promise<Stages> {
  const at = new Map<Boundary, number>();
  const store = await openStore(kind, where);
  const source = await openSource({ repo, dir });
  const load = await createLoad(source, store, (boundary) => at.set(boundary, performance.now()));
  const opened = performance.now();
  await load();
  const stored = performance.now();
  const records = await store.list(PROJECT);
  const found = records.filter(({ service, desired }) => service !== '' && desired !== null).length;
  if (found !== services) throw new Error(`${found} of ${services} services are in the store`);
  source.close();
  await store.close();
  return { opened, fetched: at.get('source-read') ?? 0, read: at.get('desired-unsaved') ?? 0, stored };
}

function openStore(kind: Start['store'], where: string): Promise<Store> {
  switch (kind) {
    case 'memory':
      return Promise.resolve(openMemory());
    case 'pglite':
      return openPglite(where);
    case 'postgres':
      return openPostgres(where);
  }
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as Start)));
process.exit(0);
