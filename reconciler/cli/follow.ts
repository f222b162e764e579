// `trueup events` and `trueup logs`: what happened and what was printed, and with `--follow` what comes next.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventSchema, logLineSchema } from '../../schemas/api.ts';
import { eventLine, logLine } from '../view/lines.ts';
import { type Client, isUnreachable } from './client.ts';
import type { Session } from './session.ts';

export interface EventOptions {
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly limit: number;
}

export async function showEvents(
  session: Session,
  service: string | undefined,
  { follow = false, json = false, limit }: EventOptions,
): Promise<number> {
  const events = readEvents(session, service, follow, limit);
  for await (const event of events) {
    await (json ? session.jsonLine(event) : session.line(eventLine(event)));
  }
  return exitCode();
}

export interface LogOptions {
  readonly replica?: number;
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly tail: number;
}

export async function showLogs(session: Session, service: string, options: LogOptions): Promise<number> {
  const { replica, tail, follow = false, json = false } = options;
  const query = { project: session.project, replica, tail, follow: follow ? 1 : undefined };
  const lines = session
    .client()
    .lines(`services/${encodeURIComponent(service)}/logs`, query, logLineSchema, session.ended());
  for await (const item of untilEnded(lines, session)) {
    await (json ? session.jsonLine(item) : session.line(logLine(item, replica === undefined)));
  }
  return exitCode();
}

// Private

const RETRY_MS = 1000;

/** Ctrl-C has set one already: following something always ends that way. */
function exitCode(): number {
  return Number(process.exitCode ?? 0);
}

/** Follows across restarts of the daemon: the log is in its store, so it goes on where it was left. */
async function* readEvents(session: Session, service: string | undefined, follow: boolean, limit: number) {
  const client = session.client();
  let after: number | undefined;
  let noted = false;
  for (;;) {
    try {
      for await (const event of eventsAfter(client, session, service, follow, limit, after)) {
        after = event.seq;
        noted = false;
        yield event;
      }
      if (!follow || session.ended().aborted) return;
    } catch (error) {
      // Before the first event there is nothing to go on from: say it and end.
      if (session.ended().aborted) return;
      if (!follow || after === undefined || !isUnreachable(error)) throw error;
      if (!noted) session.note('the server is away: trying again');
      noted = true;
    }
    await sleep(RETRY_MS, undefined, { signal: session.ended() }).catch(() => {});
  }
}

function eventsAfter(
  client: Client,
  session: Session,
  service: string | undefined,
  follow: boolean,
  limit: number,
  after: number | undefined,
) {
  const query = { project: session.project, service, after, limit: after === undefined ? limit : undefined };
  return client.lines('events', { ...query, follow: follow ? 1 : undefined }, eventSchema, session.ended());
}

async function* untilEnded<T>(items: AsyncIterable<T>, session: Session): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    if (!session.ended().aborted) throw error;
  }
}
