// The store in a folder of this machine, for one process: PGlite, a Postgres inside ours.
// It takes no lock on the folder: the data dir's lock is taken before.
import { PGlite } from '@electric-sql/pglite';
import { Failure } from '../../schemas/errors.ts';
import { sqlFailure } from './failure.ts';
import { migrate } from './migrate.ts';
import { CHANNEL, type Query, type Sql } from './sql.ts';
import { sqlStore } from './sql-store.ts';
import type { Store } from './store.ts';

/** Opens the database in `dir`, making it when there is none. Throws `invalid` when the folder cannot be one. */
export async function openPglite(dir: string): Promise<Store> {
  const db = await open(dir);
  try {
    const sql = sqlOf(db, dir);
    await migrate(sql);
    const subscribers = new Set<() => void>();
    await db.listen(CHANNEL, () => {
      for (const changed of subscribers) changed();
    });
    return {
      kind: 'pglite',
      ...(await sqlStore(sql)),
      subscribe: (changed) => {
        const subscriber = (): void => changed();
        subscribers.add(subscriber);
        return () => subscribers.delete(subscriber);
      },
      close: () => close(db),
    };
  } catch (error) {
    await close(db);
    throw error;
  }
}

// Private

async function open(dir: string): Promise<PGlite> {
  try {
    return await PGlite.create({ dataDir: dir });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure('invalid', `the database in ${dir} cannot be opened: ${reason}`, {
      fix: 'Check that the folder is writable and has space; if it is damaged, move it away: the instances are found again by their tags.',
    });
  }
}

function sqlOf(db: PGlite, dir: string): Sql {
  return {
    query: queryOf(db, dir),
    transaction: (work) => db.transaction((within) => work(queryOf(within, dir))),
  };
}

function queryOf(db: Pick<PGlite, 'query'>, dir: string): Query {
  return async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    try {
      return (await db.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw sqlFailure(error, `the database in ${dir}`);
    }
  };
}

async function close(db: PGlite): Promise<void> {
  if (!db.closed) await db.close();
}
