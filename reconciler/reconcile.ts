// The pass of one service.
import type { DesiredRecord } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import { nameAround } from '../schemas/keys.ts';
import type { Replica, ServiceState, Step } from '../schemas/rollout.ts';
import { type ExecuteDeps, execute } from './execute.ts';
import { type ObserveDeps, observe } from './observe.ts';
import { type Kind, type PassDeps, runPass } from './pass.ts';
import { check } from './plan/check.ts';
import { type DecisionInput, decide } from './plan/decide.ts';
import { targetOf } from './plan/deployments.ts';
import { fleetsOf, guestsIn } from './plan/fleet/facts.ts';
import { volumesOf } from './plan/mounts.ts';
import { foldCreated, foldFailure } from './plan/outcome.ts';
import { isAskedForAbove } from './plan/queue.ts';
import { isSameValue } from './plan/same.ts';
import { handOverText } from './plan/successor.ts';
import type { Claim, Settlement } from './store/store.ts';

export interface ReconcileDeps extends ObserveDeps, ExecuteDeps, PassDeps {
  readonly machine: string;
  /** Told of the state a service now has (null: none): what to probe, what to route, what to wake it for. */
  readonly noteState: (key: string, state: ServiceState | null) => void;
}

/** Does one pass; the settlement it returns has yet to be written, and gives the lease back. */
export function reconcile(deps: ReconcileDeps, claim: Claim): Promise<Settlement> {
  return runPass(deps, kindOf(deps), claim);
}

// Private

function kindOf(deps: ReconcileDeps): Kind<DecisionInput, ServiceState, Step> {
  return {
    async observe({ record }, at) {
      const { key, project, service } = record;
      const desired = record.desired as DesiredRecord | null;
      const state = readState(key, record.state);
      const actual = await observe(deps, key, desired, state);
      return { project, service, desired, state, actual, now: at() };
    },
    stateOf: ({ state }) => state,
    decide,
    check,
    async execute({ project, service }, state, step) {
      const instance = await execute(deps, `${project}/${service}`, state, step);
      if (!instance || step.kind !== 'create') return (after) => ({ state: after, events: [] });
      return (after, now) => foldCreated(after, step.replica, instance, now);
    },
    fail: ({ actual }, state, step, failure, now) => foldFailure(state, step, failure, now, actual.offers),
    isLeft: (state, step) => isOthersTurn(deps, state, step),
    isSame,
    hasMoved,
    alongside: (before, after, desired) => ({
      machine: machineOf(deps.machine, after),
      ...around(before, after, desired as DesiredRecord | null),
    }),
    note: deps.noteState,
  };
}

function readState(key: string, state: unknown): ServiceState | null {
  if (state === null || state === undefined) return null;
  const known = state as ServiceState;
  if (known.format !== 1)
    throw new Failure('bug', `${key}: its stored state has format ${known.format}; this program reads 1`);
  return known;
}

function hasMoved(before: ServiceState | null, after: ServiceState): boolean {
  const stage = ({ phase, attempt }: Replica) => `${phase} ${attempt}`;
  const stages = new Map(before?.replicas.map((replica) => [replica.name, stage(replica)]));
  if (stages.size > after.replicas.length) return true;
  return after.replicas.some((replica) => stages.get(replica.name) !== stage(replica));
}

/** Of what comes together, who has the higher priority asks first; the others do when they look again. */
function isOthersTurn({ queue }: ReconcileDeps, state: ServiceState, step: Step): boolean {
  const wanted = step.kind === 'create' && state.replicas.find(({ name }) => name === step.replica);
  return !!wanted && isAskedForAbove(wanted.offer, queue?.() ?? [], targetOf(state)?.spec.priority);
}

/** Processes of this machine can be seen from this machine only, so its key stays here while it has any. */
function machineOf(machine: string, state: ServiceState | null): string | null {
  return state?.replicas.some((replica) => replica.offer.backend === 'local') ? machine : null;
}

/**
 * Fleets and volumes find who uses them by that; a fleet looks when a guest has come, gone on or left, and so does the other
 * name of a service that is called otherwise now.
 */
function around(
  before: ServiceState | null,
  after: ServiceState | null,
  desired: DesiredRecord | null,
): Pick<Settlement, 'uses' | 'wakes'> {
  const [old, now] = [usedBy(before), usedBy(after)];
  const fleets = [...new Set([...fleetsOf(before), ...fleetsOf(after)])];
  const moved = fleets.filter((fleet) => guestsText(before, fleet) !== guestsText(after, fleet));
  const names = [...moved.map((fleet) => nameAround('fleet', fleet)), ...otherNames(before, after, desired)];
  const project = (after ?? before)?.project ?? '';
  return {
    ...(isSameValue(old, now) ? {} : { uses: now }),
    ...(names.length > 0 ? { wakes: names.map((name) => `${project}/${name}`) } : {}),
  };
}

function otherNames(
  before: ServiceState | null,
  after: ServiceState | null,
  desired: DesiredRecord | null,
): readonly string[] {
  const { renamedTo, renamedFrom = [] } = desired ?? {};
  const names = renamedTo === undefined ? renamedFrom : [renamedTo, ...renamedFrom];
  return names.length > 0 && handOverText(before) !== handOverText(after) ? names : [];
}

function usedBy(state: ServiceState | null): string[] {
  const volumes = new Set(state?.replicas.flatMap(volumesOf));
  return [
    ...fleetsOf(state).map((fleet) => nameAround('fleet', fleet)),
    ...[...volumes].toSorted().map((volume) => nameAround('volume', volume)),
  ];
}

function guestsText(state: ServiceState | null, fleet: string): string {
  const guests = state ? guestsIn(state, fleet) : [];
  return guests.map(({ replica, attempt, wish }) => `${replica} ${attempt} ${wish}`).join(',');
}

/** When the last look was matters only while something is timed; a state that differs in nothing else is not written. */
function isSame(before: ServiceState | null, after: ServiceState | null): boolean {
  if (before === null || after === null) return before === after;
  const isTimed =
    after.waiting.length > 0 ||
    after.replicas.some(({ phase, idleMs = [] }) => phase !== 'ready' || idleMs.some((ms) => ms > 0));
  return isSameValue(before, isTimed ? after : { ...after, observedAt: before.observedAt });
}
