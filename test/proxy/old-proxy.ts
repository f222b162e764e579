// A proxy of an older make, as a process: it serves by the table on disk, and understands only what never changes.
import { join } from 'node:path';
import { processIdentity } from '../../backends/host/process-identity.ts';
import { openControl } from '../../proxy/control-server.ts';
import { openGate } from '../../proxy/gate.ts';
import { boundAddress, descriptorOf, openAddress, urlOf } from '../../proxy/listen.ts';
import { removeRecord, writeRecord } from '../../proxy/record.ts';
import { openRouting } from '../../proxy/routing.ts';
import { CONFIG_VARIABLE, PROGRAM, type ProxyConfig, spawnProxy } from '../../proxy/spawn.ts';
import { loadTable } from '../../proxy/table-file.ts';
import { openUpstream } from '../../proxy/upstream.ts';
import { openWaitingRoom } from '../../proxy/waiting-room.ts';

const config = JSON.parse(process.env[CONFIG_VARIABLE] ?? '') as ProxyConfig;
const { folder, sockets } = config.place;
const socket = join(sockets, `${process.pid}.sock`);
const nowhere = openUpstream('nowhere', { kind: 'unix', path: join(sockets, 'none') });
const routing = openRouting(() => {});
const table = loadTable(folder);
if (table !== null) routing.replace(table);
const gate = openGate(
  {
    routing,
    room: openWaitingRoom(1_000, () => {}),
    arrived: () => {},
    daemon: () => nowhere,
    isDaemonUp: () => false,
    answerMs: 1_000,
  },
  () => {},
);
await openAddress(gate.server, config.listen);
const url = urlOf(boundAddress(gate.server));
const identity = processIdentity(process.pid);
if (identity === null) throw new Error('no /proc');
const record = { identity, listen: config.listen, url, socket, inherited: false };

const control = await openControl(socket, async (request, reply) => {
  if (request.kind === 'hello') {
    const standing = { store: '', epoch: 0, generation: 0, phase: 'accepting' } as const;
    reply({ kind: 'hello', protocol: 0, pid: process.pid, listen: config.listen, ...standing });
  }
  if (request.kind === 'spawn') {
    const { pid } = await spawnProxy({
      program: request.program ?? PROGRAM,
      config: { ...config, inherited: url },
      env: {},
      log: 'inherit',
      listening: descriptorOf(gate.server),
    });
    reply({ kind: 'spawned', id: request.id, pid });
  }
  if (request.kind === 'retire') {
    gate.retire(request.ms, () => {
      removeRecord(folder, record);
      process.exit(0);
    });
  }
});
setInterval(() => control.broadcast({ kind: 'stats', inflight: {}, held: {}, arrivals: {} }), 1_000);
writeRecord(folder, record);
process.stdout.write(`${JSON.stringify({ kind: 'up' })}\n`);
