// `npm run bench [-- NAME…] [-- --write]`: measures, prints a table for each entry, and with --write puts the tables into
// BENCHMARKS.md.
import { parseArgs } from 'node:util';
import { catalogEntry } from './catalog.ts';
import { commitEntry } from './commit.ts';
import { decideEntry } from './decide.ts';
import { type Entry, table } from './figures.ts';
import { loadText, machineLines } from './machine.ts';
import { parseEntry } from './parse.ts';
import { passEntry } from './pass.ts';
import { pushEntry } from './push.ts';
import { replaceSection } from './sections.ts';

const ENTRIES: readonly Entry[] = [commitEntry, passEntry, pushEntry, parseEntry, catalogEntry, decideEntry];

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !ENTRIES.some((entry) => entry.name === name));
if (unknown.length > 0) {
  console.error(`no entry ${unknown.join(', ')}; there are ${ENTRIES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const chosen = ENTRIES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
for (const entry of chosen) {
  const before = loadText();
  const outcome = await entry.run(say);
  say('');
  const when = `${new Date().toISOString().slice(0, 10)}; ${before} before, ${loadText()} after`;
  const text = [...machineLines(), when, '', table(outcome)].join('\n');
  console.log(`${entry.title} (${entry.name})\n${text}\n`);
  if (values.write) replaceSection(entry.name, text);
}

/** What is going on, on one line that is written over; nothing where nobody looks. */
function say(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
