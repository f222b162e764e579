// Reads what `log-writer.ts` wrote: the newest lines, and those that come, across rotation.
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../backend.ts';
import { logFile, logNumbers } from './log-writer.ts';

export interface ReadOptions {
  readonly tail: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

/** Ends, when it follows, once `signal` aborts or the folder is gone. */
export async function* readLogs(
  folder: string,
  { tail, follow, signal }: ReadOptions,
): AsyncGenerator<LogLine> {
  const { lines, place } = await newest(folder, tail);
  yield* lines.flatMap(parse);
  if (!follow) return;
  let at = place;
  while (!signal?.aborted) {
    const numbers = logNumbers(folder);
    if (numbers.length === 0 && at.number > 0) return;
    const more = await linesAfter(folder, at, numbers);
    at = more.place;
    yield* more.lines.flatMap(parse);
    if (more.lines.length === 0)
      await sleep(LOOK_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/** The newest `count` lines, oldest first, without time and stream. */
export async function lastTexts(folder: string, count: number): Promise<readonly string[]> {
  const { lines } = await newest(folder, count);
  return lines.flatMap(parse).map(({ text }) => text);
}

// Private

const LOOK_MS = 150;
const BLOCK = 65_536;
const NEWLINE = 10;

/** How far was read: `offset` bytes of file `number`; number 0 before there is any file. */
interface Place {
  readonly number: number;
  readonly offset: number;
}

interface Read {
  readonly lines: readonly string[];
  readonly place: Place;
}

async function newest(folder: string, count: number): Promise<Read> {
  const numbers = logNumbers(folder);
  let lines: readonly string[] = [];
  let place: Place = { number: 0, offset: 0 };
  for (const number of [...numbers].reverse()) {
    const read = await endOf(logFile(folder, number), count - lines.length);
    lines = [...read.lines, ...lines];
    if (place.number === 0) place = { number, offset: read.end };
    if (lines.length >= count) break;
  }
  return { lines, place };
}

/** The last `count` complete lines of a file, read backwards in blocks, and where they end. */
async function endOf(file: string, count: number): Promise<{ lines: readonly string[]; end: number }> {
  return withFile(file, { lines: [], end: 0 }, async (handle) => {
    const { size } = await handle.stat();
    let from = size;
    let bytes = Buffer.alloc(0);
    while (from > 0 && newlines(bytes) <= count) {
      const length = Math.min(BLOCK, from);
      from -= length;
      bytes = Buffer.concat([await readAt(handle, from, length), bytes]);
    }
    const complete = bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1);
    const lines = complete.toString('utf8').split('\n').slice(0, -1);
    return { lines: count > 0 ? lines.slice(-count) : [], end: from + complete.length };
  });
}

/** What was written after `place`: the rest of its file or, when that is all read, of the next one. */
async function linesAfter(folder: string, place: Place, numbers: readonly number[]): Promise<Read> {
  const rest = await blockAt(logFile(folder, place.number), place.offset);
  if (rest.length > 0) {
    const complete = rest.subarray(0, rest.lastIndexOf(NEWLINE) + 1);
    const lines = complete.toString('utf8').split('\n').slice(0, -1);
    return { lines, place: { number: place.number, offset: place.offset + complete.length } };
  }
  const next = numbers.find((number) => number > place.number);
  return { lines: [], place: next === undefined ? place : { number: next, offset: 0 } };
}

/** At least one whole line of the longest kind: keepers cut lines at 64 Ki characters, of up to 4 bytes. */
async function blockAt(file: string, offset: number): Promise<Buffer> {
  return withFile(file, Buffer.alloc(0), (handle) => readAt(handle, offset, 5 * BLOCK));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function withFile<T>(file: string, absent: T, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file).catch(() => null);
  if (handle === null) return absent;
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

function parse(line: string): readonly LogLine[] {
  const match = /^(\S+) (out|err) (.*)$/s.exec(line);
  const [, time = '', stream, text = ''] = match ?? [];
  return match === null ? [] : [{ at: Date.parse(time), stream: stream === 'err' ? 'err' : 'out', text }];
}
