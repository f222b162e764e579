// Brings a database to the schema of this program: forward only, all or nothing, one program at a time.
import { Failure } from '../../schemas/errors.ts';
import { migrations as ours } from './migrations.ts';
import type { Query, Sql } from './sql.ts';

/** Any number will do as long as every trueup uses the same. */
const ADVISORY_LOCK = 7_478_355;

/** Safe to repeat, and to run from several programs at once. Throws `invalid` for a schema from the future. */
export async function migrate(sql: Sql, migrations = ours): Promise<void> {
  await sql.transaction(async (query) => {
    await query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    const present = await version(query);
    if (present > migrations.length) throw tooNew(present, migrations.length);
    for (const [index, statements] of migrations.entries()) {
      if (index >= present) await apply(query, index + 1, statements);
    }
  });
}

// Private

async function version(query: Query): Promise<number> {
  const [found] = await query<{ present: boolean }>(
    `select to_regclass('trueup.migrations') is not null as present`,
  );
  if (found?.present !== true) {
    await query('create schema if not exists trueup');
    await query(
      `create table trueup.migrations (version int primary key, at timestamptz not null default now())`,
    );
  }
  const [row] = await query<{ version: number }>('select max(version) as version from trueup.migrations');
  return row?.version ?? 0;
}

async function apply(query: Query, number: number, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await query(statement);
  await query('insert into trueup.migrations (version) values ($1)', [number]);
}

function tooNew(present: number, known: number): Failure {
  return new Failure(
    'invalid',
    `the database's schema has version ${present}; this trueup knows up to ${known}`,
    {
      fix: 'Run the newer trueup that made it, or use another database.',
    },
  );
}
