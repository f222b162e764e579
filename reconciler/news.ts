// What people are told of a sync: the commit, what it changed of each service, what it may not remove.
import type { DesiredRecord } from '../schemas/desired.ts';
import type { NewEvent } from '../schemas/events.ts';
import { canonical } from '../schemas/json.ts';
import type { Policy } from '../schemas/policy.ts';
import type { ProjectState } from '../schemas/project.ts';
import { errorsOf } from './desire.ts';
import type { DesiredChange } from './store/store.ts';

export interface Synced {
  readonly before: ProjectState;
  readonly after: ProjectState;
  readonly commit: { readonly commit: string; readonly forced: boolean };
  readonly policy: Policy | null;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  readonly changes: readonly DesiredChange[];
}

/** One event for the commit, one for each service that changed, one for what is held. */
export function newsOf({
  before,
  after,
  commit: { commit, forced },
  policy,
  known,
  changes,
}: Synced): NewEvent[] {
  const events: NewEvent[] = [];
  if (before.commit !== commit) {
    const rewritten = forced ? '; the branch was rewritten' : '';
    const reason = `${commit.slice(0, 8)} ${after.subject} (${after.author})${rewritten}`;
    events.push({ service: '', event: 'commit', reason, commit });
  }
  for (const { key, desired } of changes)
    events.push(...changeEvents(key.slice(key.indexOf('/') + 1), known, desired, commit));
  if (after.held.length > 0 && canonical(after.held) !== canonical(before.held)) {
    const reason = `the files of ${after.held.join(', ')} are gone, but ${whyHeld(policy)}. Put the names under prune: { allow: [...] } in trueup.yml to remove them`;
    events.push({ service: '', event: 'deletions-held', reason, commit });
  }
  return events;
}

// Private

function whyHeld(policy: Policy | null): string {
  if (policy === null) return 'nothing is removed while trueup.yml has errors';
  return policy.prune === false ? 'prune is off' : 'that is more than one commit may remove';
}

function changeEvents(
  service: string,
  known: ReadonlyMap<string, DesiredRecord>,
  desired: unknown,
  commit: string,
): NewEvent[] {
  const [was, is] = [known.get(service), desired as DesiredRecord | null];
  if (is === null) return [{ service, event: 'removed', reason: 'its file is gone', commit }];
  const [problem] = errorsOf(is.problems);
  if (problem) {
    const text = `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
    return [
      { service, event: 'invalid', reason: is.service ? `${text}; the last good spec stays` : text, commit },
    ];
  }
  const events: NewEvent[] = [];
  if (was && errorsOf(was.problems).length > 0) {
    events.push({
      service,
      event: 'fixed',
      reason: `${is.service?.file ?? 'its file'} is valid again`,
      commit,
    });
  }
  if (is.service && is.service.revision !== was?.service?.revision) {
    events.push({
      service,
      event: 'desired',
      reason: `revision ${is.service.revision} from ${is.service.file}`,
      commit,
    });
  }
  return events;
}
