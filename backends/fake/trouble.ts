// What goes wrong between the caller and the fake cloud: on demand, or by chance from a seed.
import { Failure, type FailureKind } from '../../schemas/errors.ts';

export type Operation = 'offers' | 'create' | 'get' | 'list' | 'terminate' | 'run' | 'status' | 'stop';

export interface Fault {
  readonly operation: Operation;
  readonly kind: FailureKind;
  /** `after`: the cloud did what was asked, and only its answer was lost. */
  readonly effect: 'before' | 'after';
  readonly times: number;
  /** For `rate-limited`. */
  readonly retryAfterMs?: number;
}

export interface Trouble {
  /** Does `effect`, unless a fault is due. */
  attempt<T>(operation: Operation, effect: () => T): Promise<T>;
  inject(fault: Fault): void;
  unreliable(probability: number): void;
}

export function createTrouble(seed: number, now: () => number): Trouble {
  const random = createRandom(seed);
  let faults: readonly Fault[] = [];
  let probability = 0;

  const due = (operation: Operation): Fault | null => {
    const fault = faults.find((each) => each.operation === operation);
    if (fault !== undefined) {
      const left = { ...fault, times: fault.times - 1 };
      faults = faults.flatMap((each) => (each !== fault ? each : left.times > 0 ? left : []));
      return fault;
    }
    if (probability === 0 || random() >= probability) return null;
    return { operation, kind: 'transient', effect: random() < 0.5 ? 'before' : 'after', times: 1 };
  };
  return {
    async attempt(operation, effect) {
      const fault = due(operation);
      if (fault === null) return effect();
      if (fault.effect === 'after') effect();
      const retryAt = fault.kind === 'rate-limited' ? { retryAt: now() + (fault.retryAfterMs ?? 1_000) } : {};
      throw new Failure(fault.kind, `${operation} failed: ${fault.kind}`, retryAt);
    },
    inject: (fault) => {
      faults = [...faults, fault];
    },
    unreliable: (value) => {
      probability = value;
    },
  };
}

// Private

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
