// One proxy process, put together: the gate to the public, the routes, and the control socket for daemons.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { processIdentity } from '../backends/host/process-identity.ts';
import { Failure } from '../schemas/errors.ts';
import type { RouteTable } from '../schemas/routes.ts';
import { machineSecond, openArrivals, serviceOf } from './arrivals.ts';
import { type ControlEvent, type ControlRequest, PROTOCOL } from './control.ts';
import { openControl, type Reply } from './control-server.ts';
import { openGate } from './gate.ts';
import { boundAddress, descriptorOf, inheritAddress, openAddress, urlOf } from './listen.ts';
import { type ProxyRecord, recordPath, removeRecord, writeRecord } from './record.ts';
import { openRouting, refusal } from './routing.ts';
import { PROGRAM, type ProxyConfig, spawnProxy } from './spawn.ts';
import { loadTable, saveTable } from './table-file.ts';
import { openUpstream } from './upstream.ts';
import { openWaitingRoom } from './waiting-room.ts';

/** Long enough for a small service to start; what takes longer is asked for again. */
const HOLD_MS = 60_000;

export interface RunningProxy {
  retire(ms: number): void;
}

/** `exit` is called when the proxy has nothing left to do. */
export async function startProxy(
  config: ProxyConfig,
  log: (line: string) => void,
  exit: () => void,
): Promise<RunningProxy> {
  const { folder, sockets } = config.place;
  let phase: 'waiting' | 'accepting' | 'retiring' = config.inherited === null ? 'accepting' : 'waiting';
  let apiSocket = config.apiSocket;
  let daemon = openUpstream('daemon', { kind: 'unix', path: apiSocket });

  const arrivals = openArrivals();
  const room = openWaitingRoom(config.holdMs ?? HOLD_MS, () => tellCounts());
  let toldUntil = 0;
  const routing = openRouting(() => tellCounts());
  const loaded = loadTable(folder);
  if (loaded !== null) routing.replace(loaded);

  const gate = openGate(
    {
      routing,
      room,
      arrived: (key) => arrivals.add(key, machineSecond()),
      daemon: () => daemon,
      isDaemonUp: () => control.daemons > 0,
      answerMs: config.answerMs,
    },
    log,
  );
  const control = await openControl(join(sockets, `${process.pid}.sock`), (request, reply) => {
    void handle(request, reply).catch((error: unknown) => log(`control request failed: ${String(error)}`));
  });
  if (config.inherited === null) await openAddress(gate.server, config.listen);
  const record = recordOf(config, join(sockets, `${process.pid}.sock`), config.inherited ?? boundUrl());
  writeRecord(folder, record);

  function boundUrl(): string {
    return urlOf(boundAddress(gate.server));
  }

  async function handle(request: ControlRequest, reply: Reply): Promise<void> {
    switch (request.kind) {
      case 'hello':
        if (request.api !== undefined) useApi(request.api);
        reply({ kind: 'hello', protocol: PROTOCOL, ...standing() });
        reply(countsSince(0));
        break;
      case 'table':
        takeTable(request.table, reply);
        break;
      case 'accept':
        await accept();
        break;
      case 'spawn':
        await spawnSuccessor(request.id, request.program ?? PROGRAM, reply);
        break;
      case 'retire':
        retire(request.ms);
        break;
      default:
        request satisfies never;
    }
  }

  async function accept(): Promise<void> {
    if (phase !== 'waiting') return;
    phase = 'accepting';
    await inheritAddress(gate.server);
  }

  function standing() {
    const { store, epoch, generation } = routing.table ?? { store: '', epoch: 0, generation: 0 };
    return { pid: process.pid, listen: config.listen, store, epoch, generation, phase };
  }

  function takeTable(table: RouteTable, reply: Reply): void {
    const { store, epoch, generation } = table;
    const reason = refusal(routing.table, table);
    if (reason !== null) {
      reply({ kind: 'refused', epoch, generation, reason });
      return;
    }
    routing.replace(table);
    saveTable(folder, table);
    arrivals.retain((key) => routing.find(serviceOf(key)) !== undefined);
    room.release((service) => routing.find(service)?.upstreams.length !== 0);
    tellCounts();
    reply({ kind: 'ack', store, epoch, generation });
  }

  function tellCounts(): void {
    control.broadcast(countsSince(toldUntil));
    toldUntil = machineSecond();
  }

  function countsSince(second: number): ControlEvent {
    const [inflight, held] = [routing.inflight(), room.held()];
    return { kind: 'stats', inflight, held, arrivals: arrivals.since(second) };
  }

  function useApi(path: string): void {
    if (path === apiSocket) return;
    apiSocket = path;
    daemon.retire(() => {});
    daemon = openUpstream('daemon', { kind: 'unix', path });
  }

  async function spawnSuccessor(id: string, program: string, reply: Reply): Promise<void> {
    const successor: ProxyConfig = { ...config, apiSocket, inherited: record.url };
    const { pid, report } = await spawnProxy({
      program,
      config: successor,
      env: process.env,
      log: 'inherit',
      listening: descriptorOf(gate.server),
    });
    if (report.kind === 'up') reply({ kind: 'spawned', id, pid });
    else reply({ kind: 'spawn-failed', id, reason: report.message });
  }

  function retire(ms: number): void {
    if (phase === 'waiting') leave();
    else gate.retire(ms, leave);
    phase = 'retiring';
  }

  function leave(): void {
    removeRecord(folder, record);
    exit();
  }

  setInterval(tellCounts, 1_000);
  watchOverdue(
    config.orphanMs,
    leave,
    () => !existsSync(recordPath(folder, process.pid)) || phase === 'waiting',
  );
  return { retire };
}

// Private

/** Calls `overdue` once `isLost` has been true for `ms` without a break. */
function watchOverdue(ms: number, overdue: () => void, isLost: () => boolean): void {
  let since: number | null = null;
  setInterval(() => {
    if (!isLost()) since = null;
    else since ??= performance.now();
    if (since !== null && performance.now() - since >= ms) overdue();
  }, ms / 12);
}

function recordOf(config: ProxyConfig, socket: string, url: string): ProxyRecord {
  const identity = processIdentity(process.pid);
  if (identity === null)
    throw new Failure('invalid', 'this machine does not tell who a process is (no /proc)');
  return { identity, listen: config.listen, url, socket, inherited: config.inherited !== null };
}
