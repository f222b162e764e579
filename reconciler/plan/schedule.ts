// When a service runs at all: started by its schedule or at once, stopped when its time is over.
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, Replica, ServiceState, Term } from '../../schemas/rollout.ts';
import { cronText, endText, idleText, nextStart, utcText } from '../../schemas/schedule.ts';
import { durationText } from '../../schemas/units.ts';
import { isEnding, isStaying, targetOf } from './deployments.ts';

export interface Scheduled {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

/**
 * Starts and stops what is due. A start that was missed is made up for, once; one while it runs means nothing. What is
 * suspended is not started.
 */
export function keepTerm(state: ServiceState, isSuspended: boolean, now: number): Scheduled {
  const target = targetOf(state);
  if (!target || (isSuspended && state.term && state.term.kind !== 'started')) return { state, events: [] };
  const term = termOf(state, target, now);
  if (term === state.term) return { state, events: [] };
  const { term: before, ...rest } = state;
  // What went wrong before it rested is over: it is begun anew.
  const backoff = before && before.kind !== 'started' ? {} : state.backoff;
  const next: ServiceState = term ? { ...rest, backoff, term } : { ...rest, backoff };
  return { state: next, events: before && term ? turned(state, before, term, now) : [] };
}

/** When the present term ends by itself: the start by schedule, or the end of the time. */
export function termEndsAt(state: ServiceState): number {
  const { term } = state;
  if (term && term.kind !== 'started') return term.at ?? Number.POSITIVE_INFINITY;
  return endsAt(state, term) ?? Number.POSITIVE_INFINITY;
}

/** Why it does not run; null when its term is no reason. */
export function restText(state: ServiceState): string | null {
  const { term } = state;
  const spec = targetOf(state)?.spec;
  if (!term || term.kind === 'started' || !spec) return null;
  const next = nextText(term);
  return term.kind === 'scheduled' ? `${next}; ${endText(spec)}` : `${term.reason}; ${next}`;
}

/** What will end it, for a service whose term has begun; null when nothing was said about that. */
export function termText(state: ServiceState): string | null {
  const { term } = state;
  const spec = targetOf(state)?.spec;
  if (term?.kind !== 'started' || !spec) return null;
  const at = endsAt(state, term);
  return at === null ? endText(spec) : `\`max_duration\` ends it at ${utcText(at)}`;
}

// Private

type Started = Extract<Term, { readonly kind: 'started' }>;

const STARTED: Started = { kind: 'started', since: null };

function termOf(state: ServiceState, target: Deployment, now: number): Term | undefined {
  const { term } = state;
  const { schedule, maxDurationMs, utilization } = target.spec;
  if (!schedule && maxDurationMs === undefined && !utilization) return undefined;
  // What runs when the file first speaks of a schedule goes on.
  if (!term && !state.replicas.some(isStaying)) return firstTerm(target, now);
  if (!term) return grown(state, target, STARTED, now);
  if (term.kind === 'started') return grown(state, target, term, now);
  if (term.at !== null && now >= term.at) return STARTED;
  const isSame =
    term.kind === 'stopped' ? term.digest === target.digest : term.cron.join() === schedule?.cron.join();
  return isSame ? term : firstTerm(target, now);
}

function firstTerm({ spec }: Deployment, now: number): Term {
  return spec.schedule ? { kind: 'scheduled', ...nextStart(spec.schedule.cron, now) } : STARTED;
}

/** One that runs: its time begins with its first replica, and may be over. */
function grown(state: ServiceState, target: Deployment, term: Started, now: number): Term {
  if (term.since === null) return state.replicas.some(hasBegun) ? { ...term, since: now } : term;
  const reason = whyOver(state, target, term, now);
  if (reason === null) return term;
  const cron = target.spec.schedule?.cron ?? [];
  return { kind: 'stopped', reason, digest: target.digest, ...nextStart(cron, now) };
}

/** As dstack has it: one GPU of one replica that had nothing to do all the time is enough. */
function whyOver(state: ServiceState, { spec }: Deployment, term: Started, now: number): string | null {
  const { maxDurationMs = 0, utilization } = spec;
  const end = endsAt(state, term);
  if (end !== null && now >= end)
    return `max_duration reached: it ran for ${durationText(maxDurationMs / 1000)}`;
  const isIdle = ({ idleMs = [] }: Replica) => idleMs.some((ms) => ms >= (utilization?.windowMs ?? 0));
  const idle = utilization && state.replicas.find((replica) => isStaying(replica) && isIdle(replica));
  return idle ? `utilization_policy: a GPU of ${idle.name} ${idleText(utilization)}` : null;
}

function endsAt(state: ServiceState, term: Term | undefined): number | null {
  const limit = targetOf(state)?.spec.maxDurationMs;
  if (term?.kind !== 'started' || term.since === null || limit === undefined) return null;
  return term.since + limit;
}

/** Its process runs, or did: waiting for a machine or an image does not count. */
function hasBegun({ stage = 'start', ...replica }: Replica): boolean {
  return replica.phase === 'starting'
    ? stage === 'start'
    : replica.phase !== 'creating' && !isEnding(replica);
}

function nextText({ cron, at }: { readonly cron: readonly string[]; readonly at: number | null }): string {
  if (cron.length === 0) return 'a change of its file starts it again';
  return at === null
    ? `no day fits its schedule ${cronText(cron)}`
    : `its schedule ${cronText(cron)} starts it at ${utcText(at)}`;
}

function turned(state: ServiceState, before: Term, after: Term, now: number): NewEvent[] {
  if (before.kind === after.kind) return [];
  if (after.kind === 'stopped') {
    return [{ service: state.service, event: 'stopped', reason: `${after.reason}; ${nextText(after)}` }];
  }
  if (after.kind === 'scheduled' || before.kind === 'started') return [];
  const isFire = before.at !== null && now >= before.at;
  const reason = isFire
    ? `its schedule ${cronText(before.cron)} fired at ${utcText(before.at)}`
    : 'its file has changed';
  return [{ service: state.service, event: 'started', reason }];
}
