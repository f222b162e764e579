// The parts of BENCHMARKS.md that a run writes: between `<!-- bench NAME -->` and `<!-- end -->`, as a code block.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../../BENCHMARKS.md', import.meta.url);

export function replaceSection(name: string, text: string): void {
  writeFileSync(FILE, withSection(readFileSync(FILE, 'utf8'), name, text));
}

/** Throws when the document has no such section. */
export function withSection(document: string, name: string, text: string): string {
  const section = new RegExp(`(<!-- bench ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
  if (!section.test(document)) throw new Error(`BENCHMARKS.md has no section <!-- bench ${name} -->`);
  return document.replace(
    section,
    (_, from: string, to: string) => `${from}\`\`\`text\n${text}\n\`\`\`\n${to}`,
  );
}
