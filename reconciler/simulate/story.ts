// The story of a run, line by line: what the reconciler's event log says, and what the world did.
import type { MemoryStore } from '../store/memory.ts';
import { PROJECT } from './daemon.ts';

export interface StoryLine {
  /** Seconds from the beginning. */
  readonly t: number;
  readonly event: string;
  /** '' for what concerns no service in particular. */
  readonly service: string;
  readonly group?: string;
  readonly replica?: string;
  readonly deployment?: number;
  readonly commit?: string;
  readonly backend?: string;
  readonly reason?: string;
}

/** What the world does; the other events are those of `schemas/events.ts`. */
export type WorldEvent =
  | 'fault-began'
  | 'fault-ended'
  | 'instance-lost'
  | 'reconciler-crashed'
  | 'reconciler-started'
  | 'requests-failing'
  | 'requests-fine'
  | 'rule-broken'
  | 'expectation-failed';

export interface Story {
  /** Tells what the world did, now. */
  add(
    event: WorldEvent,
    line: Omit<StoryLine, 't' | 'event' | 'service'> & { readonly service?: string },
  ): void;
  /** Tells what the event log has that was not told yet. */
  catchUp(store: MemoryStore): Promise<void>;
}

export interface StoryOptions {
  /** Epoch ms. */
  readonly start: number;
  readonly now: () => number;
  readonly tell: (line: StoryLine) => void;
}

export function createStory({ start, now, tell }: StoryOptions): Story {
  let seen = 0;
  return {
    add: (event, { service = '', ...line }) => tell({ t: seconds(now() - start), event, service, ...line }),
    async catchUp(store) {
      const events = await store.events({ project: PROJECT, after: seen, limit: 100_000 });
      for (const { time, project: _, seq, event, service, reason, ...known } of events) {
        tell({ t: seconds(Date.parse(time) - start), event, service, ...known, reason });
        seen = seq;
      }
    },
  };
}

/** Seconds with three digits at most. */
export function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
