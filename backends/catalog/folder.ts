// Price lists in a folder: `aws.csv`, or zips of such files. Reads only what is in the folder, wherever links point.
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Failure } from '../../schemas/errors.ts';
import { type PriceLists, readLists } from './source-lists.ts';
import { type CsvFile, MAX_LIST_BYTES, readZip } from './zip.ts';

/** Throws `invalid` where there is no folder, or no price list in it: one in which nothing can be read is one. */
export async function readFolder(dir: string): Promise<PriceLists> {
  const notes: string[] = [];
  const files: CsvFile[] = [];
  for (const name of await namesIn(dir)) {
    try {
      files.push(...(await readEntry(dir, name, notes)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      notes.push(error.message);
    }
  }
  const lists = readLists(files);
  if (lists.isNone) throw noPrices(dir, notes[0] ?? lists.bad[0]?.message);
  const { rows, versions, bad } = lists;
  return { rows, versions, bad, notes: [...notes, ...lists.notes] };
}

// Private

/** A list that is a file of its own before those in zips. */
async function namesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'there is no such folder' : (cause.code ?? cause.message);
    throw new Failure('invalid', `cannot read price lists from ${dir}: ${reason}`, {
      fix: 'Name a folder with files such as aws.csv, or with zips of them.',
      cause,
    });
  });
  const lists = names.filter((name) => /\.(csv|zip)$/i.test(name)).sort();
  return [...lists.filter((name) => !isZip(name)), ...lists.filter(isZip)];
}

async function readEntry(dir: string, name: string, notes: string[]): Promise<CsvFile[]> {
  const bytes = await readInside(dir, name);
  if (!isZip(name)) return [{ name, text: bytes.toString('utf8') }];
  const { files, skipped } = readZip(name, bytes);
  if (skipped.length > 0)
    notes.push(`${name} holds what is no price list: ${skipped.slice(0, 3).join(', ')}`);
  return files.map((file) => ({ ...file, from: `${name}/${file.name}` }));
}

async function readInside(dir: string, name: string): Promise<Buffer> {
  const [root, path] = await Promise.all([realpath(dir), realpath(join(dir, name)).catch(() => null)]);
  if (path === null || !path.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new Failure('invalid', `${name} is left out: it is a link that leaves the folder`);
  }
  const found = await stat(path);
  if (!found.isFile()) throw new Failure('invalid', `${name} is left out: it is no file`);
  if (found.size > MAX_LIST_BYTES) throw new Failure('invalid', `${name} is left out: it is too large`);
  return readFile(path);
}

function isZip(name: string): boolean {
  return /\.zip$/i.test(name);
}

function noPrices(dir: string, reason: string | undefined): Failure {
  return new Failure('invalid', `there are no prices in ${dir}${reason ? `: ${reason}` : ''}`, {
    fix: 'It must hold files such as aws.csv, with the columns instance_name, location, price …, or zips of them.',
  });
}
