// What is kept of a project once a commit has been judged: which commit is in force, by which rules, and what is wrong
// with files that belong to no service.
import type { Around } from '../schemas/around.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import type { Problem } from '../schemas/errors.ts';
import { strangers } from '../schemas/policy-names.ts';
import type { Policies, ProjectState } from '../schemas/project.ts';
import { aroundConflicts } from './around.ts';
import type { Admission } from './plan/admit.ts';
import type { Source } from './source/git.ts';
import type { Snapshot } from './source/snapshot.ts';

/** What a commit asks for. */
export interface Asked {
  readonly commit: Awaited<ReturnType<Source['fetch']>>;
  readonly snapshot: Snapshot;
  readonly next: ReadonlyMap<string, DesiredRecord>;
}

export interface Judged {
  readonly admission: Admission;
  readonly policies: Policies;
  /** What the commit asks for around its services, and whether that is something else than what is in force. */
  readonly around: Around;
  readonly changesAround: boolean;
  /** Whether the commit is in force, but for what waits. */
  readonly isApplied: boolean;
}

export function stateAfter(
  { pending, ...before }: ProjectState,
  { commit, snapshot }: Asked,
  { admission, policies, around, changesAround, isApplied }: Judged,
  now: number,
): ProjectState {
  const since = pending?.commit === commit.commit ? pending.since : now;
  const policy = snapshot.policy ?? undefined;
  const waits = {
    commit: commit.commit,
    since,
    ...(policy && { policy }),
    ...(changesAround && { around: Object.fromEntries(around) }),
  };
  return {
    ...before,
    commit: commit.commit,
    ...(isApplied ? { applied: commit.commit, policies } : { pending: waits }),
    committedAt: commit.committedAt,
    subject: commit.subject,
    author: commit.author,
    problems: [
      ...snapshot.problems,
      ...strangers(snapshot.mentions, [...admission.records.keys()]),
      ...aroundConflicts(snapshot.files, around),
      ...homeless(snapshot, [...admission.records.values(), ...(isApplied ? around.values() : [])]),
    ],
    others: othersOf(snapshot),
    servicesBefore: admission.servicesBefore,
    held: admission.held,
    renames: admission.renames,
  };
}

// Private

/** Problems of files that nothing which is kept has: they do not say what they are called, or were never good. */
function homeless(
  snapshot: Snapshot,
  records: readonly { readonly problems: readonly Problem[] }[],
): Problem[] {
  const told = new Set(records.flatMap(({ problems }) => problems.map(({ file }) => file)));
  return [...snapshot.files.values()]
    .filter(({ ok, path }) => !ok && !told.has(path))
    .flatMap(({ problems }) => problems);
}

const RECONCILED: ReadonlySet<string> = new Set(['service', 'fleet', 'volume']);

function othersOf(snapshot: Snapshot): ProjectState['others'] {
  return [...snapshot.files.values()]
    .filter(({ ok, type }) => ok && type !== null && !RECONCILED.has(type))
    .map(({ path, type, name }) => ({ path, type: type ?? '', name }));
}
