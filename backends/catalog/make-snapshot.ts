// Makes the snapshot that ships with trueup: `node backends/catalog/make-snapshot.ts FOLDER`, by hand, with a folder of
// price lists whose sources stand in `snapshot-sources.ts`.
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { isRetired } from '../../schemas/retired.ts';
import { readFolder } from './folder.ts';
import type { Row } from './row.ts';
import { SNAPSHOT_DATE, SNAPSHOT_FILE } from './snapshot.ts';
import { pack } from './snapshot-form.ts';
import { datesText, GRADES, SOURCES } from './snapshot-sources.ts';

/** The rows of a folder that go into the snapshot: of backends that still exist. */
export async function snapshotRows(folder: string): Promise<Row[]> {
  const { rows, bad } = await readFolder(folder);
  if (bad[0]) throw new Error(`${bad[0].file}:${bad[0].line} ${bad[0].message}`);
  const known = new Set(SOURCES.map(({ backend }) => backend));
  const kept = rows.filter(({ backend }) => !isRetired(backend));
  const stranger = kept.find(({ backend }) => !known.has(backend));
  if (stranger) throw new Error(`${stranger.backend} has no entry in snapshot-sources.ts`);
  return kept.toSorted((a, b) => compare(a.backend, b.backend) || compare(a.instance, b.instance));
}

/** `SOURCES.md` beside the snapshot. */
export function sourcesText(): string {
  const rows = SOURCES.map((source) => {
    const { backend, grade, from } = source;
    return `| ${backend} | ${grade} | ${datesText(source)} | ${from} |`;
  });
  return `# Where the prices of the snapshot come from

\`prices.json.br\` holds prices of ${SNAPSHOT_DATE} or earlier, in USD per hour. They are shown where nothing newer is to be had, always with their date and never as live prices. Only figures were taken from the sources below: prices, sizes, and names of machines and regions. Where a source names no day, its year stands here.

| backend | grade | prices of | from |
|---|---|---|---|
${rows.join('\n')}

${Object.entries(GRADES)
  .map(([grade, meaning]) => `${grade}: ${meaning}.`)
  .join('\n')}

Both files are made by \`node backends/catalog/make-snapshot.ts FOLDER\`, from a folder of price lists and from \`snapshot-sources.ts\`.
`;
}

// Private

async function main(folder: string | undefined): Promise<void> {
  if (folder === undefined) throw new Error('usage: make-snapshot.ts FOLDER');
  const rows = await snapshotRows(folder);
  const json = JSON.stringify(pack(rows));
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_SIZE_HINT]: json.length,
  };
  const bytes = brotliCompressSync(json, { params });
  writeFileSync(SNAPSHOT_FILE, bytes);
  writeFileSync(new URL('SOURCES.md', SNAPSHOT_FILE), sourcesText());
  process.stdout.write(`${rows.length} rows of ${SNAPSHOT_DATE} or earlier in ${bytes.length} bytes\n`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2]);
