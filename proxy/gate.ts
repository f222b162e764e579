// The public HTTP server of one proxy process: turns connections into exchanges, and ends them gently.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { answerRequest, type Exchange, type Surroundings } from './answer.ts';
import { replyDetail } from './replies.ts';
import { upgradeExchange } from './upgrade.ts';

export interface Gate {
  readonly server: Server;
  /**
   * Takes no new connections; tells callers on present ones to come again elsewhere, with the answer to their next
   * request; calls `done` once the last connection is gone, or after `ms`.
   */
  retire(ms: number, done: () => void): void;
}

/** How long a quiet connection may still bring a request after retirement began: closing it at once loses that request. */
const QUIET_MS = 5_000;

export function openGate(around: Surroundings, log: (line: string) => void): Gate {
  let isRetiring = false;

  function answer(exchange: Exchange): void {
    if (isRetiring) exchange.response.shouldKeepAlive = false;
    try {
      answerRequest(around, exchange);
    } catch (error) {
      log(`a request could not be handled: ${error instanceof Error ? error.stack : String(error)}`);
      if (exchange.response.headersSent) exchange.response.destroy();
      else replyDetail(exchange.response, 500, 'The proxy could not handle this request');
    }
  }

  const server = createServer({
    requestTimeout: 0,
    headersTimeout: 30_000,
    keepAliveTimeout: 75_000,
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
  });
  const onRequest = (request: IncomingMessage, response: ServerResponse) => answer({ request, response });
  server.on('request', onRequest);
  // The caller is told to continue when a replica is there to take the body (forward.ts).
  server.on('checkContinue', onRequest);
  server.on('upgrade', (request, stream, head) => {
    // node:http types it as any Duplex for the sake of those who replace the socket; nobody does here.
    const socket = stream as Socket;
    answer({ request, ...upgradeExchange(request, socket, head) });
  });

  return {
    server,
    retire(ms, done) {
      if (isRetiring) return;
      isRetiring = true;
      server.keepAliveTimeout = QUIET_MS;
      // http's own `close` would cut quiet connections at once.
      NetServer.prototype.close.call(server, done);
      setTimeout(() => server.closeIdleConnections(), Math.min(QUIET_MS, ms / 2)).unref();
      setTimeout(done, ms).unref();
    },
  };
}
