// One replica and what is known of it in a pass, and what became of it.
import type { Actual, ProcessStatus, ReplicaFact } from '../../schemas/actual.ts';
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Replica, ServiceState } from '../../schemas/rollout.ts';
import type { End } from './advance.ts';

export interface Context {
  readonly replica: Replica;
  readonly fact: ReplicaFact;
  readonly spec: ServiceSpec;
  readonly state: ServiceState;
  readonly actual: Actual;
  readonly elapsed: number;
  readonly now: number;
}

export interface Move {
  /** null: it is gone. */
  readonly replica: Replica | null;
  readonly end?: End;
  readonly events: readonly NewEvent[];
}

export function unchanged(replica: Replica, change: Partial<Replica> = {}): Move {
  return { replica: { ...replica, ...change }, events: [] };
}

export function eventOf(
  state: ServiceState,
  name: NewEvent['event'],
  reason: string,
  replica: Pick<Replica, 'name' | 'group' | 'offer' | 'deployment'>,
): NewEvent {
  return {
    service: state.service,
    event: name,
    reason,
    replica: replica.name,
    group: replica.group,
    backend: replica.offer.backend,
    deployment: replica.deployment,
  };
}

export function hasEnded(process: ProcessStatus): boolean {
  return process.kind === 'exited' || process.kind === 'absent';
}
