// The effects that bring the world to what the state says now. A pure function of state and facts, so the same
// state gives the same steps again until the world has followed: that is what makes a pass idempotent.
import type { Actual, ReplicaFact } from '../../schemas/actual.ts';
import type { Replica, ServiceState, Step } from '../../schemas/rollout.ts';
import { isPublished } from './roll.ts';

export function stepsOf(state: ServiceState, actual: Actual, now: number): Step[] {
  const publish: Step[] =
    state.route && !isPublished(state, actual)
      ? [
          {
            kind: 'publish',
            id: `route/${state.route.version}`,
            reason: 'some proxy does not have the newest route',
          },
        ]
      : [];
  const due = state.replicas.filter((replica) => now >= replica.retryAt);
  return [...publish, ...due.flatMap((replica) => stepsFor(replica, actual.replicas[replica.name]))];
}

// Private

function stepsFor(replica: Replica, fact: ReplicaFact | undefined): Step[] {
  const step = (kind: 'create' | 'run' | 'stop' | 'terminate', reason: string): Step[] => [
    { kind, id: `${replica.name}/${replica.attempt}/${kind}`, replica: replica.name, reason },
  ];
  // What cannot be seen is not touched; a replica decided on in this very pass has no fact yet.
  if (fact?.kind === 'unknown') return [];
  const isNowhere = fact?.kind === 'missing' && replica.instance === null;
  const process = fact?.kind === 'present' ? fact.process.kind : 'absent';
  switch (replica.phase) {
    case 'creating':
      return fact?.kind === 'present' ? [] : step('create', `deployment ${replica.deployment} wants it`);
    case 'starting':
      return fact?.kind === 'present' && process === 'absent' ? step('run', 'its instance runs') : [];
    case 'stopping':
      return process === 'exited' || process === 'absent' ? [] : step('stop', replica.leaving);
    case 'terminating':
      return isNowhere ? [] : step('terminate', replica.leaving);
    case 'probing':
    case 'ready':
    case 'unready':
    case 'draining':
      return [];
  }
}
