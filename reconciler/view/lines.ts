// Events and log lines, one line each.
import type { EventView, LogLineView } from '../../schemas/api.ts';
import { type Cell, dim, type Line, line, plain, stamp, strong, type Tone } from './cells.ts';

export function eventLine({ time, service, event, reason, replica }: EventView): Line {
  return line(
    0,
    dim(stamp(time)),
    strong((service || '-').padEnd(SERVICE)),
    { text: event.padEnd(EVENT), tone: EVENT_TONES.find(([pattern]) => pattern.test(event))?.[1] ?? 'plain' },
    plain(replica && !reason.includes(replica) ? `${replica}: ${reason}` : reason),
  );
}

export function logLine({ replica, stream, text }: LogLineView, several: boolean): Line {
  const body: Cell = { text, tone: stream === 'err' ? 'warn' : 'plain' };
  return several ? line(0, dim(`${replica} |`), body) : line(0, body);
}

// Private

/** Columns that most names fit in; longer ones push the rest to the right. */
const SERVICE = 10;
const EVENT = 'rollout-superseded'.length;

const EVENT_TONES: readonly (readonly [RegExp, Tone])[] = [
  [/^(invalid|failure|quarantined)$|-(failed|lost|held)$/, 'bad'],
  [/^(rollout-done|replica-ready|fixed|source-recovered)$/, 'good'],
  [/^(deployment|commit|published|removed)$|-superseded$|-unready$/, 'warn'],
];
