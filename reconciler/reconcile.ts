// One pass over one service: load (the claim), observe, decide, record the intent, execute, save, next wake.
// Takes no input but the key: what woke it does not matter. Running it twice changes nothing.
import type { Actual } from '../schemas/actual.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import { asFailure, Failure } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import type { Replica, ServiceState, Step } from '../schemas/rollout.ts';
import type { BoundaryHook } from './boundary.ts';
import type { Clock } from './clock.ts';
import { EFFECT_MS, type ExecuteDeps, execute } from './execute.ts';
import { type ObserveDeps, observe } from './observe.ts';
import { check } from './plan/check.ts';
import { type Decision, decide } from './plan/decide.ts';
import { targetOf } from './plan/deployments.ts';
import { foldCreated, foldFailure, type Outcome } from './plan/outcome.ts';
import { isAskedForAbove } from './plan/queue.ts';
import { isSameValue } from './plan/same.ts';
import type { Claim, Lease, Settlement, Store } from './store/store.ts';

export interface ReconcileDeps extends ObserveDeps, ExecuteDeps {
  readonly store: Pick<Store, 'settle'>;
  readonly clock: Clock;
  readonly machine: string;
  readonly boundary: BoundaryHook;
  /** Told of the state a service now has (null: none): what to probe, what to route, what to wake it for. */
  readonly noteState: (key: string, state: ServiceState | null) => void;
}

/** After a decision that broke a rule: long enough not to spin, short enough that a fix of ours is seen. */
const BUG_RETRY_MS = 30_000;

/** Does one pass; the settlement it returns has yet to be written, and gives the lease back. */
export async function reconcile(deps: ReconcileDeps, claim: Claim): Promise<Settlement> {
  const { record, now } = claim;
  const startedAt = deps.clock.now();
  const at = () => now + Math.round(deps.clock.now() - startedAt);
  deps.boundary('claimed', record.key);
  const desired = record.desired as DesiredRecord | null;
  const state = readState(record.key, record.state);
  const actual = await observe(deps, record.key, desired, state);
  deps.boundary('observed', record.key);
  const input = { project: record.project, service: record.service, desired, state, actual, now: at() };
  const decision = decide(input);
  const broken = check(input, decision);
  if (broken.length > 0) return refuse(claim, broken, at());
  deps.boundary('decided', record.key);
  if (decision.steps.length === 0) return finish(deps, claim, state, decision);
  return carryOut(deps, claim, state, decision, actual, at);
}

// Private

function readState(key: string, state: unknown): ServiceState | null {
  if (state === null || state === undefined) return null;
  const known = state as ServiceState;
  if (known.format !== 1)
    throw new Failure('bug', `${key}: its stored state has format ${known.format}; this program reads 1`);
  return known;
}

function refuse({ lease, record }: Claim, broken: readonly string[], now: number): Settlement {
  const reason = `a decision was not carried out because it broke a rule: ${broken.join('; ')}`;
  return {
    lease,
    wakeAt: now + BUG_RETRY_MS,
    events: [{ service: record.service, event: 'failure', reason }],
    release: true,
  };
}

function finish(
  deps: ReconcileDeps,
  claim: Claim,
  before: ServiceState | null,
  decision: Decision,
): Settlement {
  deps.noteState(claim.record.key, decision.state);
  return settlement(deps, claim.lease, before, decision.state, decision.wakeAt, decision.events, true);
}

async function carryOut(
  deps: ReconcileDeps,
  claim: Claim,
  before: ServiceState | null,
  decision: Decision,
  actual: Actual,
  at: () => number,
): Promise<Settlement> {
  const { lease, record } = claim;
  const intended = decision.state;
  if (!intended) throw new Failure('bug', `${record.key}: steps without a state`);
  const intent = settlement(deps, lease, before, intended, decision.wakeAt, decision.events, false);
  if (!isSame(before, intended) || decision.events.length > 0) {
    const lost = await deps.store.settle([intent]);
    if (lost.has(record.key))
      throw new Failure('transient', `${record.key}: the lease went to another reconciler`);
  }
  deps.boundary('intent-saved', record.key);
  // Before the effects: what they cause may come back before they end.
  deps.noteState(record.key, intended);
  const done = await executeAll(deps, claim, intended, decision.steps, actual.offers, at);
  deps.boundary('outcome-unsaved', record.key);
  deps.noteState(record.key, done.state);
  // A first effect shows only when it is looked at, so look again at once; one that is repeated is given time.
  const isFirst = hasMoved(before, intended) || hasMoved(intended, done.state);
  const wakeAt = isFirst ? Math.min(decision.wakeAt, at() + 1) : decision.wakeAt;
  return settlement(deps, lease, intended, done.state, wakeAt, done.events, true);
}

function hasMoved(before: ServiceState | null, after: ServiceState): boolean {
  const stage = ({ phase, attempt }: Replica) => `${phase} ${attempt}`;
  const stages = new Map(before?.replicas.map((replica) => [replica.name, stage(replica)]));
  if (stages.size > after.replicas.length) return true;
  return after.replicas.some((replica) => stages.get(replica.name) !== stage(replica));
}

async function executeAll(
  deps: ReconcileDeps,
  claim: Claim,
  intended: ServiceState,
  steps: readonly Step[],
  offers: Actual['offers'],
  at: () => number,
) {
  let state = intended;
  const events: NewEvent[] = [];
  const note = (outcome: Outcome): void => {
    state = outcome.state;
    events.push(...outcome.events);
  };
  for (const step of steps) {
    if (claim.lease.until - at() < EFFECT_MS) break;
    if (isOthersTurn(deps, state, step)) continue;
    try {
      deps.boundary(`${step.kind}:before`, claim.record.key);
      const instance = await execute(deps, claim.record.key, state, step);
      deps.boundary(`${step.kind}:after`, claim.record.key);
      if (instance && step.kind === 'create') note(foldCreated(state, step.replica, instance, at()));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      note(foldFailure(state, step, asFailure(error), at(), offers));
    }
  }
  return { state, events };
}

/** Of what comes together, who has the higher priority asks first; the others do when they look again. */
function isOthersTurn({ queue }: ReconcileDeps, state: ServiceState, step: Step): boolean {
  const wanted = step.kind === 'create' && state.replicas.find(({ name }) => name === step.replica);
  return !!wanted && isAskedForAbove(wanted.offer, queue?.() ?? [], targetOf(state)?.spec.priority);
}

function settlement(
  deps: ReconcileDeps,
  lease: Lease,
  before: ServiceState | null,
  after: ServiceState | null,
  wakeAt: number,
  events: readonly NewEvent[],
  release: boolean,
): Settlement {
  const base = { lease, wakeAt, events, release };
  if (isSame(before, after)) return base;
  return { ...base, state: after, machine: machineOf(deps.machine, after) };
}

/** Processes of this machine can be seen from this machine only, so its key stays here while it has any. */
function machineOf(machine: string, state: ServiceState | null): string | null {
  return state?.replicas.some((replica) => replica.offer.backend === 'local') ? machine : null;
}

/** When the last look was matters only while something is timed; a state that differs in nothing else is not written. */
function isSame(before: ServiceState | null, after: ServiceState | null): boolean {
  if (before === null || after === null) return before === after;
  const isTimed =
    after.waiting.length > 0 ||
    after.replicas.some(({ phase, idleMs = [] }) => phase !== 'ready' || idleMs.some((ms) => ms > 0));
  return isSameValue(before, isTimed ? after : { ...after, observedAt: before.observedAt });
}
