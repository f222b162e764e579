// What a command has around it: where it prints, whom it asks, and when it is to end.
import { once } from 'node:events';
import type { Block, Line } from '../view/cells.ts';
import { findAddress } from './address.ts';
import { type Client, createClient } from './client.ts';
import { render, renderLine, type Screen, screenOf } from './screen.ts';

export interface Session {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly project: string;
  /** Of standard output; read anew, because windows change. */
  screen(): Screen;
  /** Resolves once the reader keeps up: a slow pipe slows the command, not its memory. */
  print(text: string): Promise<void>;
  blocks(blocks: readonly Block[]): Promise<void>;
  line(line: Line): Promise<void>;
  /** One JSON document: readable for people, complete for programs. */
  json(document: unknown): Promise<void>;
  /** One of many. */
  jsonLine(item: unknown): Promise<void>;
  /** For people, on standard error. */
  note(text: string): void;
  client(): Client;
  /** Aborted by Ctrl-C, SIGTERM or a closed terminal. The first call takes these signals over. */
  ended(): AbortSignal;
}

export function createSession(project: string): Session {
  const { env, stdout, stderr } = process;
  const screen = () => screenOf(stdout, env);
  const print = async (text: string) => {
    if (!stdout.write(text)) await once(stdout, 'drain');
  };
  return {
    env,
    cwd: process.cwd(),
    project,
    screen,
    print,
    blocks: (blocks) => print(render(blocks, screen())),
    line: (block) => print(renderLine(block, screen())),
    json: (document) => print(`${JSON.stringify(document, null, 2)}\n`),
    jsonLine: (item) => print(`${JSON.stringify(item)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    client: () => createClient(findAddress(env, process.cwd())),
    ended,
  };
}

// Private

let ending: AbortController | null = null;

function ended(): AbortSignal {
  if (ending) return ending.signal;
  const controller = new AbortController();
  ending = controller;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.exitCode = code;
      controller.abort();
    });
  }
  return controller.signal;
}
