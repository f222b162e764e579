// What the operations need of a database; PGlite and Postgres each give it.

export type Query = <Row extends object>(
  text: string,
  values?: readonly unknown[],
) => Promise<readonly Row[]>;

/** What the operations need of a database. Throws `Failure`s only. int8 comes as number, json as its value. */
export interface Sql {
  readonly query: Query;
  /** READ COMMITTED; rolled back when `work` throws. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
}

/** The channel that is notified when keys were woken or events were appended. */
export const CHANNEL = 'trueup';

/** As JSON text, so that any driver carries it unchanged; null for none. */
export function document(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
