// What has come of a rollout, in the terms of the comment and of the job's exit status.
import { asFailure } from '../schemas/errors.ts';
import type { Followed } from './follow.ts';
import { bad, type Ending, GOOD, type Job, showsLogs } from './job.ts';
import type { Server } from './server.ts';
import type { Life } from './view.ts';

/** How far it came, and what that means for the job. */
export interface Outcome {
  readonly life: Life;
  readonly ending: Ending;
}

export async function outcomeOf(job: Job, server: Pick<Server, 'why'>, result: Followed): Promise<Outcome> {
  if (result.kind === 'cancelled') {
    job.out.line('This job was cancelled. The rollout was not: the server goes on with it.');
    return { life: { kind: 'cancelled' }, ending: bad('cancelled') };
  }
  if (result.kind === 'late') return lateOutcome(job, result);
  const { services, seconds } = result;
  const failed = services.find(({ kind }) => kind === 'failed');
  if (failed?.kind === 'failed') return failedOutcome(job, server, failed);
  const superseded = services.find(({ kind }) => kind === 'superseded');
  if (superseded?.kind === 'superseded')
    return { life: { kind: 'superseded', by: superseded.by }, ending: GOOD };
  const held = services.find(({ kind }) => kind === 'held');
  if (held?.kind !== 'held') return { life: { kind: 'deployed', seconds }, ending: GOOD };
  const reason = `${held.service}: ${held.detail}`;
  job.out.annotate('warning', `Not all of it is deployed yet. ${reason}`);
  return { life: { kind: 'waiting', reason }, ending: GOOD };
}

/** The job itself cannot go on: nobody else would ever say so. */
export function lostOutcome({ out }: Pick<Job, 'out'>, error: unknown): Outcome {
  const { kind, message, fix, stack = '' } = asFailure(error);
  if (kind === 'bug') out.line(stack);
  if (fix) out.line(fix);
  const life: Life = { kind: 'failed', service: '', reason: message, log: [] };
  return { life, ending: bad(kind === 'bug' ? 'error' : kind) };
}

// Private

function lateOutcome({ inputs }: Job, { progress }: Extract<Followed, { kind: 'late' }>): Outcome {
  const minutes = Math.round(inputs.timeoutMs / 6000) / 10;
  const late = `not done within ${minutes} min; the server goes on with it`;
  const slow = progress.kind === 'read' ? progress.services.find(({ kind }) => kind === 'moving') : undefined;
  const why = progress.kind === 'unread' ? progress.detail || 'the server has not read the commit' : '';
  const detail = slow?.kind === 'moving' ? slow.detail : why;
  const life: Life = {
    kind: 'failed',
    service: slow?.service ?? '',
    reason: detail ? `${late} (${detail})` : late,
    log: [],
  };
  return { life, ending: bad('timeout') };
}

/** With what the newest replica that failed has printed last. */
async function failedOutcome(
  job: Job,
  server: Pick<Server, 'why'>,
  { service, detail }: { readonly service: string; readonly detail: string },
): Promise<Outcome> {
  const { out } = job;
  const { failure } = await server.why(service).catch(() => ({ failure: undefined }));
  const log = failure?.log ?? [];
  if (log.length > 0 && showsLogs(job)) {
    const endGroup = out.group(`The last lines of ${failure?.replica ?? service}`);
    for (const line of log) out.line(line);
    endGroup();
  }
  return { life: { kind: 'failed', service, reason: detail, log }, ending: bad('rollout-failed') };
}
