// Follows a commit's rollout to its end: every event a line of the log, every step forward told to who listens.
// Events only say when to look; what has come of it is read from the server's status each time.

import type { EventView, Status } from '../schemas/api.ts';
import { asFailure } from '../schemas/errors.ts';
import type { Output } from './output.ts';
import { isSettled, type Progress, progressOf, type ServiceProgress } from './progress.ts';
import type { Server } from './server.ts';

export interface FollowOptions {
  readonly server: Pick<Server, 'history' | 'events' | 'status'>;
  readonly out: Pick<Output, 'line' | 'group'>;
  readonly commit: string;
  readonly isApproved: boolean;
  readonly timeoutMs: number;
  /** Told of each step forward. */
  readonly moved: (services: readonly ServiceProgress[], newest: string | undefined) => void;
  /** Ends the following, not the rollout. */
  readonly signal: AbortSignal;
}

export type Followed =
  | {
      readonly kind: 'settled';
      readonly services: readonly ServiceProgress[];
      /** From the commit's first event to the last of a rollout. */
      readonly seconds: number;
    }
  | { readonly kind: 'late'; readonly progress: Progress }
  | { readonly kind: 'cancelled' };

export async function follow(options: FollowOptions): Promise<Followed> {
  const { server, out, commit, signal } = options;
  const late = AbortSignal.timeout(options.timeoutMs);
  const events = [...(await server.history(HISTORY))];
  const feed = listen(server, events.at(-1)?.seq ?? 0, AbortSignal.any([signal, late]));
  const hear = (heard: readonly EventView[]) => {
    const last = events.at(-1)?.seq ?? 0;
    const fresh = heard.filter(({ seq }) => seq > last);
    events.push(...fresh);
    for (const event of fresh) out.line(eventText(event));
  };
  /** The status may be known before the event that made it so has come. */
  const catchUp = async () => hear(await server.history(HISTORY).catch(() => []));
  const endGroup = out.group(`Following the rollout of ${commit.slice(0, 8)}`);
  for (const event of sinceCommit(events, commit)) out.line(eventText(event));
  try {
    for (let told = ''; ; ) {
      const status = await look(options);
      if (status === null && !late.aborted && !signal.aborted) continue;
      const progress: Progress = status
        ? progressOf({ ...options, events, status })
        : { kind: 'unread', detail: 'the server is away' };
      const services = progress.kind === 'read' ? progress.services : null;
      const telling = JSON.stringify(services);
      if (services && telling !== told) options.moved(services, events.at(-1)?.service || undefined);
      told = telling;
      if (services?.every(isSettled)) {
        await catchUp();
        return { kind: 'settled', services, seconds: secondsOf(events, commit) };
      }
      if (signal.aborted) return { kind: 'cancelled' };
      if (late.aborted) return { kind: 'late', progress };
      hear(await feed.next());
    }
  } finally {
    feed.close();
    endGroup();
  }
}

// Private

/** As much as the server gives at once. */
const HISTORY = 10_000;
/** Without any event, the status is looked at this often. */
const LOOK_MS = 10_000;
/** Events come in bunches: what comes within this time of each other is looked at together. */
const BUNCH_MS = 150;
const AGAIN_MS = 1000;

/** Events as they come, in bunches; after a pause an empty one. Outlives restarts of the server. */
function listen({ events }: FollowOptions['server'], after: number, signal: AbortSignal) {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  let waiting: EventView[] = [];
  let wake = () => {};
  const pump = async () => {
    for (let last = after; !both.aborted; await pause(AGAIN_MS, both)) {
      try {
        for await (const event of events(last, both)) {
          last = event.seq;
          waiting.push(event);
          wake();
        }
      } catch (error) {
        const { kind } = asFailure(error);
        if (kind === 'unauthorized' || kind === 'not-found') return;
      }
    }
  };
  void pump();
  return {
    async next(): Promise<readonly EventView[]> {
      if (waiting.length === 0 && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, pause(LOOK_MS, both)]);
      }
      await pause(BUNCH_MS, both);
      const bunch = waiting;
      waiting = [];
      return bunch;
    },
    close: () => ended.abort(),
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** null: the server is away, and may come back. */
async function look({ server, out }: FollowOptions): Promise<Status | null> {
  try {
    return await server.status();
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind !== 'transient') throw failure;
    out.line(`${failure.message}. The rollout goes on; trying again.`);
    return null;
  }
}

/** What happened before the commit was read is not of this run. */
function sinceCommit(events: readonly EventView[], commit: string): readonly EventView[] {
  const first = events.findIndex((event) => event.commit === commit);
  return first === -1 ? [] : events.slice(first);
}

function secondsOf(events: readonly EventView[], commit: string): number {
  const own = sinceCommit(events, commit);
  const begun = own.findLast(({ event, commit: of }) => event === 'approved' && of === commit) ?? own[0];
  const ended = own.findLast(({ event }) => event.startsWith('rollout-') || event === 'removed');
  if (!begun || !ended) return 0;
  return Math.max(0, (Date.parse(ended.time) - Date.parse(begun.time)) / 1000);
}

function eventText({ time, service, event, reason, replica }: EventView): string {
  const who = replica && !reason.includes(replica) ? `${replica}: ` : '';
  return `${time.slice(11, 19)} ${(service || '-').padEnd(10)} ${event.padEnd(17)} ${who}${reason}`;
}
