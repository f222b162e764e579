// The event log in SQL.
import type { Event, NewEvent } from '../../schemas/events.ts';
import { CHANNEL, document, type Query } from './sql.ts';
import type { EventQuery } from './store.ts';

/** Appends the rows of `told (project, service, body, position)`, numbered on from their project's journal. */
export const APPEND = `numbered as (
      insert into trueup.journals as journal (project, last_seq)
      select project, count(*) from told group by project order by project
      on conflict (project) do update set last_seq = journal.last_seq + excluded.last_seq
      returning project, last_seq, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as at
    ),
    appended as (
      insert into trueup.events (project, seq, service, at, body)
      select project, last_seq + 1 - row_number() over (partition by project order by position desc), service, at, body
      from told join numbered using (project)
      returning seq
    )`;

export async function appendEvents(
  query: Query,
  project: string,
  events: readonly NewEvent[],
): Promise<void> {
  await query(
    `with told as (
      select $1 as project, service, body::json, position
      from unnest($2::text[], $3::text[]) with ordinality as told (service, body, position)
    ),
    ${APPEND}
    select pg_notify('${CHANNEL}', '') from appended limit 1`,
    [project, events.map((event) => event.service), events.map(document)],
  );
}

interface EventRow {
  readonly seq: number;
  readonly at: number;
  readonly body: NewEvent;
}

export async function events(
  query: Query,
  { project, service, after, limit }: EventQuery,
): Promise<readonly Event[]> {
  const rows = await query<EventRow>(
    `select seq, at, body from trueup.events
    where project = $1 and ($2::text is null or service = $2) and seq > $3
    order by seq desc limit $4`,
    [project, service ?? null, after ?? 0, limit],
  );
  return rows
    .map(({ seq, at, body }) => ({ ...body, seq, time: new Date(at).toISOString(), project }))
    .reverse();
}

export async function pruneEvents(query: Query, before: number): Promise<number> {
  const [row] = await query<{ pruned: number }>(
    `with pruned as (delete from trueup.events where at < $1::float8 returning seq) select count(*) as pruned from pruned`,
    [before],
  );
  return row?.pruned ?? 0;
}
