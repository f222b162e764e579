// What goes wrong between the caller and the fake cloud: on demand, in a window of time, or by chance from a seed.
import { Failure, type FailureKind } from '../../schemas/errors.ts';
import type { Offer } from '../../schemas/offer.ts';
import { createRandom } from './random.ts';

export type Operation =
  | 'offers'
  | 'create'
  | 'get'
  | 'list'
  | 'terminate'
  | 'run'
  | 'status'
  | 'stop'
  | 'clear';

/** For the next `times` calls of one operation. */
export interface Fault {
  readonly operation: Operation;
  readonly kind: FailureKind;
  /** `after`: the cloud did what was asked, and only its answer was lost. */
  readonly effect: 'before' | 'after';
  readonly times: number;
  /** For `rate-limited`. */
  readonly retryAfterMs?: number;
}

/** For a while, every call that it concerns fails, or takes long. */
export interface FaultWindow {
  /** Epoch ms; `to` is not part of it. */
  readonly from: number;
  readonly to: number;
  /** `partition`: nothing of the cloud can be reached, not even what runs there. */
  readonly kind: FailureKind | 'slow' | 'partition';
  /** null: all. */
  readonly operations: readonly Operation[] | null;
  /** Of a call to be hit. */
  readonly probability: number;
  /** `either`: by chance. */
  readonly effect: 'before' | 'after' | 'either';
  /** Only calls about such an offer; null: whatever they are about. */
  readonly concerns: ((offer: Offer) => boolean) | null;
  /** For `slow`: how much longer a call takes. */
  readonly callMs: number;
  /** For `rate-limited`. */
  readonly retryAfterMs: number;
  /** For `no-capacity` and `quota`: offers do not tell; only `create` finds out. */
  readonly isHidden: boolean;
}

export interface TroubleOptions {
  readonly seed: number;
  readonly now: () => number;
  /** Names the cloud in messages. */
  readonly name: string;
  readonly windows: readonly FaultWindow[];
  /** How a slow call waits. */
  readonly wait: (ms: number) => Promise<void>;
}

export interface Trouble {
  /** Does `effect`, unless a fault is due. */
  attempt<T>(operation: Operation, effect: () => T, offer?: Offer): Promise<T>;
  inject(fault: Fault): void;
  unreliable(probability: number): void;
  calm(): void;
  isCutOff(): boolean;
  /** How an offer shows while a window keeps it from being had; null: nothing does. */
  shortage(offer: Offer): 'not-available' | 'no-quota' | null;
}

export function createTrouble({ seed, now, name, windows, wait }: TroubleOptions): Trouble {
  const random = createRandom(seed);
  let faults: readonly Fault[] = [];
  let probability = 0;

  const open = () => windows.filter(({ from, to }) => from <= now() && now() < to);
  const isHit = (window: FaultWindow, operation: Operation, offer?: Offer): boolean =>
    (window.operations?.includes(operation) ?? true) &&
    (window.concerns === null || (offer !== undefined && window.concerns(offer))) &&
    (window.probability >= 1 || random() < window.probability);

  const injected = (operation: Operation): Due | null => {
    const fault = faults.find((each) => each.operation === operation);
    if (fault === undefined) return null;
    const left = { ...fault, times: fault.times - 1 };
    faults = faults.flatMap((each) => (each !== fault ? each : left.times > 0 ? left : []));
    return { ...fault, message: `${operation} failed: ${fault.kind}` };
  };
  const inWindow = (operation: Operation, offer?: Offer): Due | null => {
    const window = open().find((each) => each.kind !== 'slow' && isHit(each, operation, offer));
    if (window === undefined || window.kind === 'slow') return null;
    const { effect, retryAfterMs } = window;
    const message = `${name}: ${WORDS[window.kind](operation, offer)}`;
    const kind = window.kind === 'partition' ? 'transient' : window.kind;
    return { kind, message, effect: effect === 'either' ? chosenEffect() : effect, retryAfterMs };
  };
  const byChance = (operation: Operation): Due | null => {
    if (probability === 0 || random() >= probability) return null;
    return { kind: 'transient', effect: chosenEffect(), message: `${operation} failed: transient` };
  };
  const chosenEffect = () => (random() < 0.5 ? 'before' : 'after');
  const delayOf = (operation: Operation, offer?: Offer): number =>
    open()
      .filter((window) => window.kind === 'slow' && isHit(window, operation, offer))
      .reduce((sum, { callMs }) => sum + callMs, 0);

  return {
    async attempt(operation, effect, offer) {
      const delay = windows.length === 0 ? 0 : delayOf(operation, offer);
      if (delay > 0) await wait(delay);
      const due = injected(operation) ?? inWindow(operation, offer) ?? byChance(operation);
      if (due === null) return effect();
      if (due.effect === 'after') effect();
      const retryAt = due.kind === 'rate-limited' ? { retryAt: now() + (due.retryAfterMs ?? 1_000) } : {};
      throw new Failure(due.kind, due.message, retryAt);
    },
    inject: (fault) => {
      faults = [...faults, fault];
    },
    unreliable: (value) => {
      probability = value;
    },
    calm() {
      faults = [];
      probability = 0;
    },
    isCutOff: () => open().some(({ kind }) => kind === 'partition'),
    shortage(offer) {
      const window = open().find(
        ({ kind, isHidden, concerns }) =>
          (kind === 'no-capacity' || kind === 'quota') && !isHidden && (concerns?.(offer) ?? true),
      );
      return window === undefined ? null : window.kind === 'quota' ? 'no-quota' : 'not-available';
    },
  };
}

// Private

interface Due extends Pick<Fault, 'kind' | 'effect' | 'retryAfterMs'> {
  readonly message: string;
}

const WORDS: {
  readonly [kind in Exclude<FaultWindow['kind'], 'slow'>]: (operation: Operation, offer?: Offer) => string;
} = {
  'no-capacity': (_, offer) =>
    `no ${offer?.instance ?? 'instance'} in ${offer?.region ?? 'any region'} is left`,
  quota: (_, offer) => `the quota of ${offer?.instance ?? 'instances'} is used up`,
  'rate-limited': (operation) => `too many requests: ${operation}`,
  transient: (operation) => `${operation} failed: internal error`,
  partition: () => 'no answer: the network is cut',
  unauthorized: () => 'the credentials are refused',
  'not-found': (operation) => `${operation}: not found`,
  invalid: (operation) => `${operation} was refused`,
  bug: (operation) => `${operation} failed in a way that nobody thought of`,
};
