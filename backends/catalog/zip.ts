// CSV files out of a zip that may be damaged or hostile: read as a stream, so that what counts is how much comes out and
// not what the zip says of itself. Nothing is written anywhere.
import { Unzip, UnzipInflate } from 'fflate';
import { Failure } from '../../schemas/errors.ts';

/** A price list as text. */
export interface CsvFile {
  /** Of its provider, and `.csv`. */
  readonly name: string;
  /** Where it was found, for messages; without it its name says so. */
  readonly from?: string;
  readonly text: string;
}

/** Several times what all lists of all clouds take. */
export const MAX_LIST_BYTES = 128 * 2 ** 20;
const MAX_FILES = 100;

/** Deflate makes at most a thousand bytes of one: no step makes more than 16 MiB. */
const STEP_BYTES = 2 ** 14;

/** `zip` names it in messages. Throws `invalid` where it is no zip, is cut off, or holds more than `maxBytes`. */
export function readZip(
  zip: string,
  bytes: Uint8Array,
  maxBytes = MAX_LIST_BYTES,
): { files: CsvFile[]; skipped: string[] } {
  const files = filesIn(zip, bytes);
  const entries = new Map<string, Entry>();
  const skipped: string[] = [];
  let size = 0;
  const unzip = new Unzip((file) => {
    if (!isPlainName(file.name)) return void skipped.push(file.name);
    const entry: Entry = { chunks: [], isWhole: false };
    entries.set(file.name, entry);
    file.ondata = (error, chunk, isLast) => {
      if (error) throw error;
      size += chunk.length;
      if (size > maxBytes) throw refusal(zip, `it holds more than ${maxBytes / 2 ** 20} MiB`);
      entry.chunks.push(chunk);
      entry.isWhole ||= isLast;
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  feed(zip, unzip, bytes);
  const whole = [...entries.values()].filter(({ isWhole }) => isWhole);
  if (whole.length + skipped.length !== files) throw refusal(zip, 'a part of it is missing');
  return { files: [...entries].map(([name, { chunks }]) => ({ name, text: textOf(chunks) })), skipped };
}

// Private

interface Entry {
  readonly chunks: Uint8Array[];
  isWhole: boolean;
}

/** No folders, no `..`, nothing hidden. */
function isPlainName(name: string): boolean {
  return /^\w[\w.-]*\.csv$/i.test(name);
}

function feed(zip: string, unzip: Unzip, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; at += STEP_BYTES) {
      unzip.push(bytes.subarray(at, at + STEP_BYTES), at + STEP_BYTES >= bytes.length);
    }
  } catch (error) {
    throw error instanceof Failure ? error : refusal(zip, (error as Error).message);
  }
}

/** How many files it says it holds, at its very end; a zip that is cut off does not say it. */
function filesIn(zip: string, bytes: Uint8Array): number {
  // https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.16
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = buffer.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end === -1 || end + 22 > buffer.length) throw refusal(zip, 'it is no zip, or not all of one');
  const files = buffer.readUInt16LE(end + 10);
  if (files > MAX_FILES) throw refusal(zip, `it holds more than ${MAX_FILES} files`);
  return files;
}

function refusal(zip: string, reason: string): Failure {
  return new Failure('invalid', `${zip} cannot be read: ${reason}`, {
    fix: 'It must be a zip of price lists named by their cloud, as `aws.csv`.',
  });
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
