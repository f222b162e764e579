// What proxy tests are made of: replicas that really listen, proxies that are real processes, a client that sees
// every header.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Fleet, type FleetOptions, startFleet } from '../../proxy/fleet.ts';
import { livingRecords, signalProcess } from '../../proxy/record.ts';
import type { Endpoint } from '../../schemas/actual.ts';
import type { RouteTable, ServiceRoute } from '../../schemas/routes.ts';

export const PREFIX = '/proxy/services/main/web';

/** Waits until `condition` gives something; fails after `ms`, saying what was awaited. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  ms = 15_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await condition();
    if (found) return found as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'trueup-'));
}

/** A data dir whose proxies, whoever leads them by then, end with the test. */
export async function newDataDir(name = ''): Promise<string> {
  const folder = await temporaryFolder();
  const dataDir = join(folder, name);
  onTestFinished(async () => {
    await endProxies(dataDir);
    await rm(folder, { recursive: true, force: true });
  });
  return dataDir;
}

async function endProxies(dataDir: string): Promise<void> {
  const proxies = join(dataDir, 'proxy');
  if (!existsSync(proxies)) return;
  for (const record of livingRecords(proxies)) signalProcess(record.identity, 'SIGKILL');
  await eventually('no proxy is left', () => livingRecords(proxies).length === 0);
  const log = await readFile(join(proxies, 'log'), 'utf8').catch(() => '');
  expect(log).not.toContain('uncaught');
}

export interface Replica {
  readonly endpoint: Endpoint;
  readonly server: Server;
  /** Connections it ever took. */
  readonly connections: readonly Socket[];
  stop(): Promise<void>;
}

/** A replica on a port of its own, or on a unix socket; gone when the test is over. */
export async function startReplica(handler: RequestListener, path?: string): Promise<Replica> {
  const server = createServer(handler);
  const connections: Socket[] = [];
  server.on('connection', (socket) => connections.push(socket));
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const endpoint: Endpoint =
    path === undefined
      ? { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
      : { kind: 'unix', path };
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      for (const socket of connections) socket.destroy();
    });
  onTestFinished(stop);
  return { endpoint, server, connections, stop };
}

/** A port on which nothing listens. */
export async function closedEndpoint(): Promise<Endpoint> {
  const replica = await startReplica(() => {});
  await replica.stop();
  return replica.endpoint;
}

let generation = 0;

export function tableOf(routes: readonly ServiceRoute[], members: Partial<RouteTable> = {}): RouteTable {
  generation += 1;
  return { store: 'store', epoch: 1, generation, routes, tokens: [], ...members };
}

export function routeOf(endpoints: readonly Endpoint[], members: Partial<ServiceRoute> = {}): ServiceRoute {
  const service = members.service ?? 'web';
  return {
    project: 'main',
    service,
    version: generation + 1,
    auth: false,
    stripPrefix: true,
    model: null,
    replicas: endpoints.map((endpoint, number) => ({ name: `${service}-${number}`, group: '0', endpoint })),
    ...members,
  };
}

export interface Proxies {
  readonly fleet: Fleet;
  readonly dataDir: string;
  readonly apiSocket: string;
  readonly url: string;
  /** Puts a table in force in every proxy. */
  serve(table: RouteTable): Promise<void>;
  /** The usual case: service `main/web`, no auth, on these endpoints. */
  serveWeb(endpoints: readonly Endpoint[], members?: Partial<ServiceRoute>): Promise<void>;
  end(): Promise<void>;
}

export async function startProxies(options: Partial<FleetOptions> = {}): Promise<Proxies> {
  const dataDir = options.dataDir ?? (await temporaryFolder());
  const apiSocket = join(dataDir, 'api.sock');
  const fleet = await startFleet({
    dataDir,
    apiSocket,
    listen: '127.0.0.1:0',
    count: 1,
    onChange: () => {},
    log: () => {},
    ...options,
  });
  const serve = async (table: RouteTable) => {
    fleet.push(table);
    await eventually('the table is acknowledged', () => {
      const accepting = fleet.proxies().filter((proxy) => proxy.phase === 'accepting');
      return accepting.length > 0 && accepting.every((proxy) => proxy.generation === table.generation);
    });
  };
  return {
    fleet,
    dataDir,
    apiSocket,
    url: fleet.url,
    serve,
    serveWeb: (endpoints, members) => serve(tableOf([routeOf(endpoints, members)])),
    async end() {
      await fleet.stop(200);
      await endProxies(dataDir);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Buffer;
}

/** One request on a connection of its own. The URL's path is sent as it is written. */
export function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  // Node's client leaves the length out where a body is unusual (DELETE).
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { ...length, ...headers }, agent: false });
    sent.once('error', reject);
    sent.once('response', (response) => resolve(wholeAnswer(response)));
    sent.end(body);
  });
}

export async function wholeAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** What the replica saw, sent back as JSON. */
export const mirror: RequestListener = (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const { method, url, headers, rawHeaders } = incoming;
    outgoing.end(
      JSON.stringify({ method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() }),
    );
  });
};

/** Answers with its own name. */
export function named(name: string): RequestListener {
  return (_incoming, outgoing) => outgoing.end(name);
}
