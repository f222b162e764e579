// JSON values over a stream, one per line.
import type { Readable, Writable } from 'node:stream';

export function writeJsonLine(stream: Writable, value: unknown): void {
  if (stream.writable) stream.write(`${JSON.stringify(value)}\n`);
}

/** Calls `onValue` for each line; a line that is not JSON destroys the stream. */
export function readJsonLines(stream: Readable, onValue: (value: unknown) => void): void {
  let pending: string[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      pending.push(line);
      const whole = pending.join('');
      pending = [];
      const value = parsed(whole);
      if (value === undefined) stream.destroy(new Error('a line is not JSON'));
      else onValue(value);
    }
    if (rest !== '') pending.push(rest);
  });
}

// Private

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
