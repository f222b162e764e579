// Writes a replica's output to numbered files of bounded size, `000001.log` first, and removes the oldest.
// A line is `<ISO 8601 time> out|err <text>`.
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface LogLimits {
  readonly files: number;
  readonly bytesPerFile: number;
}

export const LOG_LIMITS: LogLimits = { files: 10, bytesPerFile: 10_000_000 };

export type LogStream = 'out' | 'err';

export interface LogWriter {
  /** Synchronous, so that a slow disk slows the replica down instead of filling memory. Never throws. */
  append(stream: LogStream, lines: readonly string[], at: Date): void;
}

/** Goes on in the newest file of `folder`. */
export function createLogWriter(folder: string, limits: LogLimits): LogWriter {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let number = logNumbers(folder).at(-1) ?? 1;
  let file = openSync(logFile(folder, number), 'a', 0o600);
  let size = fstatSync(file).size;
  let lost = 0;

  const rotate = () => {
    const next = openSync(logFile(folder, number + 1), 'a', 0o600);
    closeSync(file);
    [file, size] = [next, 0];
    number += 1;
    for (const old of logNumbers(folder).slice(0, -limits.files))
      rmSync(logFile(folder, old), { force: true });
  };
  const write = (text: string) => {
    const bytes = Buffer.byteLength(text);
    if (size > 0 && size + bytes > limits.bytesPerFile) rotate();
    writeSync(file, text);
    size += bytes;
  };
  return {
    append(stream, lines, at) {
      if (lines.length === 0) return;
      try {
        if (lost > 0) write(format('err', `trueup: ${lost} lines before this one could not be written`, at));
        lost = 0;
        for (const text of batches(lines.map((line) => format(stream, line, at)))) write(text);
      } catch {
        lost += lines.length; // a full disk must not end the keeper: its replica goes on without a log
      }
    },
  };
}

export function logFile(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(6, '0')}.log`);
}

/** The numbers of the files that are there, oldest first. */
export function logNumbers(folder: string): readonly number[] {
  try {
    const names = readdirSync(folder).filter((name) => /^\d+\.log$/.test(name));
    return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  } catch {
    return [];
  }
}

// Private

/** Few system calls for many lines, and no write so long that it would overrun a small file by much. */
const BATCH_LINES = 64;

function* batches(lines: readonly string[]): Iterable<string> {
  for (let from = 0; from < lines.length; from += BATCH_LINES) {
    yield lines.slice(from, from + BATCH_LINES).join('');
  }
}

function format(stream: LogStream, text: string, at: Date): string {
  return `${at.toISOString()} ${stream} ${text}\n`;
}
