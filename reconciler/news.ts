// What people are told of a sync: the commit, what it changed of each service, what waits and why, what no longer does.
import type { DesiredRecord, DesiredService } from '../schemas/desired.ts';
import type { Problem } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { canonical } from '../schemas/json.ts';
import type { ProjectState } from '../schemas/project.ts';
import { errorsOf } from './desire.ts';
import type { Admission } from './plan/admit.ts';
import { differenceOf } from './plan/fields.ts';
import type { DesiredChange } from './store/store.ts';

export interface Synced {
  readonly before: ProjectState;
  readonly after: ProjectState;
  readonly commit: { readonly commit: string; readonly forced: boolean };
  readonly admission: Pick<Admission, 'warnings' | 'whyHeld'>;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  readonly changes: readonly DesiredChange[];
}

/** One event for the commit, one for each service that changed, one for what is held. */
export function newsOf({ before, after, commit, admission, known, changes }: Synced): NewEvent[] {
  const { commit: sha } = commit;
  return [
    ...commitEvents(before, after, commit),
    ...problemEvents(before, after, sha),
    ...(before.applied === after.applied ? [] : policyEvents(admission, sha)),
    ...changes.flatMap(({ key, desired }) => {
      const service = key.slice(key.indexOf('/') + 1);
      const was = known.get(service) ?? null;
      return changeEvents(was, desired as DesiredRecord | null).map((event) => ({
        ...event,
        service,
        commit: sha,
      }));
    }),
    ...heldEvents(before, after, admission, sha),
  ];
}

// Private

type Told = Pick<NewEvent, 'event' | 'reason'>;

function commitEvents(
  before: ProjectState,
  after: ProjectState,
  { commit, forced }: Synced['commit'],
): NewEvent[] {
  const events: NewEvent[] = [];
  const name = commit.slice(0, 8);
  if (before.commit !== commit) {
    const rewritten = forced ? '; the branch was rewritten' : '';
    const reason = `${name} ${after.subject} (${after.author})${rewritten}`;
    events.push({ service: '', event: 'commit', reason, commit });
  }
  if (after.pending && before.pending?.commit !== after.pending.commit)
    events.push({ service: '', event: 'pending', reason: `${name} waits for approval`, commit });
  if (before.pending && !after.pending && before.pending.commit === after.applied)
    events.push({ service: '', event: 'admitted', reason: `${name} was approved`, commit });
  return events;
}

/** Of what belongs to no service: trueup.yml, profiles, files without a name. */
function problemEvents(before: ProjectState, after: ProjectState, commit: string): NewEvent[] {
  const [was, is] = [errorsOf(before.problems), errorsOf(after.problems)];
  const known = new Set(was.map(placeOf));
  const fresh = is.filter((problem) => !known.has(placeOf(problem)));
  const left = new Set(is.map(({ file }) => file));
  const fixed = [...new Set(was.map(({ file }) => file))].filter((file) => !left.has(file));
  return [
    ...fresh.map(({ file, line, column, message }): NewEvent => {
      return { service: '', event: 'invalid', reason: `${file}:${line}:${column} ${message}`, commit };
    }),
    ...fixed.map((file): NewEvent => {
      return { service: '', event: 'fixed', reason: `${file} has no errors any more`, commit };
    }),
  ];
}

function placeOf({ file, line, column, message }: Problem): string {
  return JSON.stringify([file, line, column, message]);
}

function policyEvents({ warnings }: Synced['admission'], commit: string): NewEvent[] {
  return warnings.map(({ message, fix }) => {
    return { service: '', event: 'policy-loosened', reason: `${message}. ${fix}`, commit };
  });
}

function heldEvents(
  before: ProjectState,
  { held }: ProjectState,
  { whyHeld }: Synced['admission'],
  commit: string,
): NewEvent[] {
  if (held.length === 0 || canonical(held) === canonical(before.held)) return [];
  const reason = `${held.join(', ')} stay, though their files are gone: ${whyHeld}`;
  return [{ service: '', event: 'deletions-held', reason, commit }];
}

function changeEvents(was: DesiredRecord | null, is: DesiredRecord | null): Told[] {
  if (is === null) return [{ event: 'removed', reason: goneText(was) }];
  return [...suspensionEvents(was, is), ...fileEvents(was, is), ...pendingEvents(was, is)];
}

function goneText(was: DesiredRecord | null): string {
  const why = was?.renamedTo ? `it is called ${was.renamedTo} now` : 'its file is gone';
  return was?.service ? `${why}; its replicas are ended` : why;
}

function suspensionEvents(was: DesiredRecord | null, is: DesiredRecord): Told[] {
  if (Boolean(was?.suspended) === Boolean(is.suspended)) return [];
  return is.suspended
    ? [{ event: 'suspended', reason: 'by trueup.yml: nothing new is rolled out; what runs goes on' }]
    : [{ event: 'resumed', reason: 'trueup.yml no longer suspends it' }];
}

function fileEvents(was: DesiredRecord | null, is: DesiredRecord): Told[] {
  const [problem] = errorsOf(is.problems);
  if (problem && canonical(is.problems) === canonical(was?.problems)) return [];
  if (problem) {
    const text = `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
    return [{ event: 'invalid', reason: is.service ? `${text}; the last good spec stays` : text }];
  }
  const file = is.service?.file ?? is.pending?.service?.file ?? 'its file';
  const isFixed = was !== null && errorsOf(was.problems).length > 0;
  const asked = is.service && askedText(is.service, was?.service ?? null);
  return [
    ...(isFixed ? [{ event: 'fixed' as const, reason: `${file} is valid again` }] : []),
    ...(asked ? [{ event: 'desired' as const, reason: asked }] : []),
  ];
}

/** Null: it asks for the same as before. The contents of files and the values behind names are no part of a revision. */
function askedText(is: DesiredService, was: DesiredService | null): string | null {
  const text = `revision ${is.revision} from ${is.file}`;
  if (is.revision !== was?.revision) return text;
  const difference = canonical(is.shapes) === canonical(was.shapes) ? null : differenceOf(is, was);
  return difference && `${text}; ${difference.reason}`;
}

/** Told when it begins to wait, when it waits for something else, and when it no longer waits. */
function pendingEvents(was: DesiredRecord | null, is: DesiredRecord): Told[] {
  const [before, after] = [was?.pending, is.pending];
  const isSame = before?.reason === after?.reason && before?.service?.digest === after?.service?.digest;
  if (after && !(before && isSame)) {
    const until = after.until === null ? '' : `, until ${new Date(after.until).toISOString()}`;
    return [{ event: 'pending', reason: `${asked(after.revision)} waits${until}: ${after.detail}` }];
  }
  if (!before || after) return [];
  return before.service && before.service.digest === is.service?.digest
    ? [{ event: 'admitted', reason: `${asked(before.revision)} no longer waits` }]
    : [{ event: 'withdrawn', reason: `${asked(before.revision)} is no longer asked for` }];
}

function asked(revision: string | null): string {
  return revision === null ? 'its removal' : `revision ${revision}`;
}
