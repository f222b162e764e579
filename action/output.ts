// What the runner is told: lines of the log, annotations, outputs, the summary. Text from a repository or a service can
// neither command the runner nor end what it stands in.
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';

export type Level = 'error' | 'warning' | 'notice';

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Output {
  /** One or more lines of the job's log. */
  line(text: string): void;
  /** What is written until the returned function is called can be folded. */
  group(title: string): () => void;
  /** Shown with the run, and at its place in the files where it has one. */
  annotate(level: Level, message: string, place?: Place): void;
  /** From now on the runner replaces it with `***`. */
  mask(secret: string): void;
  /** An output of the step. */
  set(name: string, value: string): void;
  /** Adds Markdown to the summary of the job. */
  summary(markdown: string): void;
}

export function createOutput(env: NodeJS.ProcessEnv, write: (text: string) => void): Output {
  const command = (
    name: string,
    properties: { readonly [name: string]: string | number },
    message: string,
  ) => {
    const pairs = Object.entries(properties).map(([key, value]) => `${key}=${inProperty(String(value))}`);
    write(`::${name}${pairs.length > 0 ? ` ${pairs.join(',')}` : ''}::${inMessage(message)}\n`);
  };
  const { GITHUB_OUTPUT, GITHUB_STEP_SUMMARY } = env;
  return {
    line: (text) => write(`${harmless(text)}\n`),
    group(title) {
      command('group', {}, title);
      return () => command('endgroup', {}, '');
    },
    annotate(level, message, place) {
      const at = place ? { file: place.file, line: place.line, col: place.column } : {};
      command(level, at, message);
    },
    mask: (secret) => command('add-mask', {}, secret),
    set: (name, value) => append(GITHUB_OUTPUT, delimited(name, value)),
    summary: (markdown) => append(GITHUB_STEP_SUMMARY, `${markdown.trimEnd()}\n\n`),
  };
}

// Private

function append(path: string | undefined, text: string): void {
  if (path) appendFileSync(path, text);
}

/** A delimiter that no value can know ends the value. */
function delimited(name: string, value: string): string {
  const end = `end-${randomUUID()}`;
  return `${name}<<${end}\n${value}\n${end}\n`;
}

/** The runner takes a line that begins with `::`, or has `##[` anywhere, as a command; for it, U+0085 is a space too. */
function harmless(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/^([\s\x85]*):(?=:)/gm, '$1:\u200b')
    .replaceAll('##[', '##\u200b[');
}

function inMessage(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function inProperty(text: string): string {
  return inMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
