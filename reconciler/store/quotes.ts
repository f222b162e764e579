// Kept plans, and which commit of a project was approved, in SQL.
import { Failure } from '../../schemas/errors.ts';
import type { NewEvent } from '../../schemas/events.ts';
import { appendEvents } from './events.ts';
import { wake } from './keys.ts';
import { document, type Query } from './sql.ts';
import type { Approval, Quote } from './store.ts';

export async function saveQuote(query: Query, quote: Quote): Promise<void> {
  const { project, id, digest, commit, at, expiresAt, label = null } = quote;
  const saved = await query(
    `insert into trueup.quotes (project, id, digest, commit, at, expires_at, label, document)
    values ($1, $2, $3, $4, $5::float8, $6::float8, $7, $8::json)
    on conflict do nothing
    returning id`,
    [project, id, digest, commit, at, expiresAt, label, document(quote.document)],
  );
  if (saved.length === 0) throw new Failure('bug', `there is a plan ${id} of ${project} already`);
}

export async function quote(query: Query, project: string, id: string): Promise<Quote | null> {
  const [row] = await query<QuoteRow>(`select ${COLUMNS} from trueup.quotes where project = $1 and id = $2`, [
    project,
    id,
  ]);
  return row ? quoteOf(row) : null;
}

export async function quotesOf(
  query: Query,
  project: string,
  label: string,
  limit: number,
): Promise<readonly Quote[]> {
  const rows = await query<QuoteRow>(
    `select ${COLUMNS} from trueup.quotes where project = $1 and label = $2
    order by at desc, seq desc limit $3::int`,
    [project, label, limit],
  );
  return rows.map(quoteOf);
}

export async function pruneQuotes(query: Query, before: number): Promise<number> {
  const [row] = await query<{ pruned: number }>(
    `with pruned as (delete from trueup.quotes where expires_at < $1::float8 returning id)
    select count(*) as pruned from pruned`,
    [before],
  );
  return row?.pruned ?? 0;
}

/** Within a transaction. The key before the journal, as everywhere: nothing can deadlock. */
export async function approve(
  query: Query,
  project: string,
  { commit, plan, by, at }: Approval,
  events: readonly NewEvent[],
): Promise<void> {
  await query(
    `insert into trueup.approvals (project, commit, plan, by, at) values ($1, $2, $3, $4, $5::float8)
    on conflict (project) do update
    set commit = excluded.commit, plan = excluded.plan, by = excluded.by, at = excluded.at`,
    [project, commit, plan, by, at],
  );
  await wake(query, [project]);
  if (events.length > 0) await appendEvents(query, project, events);
}

export async function approval(query: Query, project: string): Promise<Approval | null> {
  const [row] = await query<Approval>(
    'select commit, plan, by, at from trueup.approvals where project = $1',
    [project],
  );
  return row ?? null;
}

// Private

const COLUMNS = 'project, id, digest, commit, at, expires_at, label, document';

interface QuoteRow extends Omit<Quote, 'expiresAt' | 'label'> {
  readonly expires_at: number;
  readonly label: string | null;
}

function quoteOf({ expires_at: expiresAt, label, ...rest }: QuoteRow): Quote {
  return { ...rest, expiresAt, ...(label === null ? {} : { label }) };
}
