// Requests for services that have no replica yet, because nobody asked for one: they are held until it is ready.
// Bounded in number and time; their bodies stay with the callers, as nothing reads them before there is a replica.
import type { ServerResponse } from 'node:http';

export interface WaitingRoom {
  /** Holds a request. False: there is no room. */
  enter(guest: Guest): boolean;
  /** Lets go on those whose service can answer now, in the order of their arrival. */
  release(isReady: (service: string) => boolean): void;
  /** How many are held, by the group that each waits for. */
  held(): { readonly [group: string]: number };
}

export interface Guest {
  /** `<project>/<service>`. */
  readonly service: string;
  /** The key of the group that it waits for. */
  readonly group: string;
  readonly response: ServerResponse;
  readonly goOn: () => void;
  /** It has waited for as long as it may. */
  readonly giveUp: () => void;
}

/** More than this would overrun the first replica anyway. */
const MOST_PER_SERVICE = 100;
const MOST = 1_000;

/** `came` is called when the first request for a service begins to wait. */
export function openWaitingRoom(holdMs: number, came: () => void): WaitingRoom {
  const guests = new Map<Guest, NodeJS.Timeout>();

  function leave(guest: Guest): void {
    clearTimeout(guests.get(guest));
    guests.delete(guest);
  }

  function countFor(service: string): number {
    return [...guests.keys()].filter((guest) => guest.service === service).length;
  }

  return {
    enter(guest) {
      const others = countFor(guest.service);
      if (guests.size >= MOST || others >= MOST_PER_SERVICE) return false;
      const timer = setTimeout(() => {
        leave(guest);
        guest.giveUp();
      }, holdMs);
      guests.set(guest, timer);
      guest.response.once('close', () => leave(guest));
      if (others === 0) came();
      return true;
    },
    release(isReady) {
      for (const guest of [...guests.keys()]) {
        if (!isReady(guest.service)) continue;
        leave(guest);
        guest.goOn();
      }
    },
    held() {
      const counts: { [group: string]: number } = {};
      for (const { group } of guests.keys()) counts[group] = (counts[group] ?? 0) + 1;
      return counts;
    },
  };
}
