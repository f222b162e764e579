// The store in a Postgres, shared by any number of reconcilers. Outlives restarts of the server: what was under way
// fails as `transient` (a write may or may not have happened), and the next call dials again.
import pg from 'pg';
import { Failure } from '../../schemas/errors.ts';
import { sqlFailure } from './failure.ts';
import { listen } from './listen.ts';
import { migrate } from './migrate.ts';
import { CHANNEL, type Query, type Sql } from './sql.ts';
import { sqlStore } from './sql-store.ts';
import type { Store } from './store.ts';

/** Opens the database at `postgres://user:password@host:port/database` and brings its schema up to date. */
export async function openPostgres(url: string): Promise<Store> {
  const where = name(url);
  const pool = new pg.Pool({ ...connection(url), max: 10 });
  // A connection that ends while idle is no news: the pool drops it, and the next query dials.
  pool.on('error', () => undefined);
  const listener = listen(() => new pg.Client(connection(url)), CHANNEL);
  let closing: Promise<unknown> | null = null;
  const close = async (): Promise<void> => {
    closing ??= Promise.all([listener.close(), pool.end()]);
    await closing;
  };
  try {
    const sql = sqlOf(pool, where);
    await migrate(sql);
    return { kind: 'postgres', ...(await sqlStore(sql)), subscribe: listener.subscribe, close };
  } catch (error) {
    await close();
    throw error;
  }
}

// Private

const connection = (url: string): pg.ClientConfig => ({
  connectionString: url,
  application_name: 'trueup',
  keepAlive: true,
  connectionTimeoutMillis: 10_000,
  // Longer than any statement of ours: only a server that went silent takes this long.
  query_timeout: 60_000,
  types: { getTypeParser },
});

/** int8 as number: instants, seq and counts stay far below 2^53. */
function getTypeParser(type: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return type === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(type, format);
}

/** The database for people, without user and password. Throws `invalid` for what is no address. */
function name(url: string): string {
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new TypeError('no postgres:// address');
    const { host, port, database } = new pg.Client({ connectionString: url });
    return `Postgres at ${host}:${port}, database ${database ?? ''}`;
  } catch {
    // Its error is not kept: it would show the address, and with it the password.
    throw new Failure('invalid', 'the address of the database is not one of Postgres', {
      fix: 'Write postgres://user:password@host:port/database, with special characters percent-encoded.',
    });
  }
}

function sqlOf(pool: pg.Pool, where: string): Sql {
  return {
    query: queryOf(pool, where),
    transaction: async (work) => {
      const client = await pool.connect().catch((error: unknown) => {
        throw sqlFailure(error, where);
      });
      // A connection cut between two statements says so by an event; the next statement fails.
      const ignore = (): void => undefined;
      client.on('error', ignore);
      const query = queryOf(client, where);
      try {
        await query('begin isolation level read committed');
        const result = await work(query);
        await query('commit');
        client.release();
        return result;
      } catch (error) {
        // Dropped with its connection: that rolls back whatever state it is in.
        client.release(true);
        throw error;
      } finally {
        client.off('error', ignore);
      }
    },
  };
}

function queryOf(client: Pick<pg.Pool, 'query'> | pg.PoolClient, where: string): Query {
  return async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    try {
      return (await (client as pg.Pool).query<Row & pg.QueryResultRow>(text, [...values])).rows;
    } catch (error) {
      throw sqlFailure(error, where);
    }
  };
}
