// The proxy's side of the control socket: hears daemons, and tells all of them what happens.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { ControlEvent, ControlRequest } from './control.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';

export interface ControlServer {
  /** Daemons that are connected now. */
  readonly daemons: number;
  broadcast(event: ControlEvent): void;
  close(): void;
}

export type Reply = (event: ControlEvent) => void;

export async function openControl(
  path: string,
  onRequest: (request: ControlRequest, reply: Reply) => void,
): Promise<ControlServer> {
  const daemons = new Set<Socket>();
  const server = createServer((socket) => {
    daemons.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => daemons.delete(socket));
    readJsonLines(socket, (line) => {
      onRequest(line as ControlRequest, (event) => writeJsonLine(socket, event)); // only daemons of this user get here
    });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    get daemons() {
      return daemons.size;
    },
    broadcast: (event) => {
      for (const socket of daemons) writeJsonLine(socket, event);
    },
    close: () => {
      server.close();
      for (const socket of daemons) socket.destroy();
    },
  };
}
