// Published price lists as last read, in a folder that anybody may delete: each file is written whole or not at all, and
// one that cannot be read is one that is not there.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BadRow } from './csv.ts';
import type { Row } from './row.ts';
import { type PackedList, pack, unpack } from './snapshot-form.ts';

/** One provider's. */
export interface KeptList {
  readonly version: string;
  readonly rows: readonly Row[];
  readonly bad: readonly BadRow[];
}

export interface Visit {
  /** Epoch ms before which it is not asked again. */
  readonly nextAt: number;
  /** What went wrong, in words. */
  readonly trouble: readonly string[];
}

export interface Cache {
  readList(provider: string): Promise<KeptList | null>;
  readVisit(): Promise<Visit | null>;
  /** Throws when the folder cannot be written. */
  writeList(provider: string, list: KeptList): Promise<void>;
  writeVisit(visit: Visit): Promise<void>;
}

/** Of what is in the files: another number is another make, and is not read. */
const FORM = 1;

export function openCache(dir: string): Cache {
  return {
    readList: (provider) =>
      read(dir, `${provider}.json`, ({ version, lists, bad }: FileOfList) => ({
        version,
        rows: lists.flatMap(unpack),
        bad,
      })),
    readVisit: () => read(dir, VISIT, ({ nextAt, trouble }: Visit) => ({ nextAt, trouble: [...trouble] })),
    writeList: (provider, { version, rows, bad }) =>
      write(dir, `${provider}.json`, { version, lists: pack(rows), bad } satisfies FileOfList),
    writeVisit: (visit) => write(dir, VISIT, visit),
  };
}

// Private

interface FileOfList extends Omit<KeptList, 'rows'> {
  readonly lists: readonly PackedList[];
}

/** No provider has a name with a capital. */
const VISIT = 'VISIT.json';

/** Whatever is wrong with a file, in its text or in what it says: it is not there. */
async function read<Content, Value>(
  dir: string,
  name: string,
  understand: (content: Content) => Value,
): Promise<Value | null> {
  try {
    const { form, content } = JSON.parse(await readFile(join(dir, name), 'utf8'));
    return form === FORM ? understand(content) : null;
  } catch {
    return null;
  }
}

async function write(dir: string, name: string, content: unknown): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const draft = join(dir, `${name}.${randomBytes(4).toString('hex')}`);
  try {
    await writeFile(draft, JSON.stringify({ form: FORM, content }), { mode: 0o600, flag: 'wx' });
    await rename(draft, join(dir, name));
  } finally {
    await rm(draft, { force: true });
  }
}
