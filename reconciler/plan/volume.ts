// The decision of a volume: made once, found again for ever. What its file says later is held against what there is, and
// told where they differ; the volume itself is neither changed nor deleted. Pure.

import type { Failure } from '../../schemas/errors.ts';
import type { NewEvent } from '../../schemas/events.ts';
import { nameAround } from '../../schemas/keys.ts';
import type { Waiting } from '../../schemas/rollout.ts';
import type { DesiredVolume, Disk, VolumeState } from '../../schemas/volume.ts';
import { placeText } from './around-text.ts';
import { backoffMs } from './backoff.ts';
import { isSameValue } from './same.ts';

/** What observing its backend gave. */
export type DiskFact =
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'present'; readonly disk: Disk };

export interface VolumeInput {
  readonly project: string;
  readonly volume: string;
  /** null: no file declares it any more. */
  readonly desired: DesiredVolume | null;
  readonly state: VolumeState | null;
  readonly disk: DiskFact;
  /** Epoch ms, by the store's clock. */
  readonly now: number;
}

export interface VolumeStep {
  readonly kind: 'create';
  readonly id: string;
}

export interface VolumeDecision {
  readonly state: VolumeState | null;
  readonly steps: readonly VolumeStep[];
  readonly events: readonly NewEvent[];
  readonly wakeAt: number;
}

export function decideVolume(input: VolumeInput): VolumeDecision {
  const { desired, disk, now } = input;
  const before = input.state ?? (desired && firstState(input, desired));
  if (before === null) return { state: null, steps: [], events: [], wakeAt: now + LOOK_MS };
  // Nobody asks for it, and there is none: it was never made, or is lost.
  if (desired === null && before.phase !== 'ready' && disk.kind === 'missing')
    return { state: null, steps: [], events: [], wakeAt: now + LOOK_MS };
  const { state: seen, events } = advanced(begunAgain(before, desired), disk);
  const isDue =
    seen.phase === 'creating' &&
    seen.spec.existing === null &&
    seen.spec.refusal === null &&
    disk.kind === 'missing' &&
    now >= seen.retryAt;
  const steps: VolumeStep[] = isDue ? [{ kind: 'create', id: `${seen.volume}/create` }] : [];
  const waiting = reasonsOf(seen, desired, disk, now).map((reason) => ({
    ...reason,
    since: seen.waiting.find((each) => each.reason === reason.reason)?.since ?? now,
  }));
  const state = { ...seen, observedAt: now, waiting };
  return { state, steps, events, wakeAt: wakeAt(state, now) };
}

/** Once its `create` was answered. */
export function foldDisk(state: VolumeState, { id, zone }: Disk): { state: VolumeState; events: NewEvent[] } {
  return { state: { ...state, id, zone, tries: 0, retryAt: 0, detail: '' }, events: [] };
}

/** It is asked for again, unchanged, whatever was wrong: nobody but a person can say that it is not needed. */
export function foldDiskFailure(
  state: VolumeState,
  failure: Failure,
  now: number,
): { state: VolumeState; events: NewEvent[] } {
  const { message, fix } = failure;
  const tries = state.tries + 1;
  const retryAt = failure.retryAt ?? now + backoffMs(tries, false);
  const reason = `create: ${message}${fix ? `; ${fix}` : ''}`;
  const events = state.detail === message ? [] : [eventOf(state, 'failure', reason)];
  return { state: { ...state, tries, retryAt, detail: message }, events };
}

/** Rules the decision breaks, in words; empty: none. */
export function checkVolume(
  { state: before, disk, now }: VolumeInput,
  { state, steps, wakeAt: at }: VolumeDecision,
): string[] {
  const broken: string[] = [];
  if (before?.id && !state && disk.kind !== 'missing') broken.push('it is forgotten though it may be there');
  if (before?.id && state && state.id !== before.id && before.phase !== 'lost')
    broken.push('another volume takes its place');
  if (steps.length > 0 && disk.kind !== 'missing') broken.push('it is made though it may be there');
  if (steps.length > 0 && state?.spec.existing)
    broken.push('one is made in place of one that is said to exist');
  if (state && state.phase !== 'ready' && steps.length === 0 && state.waiting.length === 0)
    broken.push('it is not there, yet no step is taken and nothing is waited for');
  if (at <= now) broken.push('it is to look again at once, for ever');
  return broken;
}

// Private

/** A volume that is there is looked at this often: who loses one should hear of it. */
const LOOK_MS = 300_000;
const POLL_MS = 1_000;
const PATIENCE_MS = 60_000;

function firstState({ project, volume, now }: VolumeInput, { spec, commit }: DesiredVolume): VolumeState {
  return {
    format: 1,
    project,
    volume,
    spec,
    commit,
    phase: 'creating',
    id: null,
    zone: null,
    tries: 0,
    retryAt: 0,
    detail: '',
    observedAt: now,
    waiting: [],
  };
}

/** Where none was made yet, or what was is lost, a newer file is asked for as if it were the first. */
function begunAgain(state: VolumeState, desired: DesiredVolume | null): VolumeState {
  if (!desired || isSameValue(desired.spec, state.spec)) return state;
  const isOpen = state.phase === 'lost' || (state.phase === 'creating' && state.id === null);
  if (!isOpen) return state;
  const { spec, commit } = desired;
  return {
    ...state,
    spec,
    commit,
    phase: 'creating',
    id: null,
    zone: null,
    tries: 0,
    retryAt: 0,
    detail: '',
  };
}

function advanced(state: VolumeState, disk: DiskFact): { state: VolumeState; events: NewEvent[] } {
  if (disk.kind === 'unknown') return { state, events: [] };
  if (disk.kind === 'missing') {
    if (state.phase !== 'ready') return { state, events: [] };
    const reason = `${state.id} is gone from ${placeText(state.spec)}, and what was on it`;
    return {
      state: { ...state, phase: 'lost', detail: reason },
      events: [eventOf(state, 'volume-lost', reason)],
    };
  }
  const { id, zone, status } = disk.disk;
  const known = { ...state, id, zone };
  if (status !== 'ready' || state.phase === 'ready') return { state: known, events: [] };
  const ready: VolumeState = { ...known, phase: 'ready', tries: 0, retryAt: 0, detail: '' };
  return {
    state: ready,
    events: [eventOf(state, 'volume-ready', `${id} is there, in ${placeText(state.spec)}`)],
  };
}

type Reason = Omit<Waiting, 'since'>;

function reasonsOf(state: VolumeState, desired: DesiredVolume | null, disk: DiskFact, now: number): Reason[] {
  const wait = (reason: Waiting['reason'], until: number | null, detail: string): Reason => ({
    reason,
    subject: '',
    until,
    detail,
  });
  const { spec, phase, detail, retryAt } = state;
  const [problem] = desired?.problems.filter(({ severity }) => severity === 'error') ?? [];
  const found: Reason[] = problem
    ? [
        wait(
          'problem',
          null,
          `${problem.file}:${problem.line}:${problem.column} ${problem.message}; the last good spec stays`,
        ),
      ]
    : [];
  if (desired && !isSameValue(desired.spec, spec) && phase === 'ready') {
    const text = `it stays as it is (${placeText(spec)}): a volume is never changed in place. Give a new one another name`;
    found.push(wait('hold', null, text));
  }
  if (phase === 'creating' && spec.refusal !== null)
    return [...found, wait('dependency', null, spec.refusal)];
  if (disk.kind === 'unknown') return [...found, wait('backend', null, disk.reason)];
  if (phase === 'lost')
    return [...found, wait('hold', null, `${detail}; change its file to have a new one made`)];
  if (phase === 'ready') return found;
  const until = retryAt > now ? retryAt : null;
  if (spec.existing !== null && disk.kind === 'missing')
    return [...found, wait('dependency', until, `there is no volume ${spec.existing} in ${placeText(spec)}`)];
  return [...found, wait('instance', until, detail || 'it is being made')];
}

function eventOf({ volume }: VolumeState, event: NewEvent['event'], reason: string): NewEvent {
  return { service: nameAround('volume', volume), event, reason };
}

function wakeAt({ waiting, phase }: VolumeState, now: number): number {
  const timers = waiting.flatMap(({ until }) => (until !== null && until > now ? [until] : []));
  const polls = waiting.map(({ reason, since, until }) =>
    reason === 'instance' && until === null
      ? POLL_MS
      : Math.min(Math.max(POLL_MS, (now - since) / 4), PATIENCE_MS),
  );
  return Math.min(now + Math.min(phase === 'creating' ? PATIENCE_MS : LOOK_MS, ...polls), ...timers);
}
