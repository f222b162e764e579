// Replicas whose instance is not to be counted on any more: it will be taken away, or is not what was made.
import type { Instance, ReplicaFact } from '../../schemas/actual.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import { isEnding } from './deployments.ts';
import { eventOf, type Move } from './move.ts';

/**
 * An instance that is being taken away, or is no longer what was made, is left as soon as another serves; until then it
 * is better than none.
 */
export function withdrawn(move: Move, fact: ReplicaFact, state: ServiceState): Move {
  const { replica, events } = move;
  if (!replica || fact.kind !== 'present' || isEnding(replica) || replica.phase === 'creating') return move;
  const isTaken = fact.instance.status === 'stopping';
  const leaving = isTaken ? 'its instance is being taken away' : driftText(replica, fact.instance);
  if (leaving === '') return move;
  const left = { ...replica, leaving };
  if (state.replicas.find(({ name }) => name === replica.name)?.leaving === leaving)
    return { ...move, replica: left };
  const name = isTaken ? 'replica-interrupted' : 'drift';
  return {
    ...move,
    replica: left,
    events: [...events, eventOf(state, name, `${left.name}: ${leaving}`, left)],
  };
}

// Private

/** How an instance differs from what was asked for; '' when it does not. */
function driftText({ shape, offer }: Replica, { tags, region, instance }: Instance): string {
  if (tags.shape !== shape) return `its instance is tagged as shape ${tags.shape}, not ${shape}`;
  if (region !== offer.region) return `its instance is in ${region}, not ${offer.region}`;
  return instance === offer.instance ? '' : `its instance is ${instance}, not ${offer.instance}`;
}
