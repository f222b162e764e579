// What `view/markdown.ts` has no need of: output of programs, links of ours, and data hidden in a comment of HTML.
import { stripVTControlCharacters } from 'node:util';
import { visible } from '../reconciler/view/text.ts';

/** Lines as they are, in a block in which neither Markdown nor names mean anything. Colours of terminals are left out. */
export function preformatted(lines: readonly string[]): string {
  const text = lines.map((line) => line.replace(/[&<>]/g, entity)).join('\n');
  return `<pre>\n${text}\n</pre>`;
}

/** A line that a program printed, as a terminal would show it in the end: without colours, the last of what was overwritten. */
export function printed(line: string): string {
  const text = stripVTControlCharacters(line).trimEnd();
  return visible(text.slice(text.lastIndexOf('\r') + 1));
}

/** '' when the address is none that a run has. The label is ours. */
export function link(label: string, url: string): string {
  return RUN_URL.test(url) ? `[${label}](${url})` : '';
}

/** JSON that no reader of HTML takes for the end of the comment it stands in. */
export function hiddenJson(value: object): string {
  return JSON.stringify(value).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// Private

const RUN_URL = /^https?:\/\/[\w.-]+(:\d+)?(\/[\w.~-]+)*\/?(\?[\w.~=&-]*)?$/;

/** Brackets end it; other letters than these may be changed on their way. */
const UNSAFE = /[<>]|[^\x20-\x7e]/g;

function entity(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}
