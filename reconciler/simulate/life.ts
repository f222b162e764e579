// One life of the simulated reconciler. Once it is over nothing of it goes on: its timers do not fire, and what it has
// asked of anybody is never answered. What it had done before stays done.
import type { Clock } from '../clock.ts';

export interface Life {
  readonly clock: Clock;
  isOver(): boolean;
  end(): void;
  /** Calls `undo` when it ends. */
  onEnd(undo: () => void): void;
  /** The same port, as long as it lives. */
  port<T extends object>(port: T): T;
}

export function createLife(clock: Clock): Life {
  const timers = new Set<() => void>();
  const undoings: (() => void)[] = [];
  let isOver = false;

  const after: Clock['after'] = (ms, run) => {
    if (isOver) return () => {};
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
    return () => {
      timers.delete(cancel);
      cancel();
    };
  };

  function port<T extends object>(real: T): T {
    return new Proxy(real, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => through(isOver ? never() : Reflect.apply(member, target, args));
      },
    });
  }

  /** Answers come later; ports of ports (the transport of a backend) end with the life as well. */
  function through(result: unknown): unknown {
    if (result instanceof Promise) return whileAlive(result);
    const isPort = typeof result === 'object' && result !== null && Object.values(result).some(isFunction);
    return isPort ? port(result) : result;
  }

  async function whileAlive(answer: Promise<unknown>): Promise<unknown> {
    try {
      const result = await answer;
      return isOver ? never() : result;
    } catch (error) {
      if (isOver) return never();
      throw error;
    }
  }

  return {
    clock: { now: () => clock.now(), after },
    isOver: () => isOver,
    end() {
      isOver = true;
      for (const cancel of timers) cancel();
      timers.clear();
      for (const undo of undoings) undo();
    },
    onEnd: (undo) => void undoings.push(undo),
    port,
  };
}

// Private

function never(): Promise<never> {
  return new Promise(() => {});
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
