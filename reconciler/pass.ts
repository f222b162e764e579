// One pass over one key: observe, decide, check, record the intent, execute, save, next wake. What a service, a fleet and
// a volume have in common; each brings its own decision. Takes no input but the key: what woke it does not matter. Running
// it twice changes nothing.
import { asFailure, Failure } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import type { BoundaryHook, StepKind } from './boundary.ts';
import type { Clock } from './clock.ts';
import type { Claim, Settlement, Store } from './store/store.ts';

export interface PassDeps {
  readonly store: Pick<Store, 'settle'>;
  readonly clock: Clock;
  readonly boundary: BoundaryHook;
}

export interface Decided<State, Step> {
  /** null: nothing is left of it. */
  readonly state: State | null;
  readonly steps: readonly Step[];
  readonly events: readonly NewEvent[];
  readonly wakeAt: number;
}

export interface Folded<State> {
  readonly state: State;
  readonly events: readonly NewEvent[];
}

/** What differs between kinds of keys. Pure but for `observe`, `execute` and `note`. */
export interface Kind<Input, State, Step extends { readonly kind: StepKind; readonly id: string }> {
  /** All that the decision goes by, at the instant that `at` gives once everything has been read. */
  readonly observe: (claim: Claim, at: () => number) => Promise<Input>;
  readonly stateOf: (input: Input) => State | null;
  readonly decide: (input: Input) => Decided<State, Step>;
  /** Rules that the decision breaks. */
  readonly check: (input: Input, decision: Decided<State, Step>) => readonly string[];
  /** Carries out one step. Throws `Failure`. Gives what its success changes at once. */
  readonly execute: (
    input: Input,
    state: State,
    step: Step,
  ) => Promise<(state: State, now: number) => Folded<State>>;
  readonly fail: (input: Input, state: State, step: Step, failure: Failure, now: number) => Folded<State>;
  /** Whether another key goes first: the step is left for the next look. */
  readonly isLeft?: (state: State, step: Step) => boolean;
  /** A state that differs from the one before only in what matters to nobody is not written. */
  readonly isSame: (before: State | null, after: State | null) => boolean;
  /** Something of it has gone on to its next stage: what was done first shows only when it is looked at again. */
  readonly hasMoved: (before: State | null, after: State) => boolean;
  /** What else its record is found by, and whom its change wakes. `desired` is what git asks for. */
  readonly alongside: (
    before: State | null,
    after: State | null,
    desired: unknown,
  ) => Pick<Settlement, 'machine' | 'uses' | 'wakes'>;
  /** Told of the state it now has (null: none). */
  readonly note: (key: string, state: State | null) => void;
}

/** Longest that one effect may take; a pass starts none with less lease left. */
export const EFFECT_MS = 15_000;

/** After a decision that broke a rule: long enough not to spin, short enough that a fix of ours is seen. */
const BUG_RETRY_MS = 30_000;

/** Does one pass; the settlement it returns has yet to be written, and gives the lease back. */
export async function runPass<Input, State, Step extends { readonly kind: StepKind; readonly id: string }>(
  deps: PassDeps,
  kind: Kind<Input, State, Step>,
  claim: Claim,
): Promise<Settlement> {
  const { key, service } = claim.record;
  const startedAt = deps.clock.now();
  const at = () => claim.now + Math.round(deps.clock.now() - startedAt);
  deps.boundary('claimed', key);
  const input = await kind.observe(claim, at);
  deps.boundary('observed', key);
  const decision = kind.decide(input);
  const broken = kind.check(input, decision);
  if (broken.length > 0) return refuse(claim, service, broken, at());
  deps.boundary('decided', key);
  const before = kind.stateOf(input);
  if (decision.steps.length > 0) return carryOut(deps, kind, claim, input, decision, at);
  kind.note(key, decision.state);
  return settlement(kind, claim, before, decision.state, decision, true);
}

// Private

function refuse({ lease }: Claim, service: string, broken: readonly string[], now: number): Settlement {
  const reason = `a decision was not carried out because it broke a rule: ${broken.join('; ')}`;
  return {
    lease,
    wakeAt: now + BUG_RETRY_MS,
    events: [{ service, event: 'failure', reason }],
    release: true,
  };
}

async function carryOut<Input, State, Step extends { readonly kind: StepKind; readonly id: string }>(
  deps: PassDeps,
  kind: Kind<Input, State, Step>,
  claim: Claim,
  input: Input,
  decision: Decided<State, Step>,
  at: () => number,
): Promise<Settlement> {
  const { key } = claim.record;
  const [before, intended] = [kind.stateOf(input), decision.state];
  if (!intended) throw new Failure('bug', `${key}: steps without a state`);
  const intent = settlement(kind, claim, before, intended, decision, false);
  if (!kind.isSame(before, intended) || decision.events.length > 0) {
    const lost = await deps.store.settle([intent]);
    if (lost.has(key)) throw new Failure('transient', `${key}: the lease went to another reconciler`);
  }
  deps.boundary('intent-saved', key);
  // Before the effects: what they cause may come back before they end.
  kind.note(key, intended);
  const done = await executeAll(deps, kind, claim, input, intended, decision.steps, at);
  deps.boundary('outcome-unsaved', key);
  kind.note(key, done.state);
  // A first effect shows only when it is looked at, so look again at once; one that is repeated is given time.
  const isFirst = kind.hasMoved(before, intended) || kind.hasMoved(intended, done.state);
  const wakeAt = isFirst ? Math.min(decision.wakeAt, at() + 1) : decision.wakeAt;
  const end = settlement(kind, claim, intended, done.state, { events: done.events, wakeAt }, true);
  const wakes = new Set([...(intent.wakes ?? []), ...(end.wakes ?? [])]);
  return wakes.size > 0 ? { ...end, wakes: [...wakes] } : end;
}

async function executeAll<Input, State, Step extends { readonly kind: StepKind; readonly id: string }>(
  deps: PassDeps,
  kind: Kind<Input, State, Step>,
  claim: Claim,
  input: Input,
  intended: State,
  steps: readonly Step[],
  at: () => number,
): Promise<Folded<State>> {
  let state = intended;
  const events: NewEvent[] = [];
  const note = (outcome: Folded<State>): void => {
    state = outcome.state;
    events.push(...outcome.events);
  };
  for (const step of steps) {
    if (claim.lease.until - at() < EFFECT_MS) break;
    if (kind.isLeft?.(state, step)) continue;
    try {
      deps.boundary(`${step.kind}:before`, claim.record.key);
      const done = await kind.execute(input, state, step);
      deps.boundary(`${step.kind}:after`, claim.record.key);
      note(done(state, at()));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      note(kind.fail(input, state, step, asFailure(error), at()));
    }
  }
  return { state, events };
}

function settlement<Input, State, Step extends { readonly kind: StepKind; readonly id: string }>(
  kind: Kind<Input, State, Step>,
  { lease, record }: Claim,
  before: State | null,
  after: State | null,
  { events, wakeAt }: Pick<Settlement, 'events' | 'wakeAt'>,
  release: boolean,
): Settlement {
  const base = { lease, wakeAt: wakeAt ?? null, events, release };
  if (kind.isSame(before, after)) return base;
  return { ...base, state: after, ...kind.alongside(before, after, record.desired) };
}
