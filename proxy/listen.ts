// The public address: opened once, then inherited from proxy to proxy, so that it is never closed in between.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from '../schemas/errors.ts';
import { portHolder } from './port-holder.ts';
import { INHERITED_FD } from './spawn.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port` or `:port`. */
export function parseAddress(listen: string): Address {
  const parts = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(listen);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535) {
    throw new Failure('invalid', `${listen} is no address to listen on`, {
      fix: 'write HOST:PORT, for example 127.0.0.1:3000',
    });
  }
  return { host: parts[1] ?? (parts[2] || '0.0.0.0'), port };
}

/** Where clients on this machine reach what listens at `address`. */
export function urlOf({ host, port }: Address): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

export async function openAddress(server: Server, listen: string): Promise<void> {
  const { host, port } = parseAddress(listen);
  try {
    await listening(server, () => server.listen({ host, port }));
  } catch (error) {
    throw explained(error, listen, port);
  }
}

export async function inheritAddress(server: Server): Promise<void> {
  await listening(server, () => server.listen({ fd: INHERITED_FD }));
}

/** The descriptor of a listening server, to be inherited. Node has no public way to it. */
export function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd: number } | null };
  if (!handle || handle.fd < 0)
    throw new Failure('bug', 'a server that does not listen has no socket to inherit');
  return handle.fd;
}

export function boundAddress(server: Server): Address {
  const { address, port } = server.address() as AddressInfo; // a TCP server that listens
  return { host: address, port };
}

// Private

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

function explained(error: unknown, listen: string, port: number): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new Failure('invalid', `${listen} is taken by ${portHolder(port)}`, {
      fix: 'end that program or choose another address with --listen',
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new Failure('invalid', `cannot listen on ${listen}: ${reason}`, {
    fix: 'choose another address with --listen',
    cause: error,
  });
}
