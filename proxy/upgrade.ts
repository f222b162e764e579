// Requests that leave HTTP (WebSocket): answered like any other until the replica agrees, then bytes both ways.
import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Join } from './relay.ts';

export interface UpgradeExchange {
  /** For every answer but 101. */
  readonly response: ServerResponse;
  readonly upgrade: { readonly protocol: string; readonly join: Join };
}

/** `head` holds what the caller sent after its request. */
export function upgradeExchange(request: IncomingMessage, socket: Socket, head: Buffer): UpgradeExchange {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => socket.end());
  socket.on('error', () => socket.destroy());

  function join(upstream: Duplex, headers: string[], done: () => void): void {
    response.detachSocket(socket);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.write(switching(request.headers.upgrade ?? '', headers), 'latin1');
    if (head.length > 0) upstream.write(head);
    joinStreams(socket, upstream, done);
  }

  return { response, upgrade: { protocol: request.headers.upgrade ?? '', join } };
}

// Private

function switching(protocol: string, headers: readonly string[]): string {
  let text = `HTTP/1.1 101 ${STATUS_CODES[101]}\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Pipes both ways; what ends or breaks on one side ends the other, after what is on its way has been written. */
function joinStreams(caller: Duplex, upstream: Duplex, done: () => void): void {
  caller.pipe(upstream).pipe(caller);
  upstream.on('error', () => upstream.destroy());
  upstream.once('close', () => endSoon(caller));
  caller.once('close', () => {
    endSoon(upstream);
    done();
  });
  if (!caller.destroyed) return;
  upstream.destroy();
  done();
}

function endSoon(stream: Duplex): void {
  if (stream.writableFinished) stream.destroy();
  else stream.end(() => stream.destroy());
}
