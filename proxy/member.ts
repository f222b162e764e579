// The daemon's view of one proxy process: dials its control socket, and dials again for as long as the process lives.
import { connect, type Socket } from 'node:net';
import type { RouteTable } from '../schemas/routes.ts';
import { type Arrivals, serviceOf } from './arrivals.ts';
import { type ControlEvent, type ControlRequest, PROTOCOL } from './control.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import type { ProxyRecord } from './record.ts';

export type MemberPhase = 'waiting' | 'accepting' | 'retiring';

export interface Member {
  readonly record: ProxyRecord;
  readonly phase: MemberPhase;
  /** null until it has said hello. */
  readonly protocol: number | null;
  /** The newest table that it acknowledged to us. */
  readonly acked: RouteTable | null;
  /** Why it refused the newest table; '' when it did not. */
  readonly refused: string;
  readonly inflight: { readonly [replica: string]: number };
  /** Requests that wait for a replica, by `<project>/<service>/<group>`. */
  readonly held: { readonly [group: string]: number };
  readonly arrivals: Arrivals;
  /** It has told all that it counted. */
  readonly hasCounted: boolean;
  /** Heartbeats missed in a row. */
  readonly silence: number;
  push(table: RouteTable): void;
  /** Asks for a successor; the outcome comes by `onSpawn`. */
  spawn(id: string, program: string): void;
  retire(ms: number): void;
  /** To be called each second: counts a heartbeat as missed until the next one is heard, dials if need be. */
  tick(): void;
  close(): void;
}

export interface MemberOptions {
  readonly record: ProxyRecord;
  /** What to take it for until it says so itself. */
  readonly assumed: MemberPhase;
  /** The daemon's API socket. */
  readonly api: string;
  readonly table: RouteTable | null;
  /** Where its arrivals are noted. */
  readonly arrivals: Arrivals;
  readonly onChange: () => void;
  /** Requests for these services (`<project>/<service>`) wait for a replica. */
  readonly onHeld: (services: ReadonlySet<string>) => void;
  /** `reason` is '' when the successor is up. */
  readonly onSpawn: (id: string, reason: string) => void;
  readonly log: (line: string) => void;
}

export function linkMember(options: MemberOptions): Member {
  const { record, onChange } = options;
  let socket: Socket | null = null;
  let phase = options.assumed;
  let protocol: number | null = null;
  let latest = options.table;
  let unacked: readonly RouteTable[] = [];
  let acked: RouteTable | null = null;
  let refused = '';
  let inflight: { readonly [replica: string]: number } = {};
  let held: { readonly [group: string]: number } = {};
  let hasCounted = false;
  let silence = 0;
  let isClosed = false;

  function dial(): void {
    if (isClosed || socket !== null) return;
    const dialled = connect(record.socket);
    socket = dialled;
    dialled.on('error', () => dialled.destroy());
    dialled.once('connect', () => send({ kind: 'hello', protocol: PROTOCOL, api: options.api }));
    dialled.once('close', () => {
      socket = null;
      if (!isClosed) onChange();
    });
    readJsonLines(dialled, (line) => hear(line as ControlEvent)); // the proxy's socket lies in our private folder
  }

  function send(request: ControlRequest): void {
    if (socket !== null) writeJsonLine(socket, request);
  }

  function sendTable(table: RouteTable): void {
    unacked = [...unacked, table];
    send({ kind: 'table', table });
  }

  function hear(event: ControlEvent): void {
    silence = 0;
    switch (event.kind) {
      case 'hello':
        greet(event.protocol, event.phase);
        break;
      case 'ack':
        acknowledge(event);
        break;
      case 'refused':
        refused = event.reason;
        options.log(`proxy ${record.identity.pid} refuses generation ${event.generation}: ${event.reason}`);
        admit();
        break;
      case 'spawned':
        options.onSpawn(event.id, '');
        break;
      case 'spawn-failed':
        options.onSpawn(event.id, event.reason);
        break;
      case 'stats':
        count(event);
        return;
      default:
        event satisfies never;
    }
    onChange();
  }

  function greet(spoken: number, present: MemberPhase): void {
    protocol = spoken;
    phase = present;
    unacked = [];
    hasCounted = false;
    if (spoken !== PROTOCOL) return;
    if (latest === null) admit();
    else if (latest !== acked) sendTable(latest);
  }

  function acknowledge(ack: Extract<ControlEvent, { readonly kind: 'ack' }>): void {
    const at = unacked.findIndex(
      (table) =>
        table.store === ack.store && table.epoch === ack.epoch && table.generation === ack.generation,
    );
    if (at < 0) return;
    acked = unacked[at] ?? null;
    unacked = unacked.slice(at + 1);
    refused = '';
    admit();
  }

  /** A successor accepts only when it serves by nothing older than what others have acknowledged. */
  function admit(): void {
    if (phase !== 'waiting') return;
    phase = 'accepting';
    send({ kind: 'accept' });
  }

  function count(stats: Extract<ControlEvent, { readonly kind: 'stats' }>): void {
    const isSame = JSON.stringify(stats.inflight) === JSON.stringify(inflight);
    inflight = stats.inflight;
    // A proxy of another protocol counts nothing else.
    if (protocol === PROTOCOL) {
      options.arrivals.note(stats.arrivals);
      held = stats.held;
      hasCounted = true;
    }
    if (!isSame) onChange();
    const services = new Set(Object.keys(held).map(serviceOf));
    if (services.size > 0) options.onHeld(services);
  }

  dial();
  return {
    record,
    arrivals: options.arrivals,
    get phase() {
      return phase;
    },
    get protocol() {
      return protocol;
    },
    get acked() {
      return acked;
    },
    get refused() {
      return refused;
    },
    get inflight() {
      return inflight;
    },
    get held() {
      return held;
    },
    get hasCounted() {
      return hasCounted;
    },
    get silence() {
      return silence;
    },
    push(table) {
      latest = table;
      if (protocol === PROTOCOL) sendTable(table);
    },
    spawn(id, program) {
      send({ kind: 'spawn', id, program });
    },
    retire(ms) {
      phase = 'retiring';
      send({ kind: 'retire', ms });
    },
    tick() {
      silence += 1;
      dial();
    },
    close() {
      isClosed = true;
      socket?.destroy();
    },
  };
}
