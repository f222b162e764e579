import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { parseSockets, readSockets, socketsOf } from '../../../backends/host/listeners.ts';

const row = (local: string, state: string, inode: number) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0`;

test('only listening sockets are listeners, but every port is in use', () => {
  const table = parseSockets([row('0100007F:1F90', '0A', 7), row('0100007F:1F91', '06', 0)]);
  expect(table.listeners).toEqual([{ inode: '7', port: 8_080, host: '127.0.0.1' }]);
  expect([...table.ports]).toEqual([8_080, 8_081]);
});

test.each([
  ['00000000', '127.0.0.1'],
  ['0500000A', '10.0.0.5'],
  ['00000000000000000000000000000000', '127.0.0.1'],
  ['00000000000000000000000001000000', '::1'],
  ['0000000000000000FFFF00000100007F', '127.0.0.1'],
  ['B80D0120000000000000000001000000', '2001:db8:0:0:0:0:0:1'],
])('a socket at %s is dialled at %s', (address, host) => {
  expect(parseSockets([row(`${address}:1F90`, '0A', 1)]).listeners[0]?.host).toBe(host);
});

test('a socket is found with the process that holds it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listener = readSockets().listeners.find((each) => each.port === port);
  expect(socketsOf([process.pid])).toContain(listener?.inode);
  expect(socketsOf([1_999_999_999])).toEqual(new Set());
  server.close();
});
