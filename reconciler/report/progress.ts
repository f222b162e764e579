// How far one service is from what a commit asks of it, by what the store has of both. Pure.
import type { DesiredRecord } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { Deployment, ServiceState, WaitingReason } from '../../schemas/rollout.ts';
import { isRunningTheSame, targetOf } from '../plan/deployments.ts';
import { startsBadly } from '../plan/status.ts';

/** One service as the store has it. */
export interface StoredService {
  readonly name: string;
  /** null: git no longer knows it. */
  readonly record: DesiredRecord | null;
  /** null: no pass has looked at it yet. */
  readonly state: ServiceState | null;
}

export type Progress =
  | { readonly kind: 'done' }
  | { readonly kind: 'moving'; readonly doing: string }
  /** `until`: what it waits for, as in `web waits for capacity`. */
  | { readonly kind: 'waiting'; readonly until: string }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'invalid'; readonly why: string };

/**
 * `isNewest`: judged by the newest commit that was read, whose files may have errors and whose changes may have to wait;
 * else by what is in force. How a service fares after its rollout is no matter of the commit any more.
 */
export function progressOf({ record, state }: StoredService, isNewest: boolean): Progress {
  const problem = isNewest ? errorIn(record?.problems ?? []) : null;
  if (problem) return { kind: 'invalid', why: problemText(problem) };
  if (isNewest && record?.pending) return waits(record.pending.reason);
  if (!record || record.removed) return { kind: 'moving', doing: 'is being removed' };
  const { service } = record;
  if (!service) return DONE;
  if (state?.quarantine?.digest === service.digest) return { kind: 'failed', why: state.quarantine.reason };
  const target = state && targetOf(state);
  if (target && isRunningTheSame(target, service)) return rolloutProgress(state, target);
  return record.suspended ? waits('suspended') : ROLLING_OUT;
}

export function errorIn(problems: readonly Problem[]): Problem | null {
  return problems.find(({ severity }) => severity === 'error') ?? null;
}

export function problemText({ file, line, message }: Problem): string {
  return `${file}:${line}: ${message}`;
}

// Private

const DONE: Progress = { kind: 'done' };
const ROLLING_OUT: Progress = { kind: 'moving', doing: 'is rolling out' };

/** What lasts and is worth telling, most telling first; all else comes and goes in the course of a rollout. */
const UNTIL: { readonly [reason in WaitingReason]?: string } = {
  approval: 'for approval',
  'deletion-budget': 'for room in the deletion budget',
  budget: 'for room in the budget',
  suspended: 'until trueup.yml no longer suspends it',
  window: 'for its window',
  hold: 'for a change: its retry is over',
  capacity: 'for capacity',
  'cannot-surge': 'for room for one more replica',
  backend: 'for its backend to answer',
};

function waits(reason: keyof typeof UNTIL): Progress {
  return { kind: 'waiting', until: UNTIL[reason] ?? 'to begin' };
}

function rolloutProgress(state: ServiceState, target: Deployment): Progress {
  const { rollout } = state;
  // Back at what is served after another one's failure, or found running: there was nothing to roll out.
  if (rollout?.to !== target.number) return DONE;
  switch (rollout.outcome) {
    case 'done':
      return DONE;
    case 'failed':
      return { kind: 'failed', why: rollout.reason };
    case 'superseded':
      return ROLLING_OUT;
    case 'rolling':
      return rollingProgress(state);
  }
}

/** A first deployment that fails is tried again for ever; it is done once it serves all the same. */
function rollingProgress(state: ServiceState): Progress {
  if (state.status === 'failed' || (state.status === 'degraded' && startsBadly(state))) {
    const who = state.status === 'failed' ? 'no replica' : 'not every replica';
    const last = state.failures.at(-1);
    return {
      kind: 'failed',
      why: `${who} has become ready${last ? `; the last one ${last.reason}` : ''}`,
    };
  }
  const reasons: readonly string[] = state.waiting.map(({ reason }) => reason);
  const until = Object.entries(UNTIL).find(([reason]) => reasons.includes(reason))?.[1];
  return until === undefined ? ROLLING_OUT : { kind: 'waiting', until };
}
