// Carries a replica's output from its FIFO to its log: decoded, secrets masked, cut into lines.
//
// The replica's end of a FIFO is open for reading too, so that it may write while nobody reads: without a keeper it
// gets no SIGPIPE, and waits once the pipe is full, until a successor reads on. Source: fifo(7), pipe(7).
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { createLineCutter } from './lines.ts';
import type { LogStream, LogWriter } from './log-writer.ts';
import { createRedactor } from './redact.ts';

const STREAMS: readonly LogStream[] = ['out', 'err'];
const LONGEST_LINE = 65_536;

export function makePipes(slot: string): void {
  execFileSync('mkfifo', ['-m', '600', ...STREAMS.map((stream) => join(slot, stream))], { stdio: 'pipe' });
}

/** The ends that a replica writes to; `close` them once it has them, as they would hide the end of its output. */
export function openWriteEnds(slot: string): { out: number; err: number; close(): void } {
  const [out, err] = [
    openSync(join(slot, 'out'), constants.O_RDWR),
    openSync(join(slot, 'err'), constants.O_RDWR),
  ];
  const close = () => {
    closeSync(out);
    closeSync(err);
  };
  return { out, err, close };
}

export interface Pump {
  /** Settles when no process can write any more and all is in the log. */
  readonly drained: Promise<unknown>;
}

/** `secrets` null: they are not known, so nothing of the output may be stored. */
export function startPump(slot: string, secrets: readonly string[] | null, log: LogWriter): Pump {
  const carried = STREAMS.map((stream) => {
    const store = (lines: readonly string[]) => log.append(stream, lines, new Date());
    return carry(join(slot, stream), secrets === null ? withhold(store) : mask(secrets, store));
  });
  return { drained: Promise.all(carried) };
}

// Private

const WITHHELD =
  'trueup: the output from here on is not stored: the keeper was killed, and the secrets to mask are not known any more';

/** Where bytes go; called without any at the end. */
type Sink = (bytes?: Buffer) => void;
type Store = (lines: readonly string[]) => void;

function withhold(store: Store): Sink {
  let said = false;
  return (bytes) => {
    if (bytes !== undefined && !said) store([WITHHELD]);
    said = true;
  };
}

function mask(secrets: readonly string[], store: Store): Sink {
  const decoder = new StringDecoder('utf8');
  const redactor = createRedactor(secrets);
  const lines = createLineCutter(LONGEST_LINE);
  return (bytes) => {
    if (bytes !== undefined) return store(lines.push(redactor.push(decoder.write(bytes))));
    store(lines.push(redactor.push(decoder.end()) + redactor.flush()));
    store(lines.flush());
  };
}

function carry(pipe: string, sink: Sink): Promise<void> {
  const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('data', (bytes) => sink(bytes));
  socket.on('error', () => undefined); // `close` follows
  return new Promise((resolve) => {
    socket.on('close', () => {
      sink();
      resolve();
    });
  });
}
