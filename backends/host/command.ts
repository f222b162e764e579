// From a process spec to what a host executes: the command line and the environment.
import { existsSync } from 'node:fs';
import type { ProcessSpec } from '../../schemas/desired.ts';

/** `commands` joined by `&&` in one shell; with an entrypoint they are its arguments instead. */
export function commandLine(spec: ProcessSpec): readonly string[] {
  if (spec.entrypoint !== null) return [...splitWords(spec.entrypoint), ...spec.commands];
  return [shellPath(spec.shell), '-c', joinCommands(spec.commands)];
}

/** An item that ends in `&` is put in braces, as `a & && b` is no sentence of the shell. */
export function joinCommands(commands: readonly string[]): string {
  const items = commands.map((command) => command.trim()).filter(Boolean);
  return items.map((item) => (/(^|[^&])&$/.test(item) ? `{ ${item} }` : item)).join(' && ');
}

/** The words of a command line, by the shell's rules for quotes and backslashes, with nothing expanded. */
export function splitWords(line: string): readonly string[] {
  const words = line.match(/(?:\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|[^\s'"\\])+/g) ?? [];
  return words.map((word) => word.replace(/\\([\s\S])|'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"/g, unquote));
}

/** What is there before the request's own variables: nothing of the daemon's environment. */
export function baseEnvironment(nodeFolder: string, home: string): { readonly [name: string]: string } {
  return { PATH: [nodeFolder, ...SYSTEM_FOLDERS].join(':'), HOME: home, LANG: 'C.UTF-8' };
}

export const SYSTEM_FOLDERS: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

// Private

function unquote(_: string, escaped?: string, single?: string, double?: string): string {
  return escaped ?? single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? '';
}

function shellPath(shell: string | null): string {
  if (shell === null) return existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  return shell.startsWith('/') ? shell : `/bin/${shell}`;
}
