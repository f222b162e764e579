// The proxies that run now, as their records and /proc tell: whoever dies leaves it, whoever appears is linked.
import { isRunning } from '../backends/host/process-identity.ts';
import type { RouteTable } from '../schemas/routes.ts';
import { linkMember, type Member, type MemberPhase } from './member.ts';
import { livingRecords, type ProxyRecord, removeRecord, signalProcess } from './record.ts';
import type { Tally } from './tally.ts';

export interface Roster {
  readonly members: readonly Member[];
  /** Looks again at who lives. */
  look(): void;
  /** To be called each second: kills whoever has been silent for too long. */
  tick(): void;
  push(table: RouteTable): void;
  close(): void;
}

export interface RosterOptions {
  readonly folder: string;
  readonly apiSocket: string;
  readonly tally: Tally;
  readonly onChange: () => void;
  readonly onHeld: (services: ReadonlySet<string>) => void;
  readonly onSpawn: (id: string, reason: string) => void;
  readonly log: (line: string) => void;
}

/** A proxy that missed so many heartbeats in a row hangs. */
export const SILENT_TICKS = 5;

export function openRoster(options: RosterOptions): Roster {
  const { folder, apiSocket: api, tally, ...told } = options;
  const { log } = options;
  let table: RouteTable | null = null;

  function link(record: ProxyRecord, assumed: MemberPhase): Member {
    return linkMember({ record, assumed, api, table, arrivals: tally.open(), ...told });
  }

  // Of those found at the start nothing is known, so all may be serving; later ones are known from their beginning.
  let members: readonly Member[] = livingRecords(folder).map((record) => link(record, 'accepting'));

  function dropDead(): void {
    const dead = members.filter((member) => !isRunning(member.record.identity));
    members = members.filter((member) => !dead.includes(member));
    for (const member of dead) {
      if (member.phase !== 'retiring') log(`proxy ${member.record.identity.pid} is gone`);
      member.close();
      tally.end(member.arrivals);
      removeRecord(folder, member.record);
    }
  }

  function linkNew(): void {
    const known = new Set(members.map((member) => member.record.identity.pid));
    const found = livingRecords(folder).filter((record) => !known.has(record.identity.pid));
    members = [
      ...members,
      ...found.map((record) => link(record, record.inherited ? 'waiting' : 'accepting')),
    ];
  }

  return {
    get members() {
      return members;
    },
    look() {
      dropDead();
      linkNew();
    },
    tick() {
      for (const member of members) {
        member.tick();
        if (member.silence < SILENT_TICKS) continue;
        log(`proxy ${member.record.identity.pid} hangs and is killed`);
        signalProcess(member.record.identity, 'SIGKILL');
      }
    },
    push(next) {
      table = next;
      for (const member of members) member.push(next);
    },
    close() {
      for (const member of members) member.close();
    },
  };
}
