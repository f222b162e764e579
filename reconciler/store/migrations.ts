// The schema, step by step. Steps are only ever added: a database is at version n when the first n were applied.
// Text in a module, not files beside it, so that a bundle carries them.

/** Each migration is a list of statements, applied in one transaction. */
export const migrations: readonly (readonly string[])[] = [
  [
    `create table trueup.store (
      id text not null,
      epoch bigint not null
    )`,
    `insert into trueup.store values (gen_random_uuid()::text, 0)`,

    // Stable, so that an index can be searched with it: one instant per statement.
    `create function trueup.now_ms() returns bigint language sql stable
      return floor(extract(epoch from statement_timestamp()) * 1000)::bigint`,

    // Documents are json, not jsonb: they are never searched, text costs less than parsing it twice, and jsonb
    // refuses \\u0000, which what a replica printed may hold.
    // The toast target moves them out of the row as soon as they are not tiny: a pass without changes rewrites the row
    // twice, but not them (measured on 10,000 keys of 6 KB: 11 instead of 36 MB of WAL).
    // The one index beside the primary key is the queue; more would be paid twice per key and pass.
    `create table trueup.keys (
      key text collate "C" primary key,
      project text not null,
      service text not null,
      desired json,
      state json,
      machine text,
      wake_at bigint,
      token text,
      holder text,
      lease_until bigint,
      due_at bigint generated always as (coalesce(lease_until, wake_at)) stored
    ) with (toast_tuple_target = 128)`,
    `create index keys_due on trueup.keys (due_at)`,

    // Hands out seq under a row lock: numbers become visible in order, so who follows "after seq" misses nothing.
    `create table trueup.journals (
      project text primary key,
      last_seq bigint not null
    )`,
    `create table trueup.events (
      project text not null,
      seq bigint not null,
      service text not null,
      at bigint not null,
      body json not null,
      primary key (project, seq)
    )`,
    `create index events_service on trueup.events (project, service, seq)`,
  ],
  [
    `create table trueup.quotes (
      project text not null,
      id text not null,
      digest text not null,
      commit text,
      at bigint not null,
      expires_at bigint not null,
      document json not null,
      primary key (project, id)
    )`,
    `create index quotes_expire on trueup.quotes (expires_at)`,
    `create table trueup.approvals (
      project text primary key,
      commit text not null,
      plan text not null,
      by text not null,
      at bigint not null
    )`,
  ],
  [
    `alter table trueup.quotes add column label text`,
    // Of two plans at one instant, the one that was kept later is the newer.
    `alter table trueup.quotes add column seq bigint generated always as identity`,
    `create index quotes_label on trueup.quotes (project, label, at) where label is not null`,
  ],
  [
    // Few keys use anything, so the index is small and most writes never touch it.
    `alter table trueup.keys add column uses text[]`,
    `create index keys_uses on trueup.keys using gin (uses) where uses is not null`,
  ],
];
