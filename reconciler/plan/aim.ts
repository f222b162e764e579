// Chooses what the service is to be made equal to: keeps the target, opens a new deployment, or holds a quarantined one back.
import type { DesiredRecord, DesiredService } from '../../schemas/desired.ts';
import type { NewEvent } from '../../schemas/events.ts';
import type { Deployment, ServiceState } from '../../schemas/rollout.ts';
import { trustedGood } from './bake.ts';
import { adopt, isRolling, isRunningTheSame, sameShapes, targetOf } from './deployments.ts';

export interface Aim {
  readonly state: ServiceState;
  readonly events: readonly NewEvent[];
}

export function aim(state: ServiceState, desired: DesiredRecord | null, now: number): Aim {
  if (desired === null || desired.removed) return remove(state);
  const { service } = desired;
  if (service === null || desired.suspended) return { state, events: [] };
  const target = targetOf(state);
  if (target && isRunningTheSame(target, service)) return keep(state, target, service, now);
  const isHeldBack = state.quarantine?.digest === service.digest && now < state.quarantine.until;
  return isHeldBack ? { state, events: [] } : open(state, service, now);
}

// Private

function remove(state: ServiceState): Aim {
  // Who took it out of git has told of it.
  return { state: { ...state, target: null, rollout: null, quarantine: null }, events: [] };
}

/** Nothing that shapes a process differs; policy and what the file says around it may, and apply at once. */
function keep(state: ServiceState, target: Deployment, service: DesiredService, now: number): Aim {
  const { quarantine } = state;
  const isUntouched = target.digest === service.digest;
  const { digest, spec, sealed } = service;
  const refreshed: Deployment = isUntouched ? target : { ...target, digest, spec, sealed };
  const deployments = state.deployments.map((deployment) => (deployment === target ? refreshed : deployment));
  // Whatever was given up is tried again when anything is changed.
  const { incidents: _, ...rest } = state;
  const tried = isUntouched ? state : rest;
  const isOver = quarantine !== null && (quarantine.digest !== service.digest || now >= quarantine.until);
  if (!isOver) return { state: isUntouched ? state : { ...tried, deployments }, events: [] };
  const released: ServiceState = { ...tried, deployments, quarantine: null };
  // A rollout that was held where it failed is tried again; one that was rolled back is simply over.
  return state.rollout?.outcome === 'failed' && state.rollout.to === target.number
    ? begin(released, refreshed, isSuspect(state, refreshed), now)
    : { state: released, events: [] };
}

/** What failed and is tried again all the same is watched from the beginning, as after a first end of a candidate. */
function isSuspect({ quarantine }: ServiceState, { shapes }: Pick<Deployment, 'shapes'>): boolean {
  return quarantine?.shapes !== undefined && sameShapes({ shapes: quarantine.shapes }, { shapes });
}

function open(state: ServiceState, service: DesiredService, now: number): Aim {
  const { commit, revision, digest, shapes, configuration, spec, sealed } = service;
  const number = state.lastDeployment + 1;
  const deployment: Deployment = {
    number,
    commit,
    revision,
    digest,
    shapes,
    configuration,
    spec,
    sealed,
    at: now,
  };
  const superseded: NewEvent[] = isRolling(state)
    ? [
        {
          service: state.service,
          event: 'rollout-superseded',
          reason: `deployment ${number} takes its place`,
          deployment: state.target ?? 0,
        },
      ]
    : [];
  const { setAside: _, incidents: __, ...rest } = state;
  const opened: ServiceState = {
    ...rest,
    good: trustedGood(state, now),
    lastDeployment: number,
    deployments: [...state.deployments, deployment],
    quarantine: null,
    backoff: {},
  };
  const begun = begin(opened, deployment, isSuspect(state, deployment), now);
  return { state: begun.state, events: [...superseded, ...begun.events] };
}

function begin(state: ServiceState, deployment: Deployment, isSuspected: boolean, now: number): Aim {
  const { number, commit, revision } = deployment;
  const from = state.good;
  const event: NewEvent = {
    service: state.service,
    event: 'deployment',
    reason: `deployment ${number} (revision ${revision}) of commit ${commit.slice(0, 8)}${from === null ? '' : `, from deployment ${from}`}`,
    deployment: number,
    commit,
  };
  const rollout = {
    from,
    to: number,
    commit,
    startedAt: now,
    endedAt: null,
    outcome: 'rolling' as const,
    reason: '',
    exits: isSuspected ? 1 : 0,
    ...(isSuspected && { isAgain: true as const }),
    unready: 0,
  };
  return {
    state: { ...state, target: number, replicas: adopt(state, deployment), rollout },
    events: [event],
  };
}
