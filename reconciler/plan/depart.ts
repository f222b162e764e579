// Replicas on their way out: drained, stopped, their instances given back.
import { hiddenMs, STOP_GRACE_MS } from './deadlines.ts';
import { isSpare } from './deployments.ts';
import { type Context, eventOf, hasEnded, type Move, unchanged } from './move.ts';

export function advanceDraining(context: Context): Move {
  const { replica, fact, spec, actual, state, elapsed } = context;
  if (fact.kind === 'missing') return gone(context);
  if (fact.kind === 'present' && hasEnded(fact.process))
    return unchanged(replica, { phase: 'terminating', stageMs: 0 });
  const unrouted = actual.published >= (state.route?.version ?? 0);
  if (!unrouted) return unchanged(replica, { detail: 'until every proxy has the new route' });
  const inflight = actual.inflight[replica.name] ?? 0;
  const stageMs = isSpare(replica, state) ? 0 : replica.stageMs + elapsed;
  if (inflight === 0 || stageMs >= spec.policy.drainMs)
    return unchanged(replica, { phase: 'stopping', stageMs: 0, detail: '' });
  return unchanged(replica, { stageMs, detail: `${inflight} request${inflight === 1 ? '' : 's'} in flight` });
}

export function advanceStopping(context: Context): Move {
  const { replica, fact, spec, elapsed } = context;
  if (fact.kind === 'missing') return missed(context);
  if (fact.kind === 'unknown') return unchanged(replica);
  const stageMs = replica.stageMs + elapsed;
  if (hasEnded(fact.process)) return unchanged(replica, { phase: 'terminating', stageMs: 0 });
  return stageMs < spec.stopMs + STOP_GRACE_MS
    ? unchanged(replica, { stageMs })
    : unchanged(replica, {
        phase: 'terminating',
        stageMs: 0,
        detail: 'its process does not end; its machine is ended',
      });
}

export function advanceTerminating(context: Context): Move {
  return context.fact.kind === 'missing' ? missed(context) : unchanged(context.replica);
}

// Private

/**
 * What is to end and is not to be found has ended; unless nobody ever saw it, and it may not be listed yet: then it must
 * have been missing for as long as it could be hidden.
 */
function missed(context: Context): Move {
  const { replica, elapsed } = context;
  const stageMs = replica.stageMs + elapsed;
  if (replica.instance !== null || stageMs >= hiddenMs(replica.offer)) return gone(context);
  return unchanged(replica, { stageMs, detail: 'nobody knows whether its instance was made' });
}

function gone({ replica, state }: Context): Move {
  return {
    replica: null,
    events: [eventOf(state, 'replica-stopped', `${replica.name} is gone: ${replica.leaving}`, replica)],
  };
}
