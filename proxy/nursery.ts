// How new proxies come to be: the first opens the address, every other inherits it from one that lives.
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../schemas/errors.ts';
import type { Member } from './member.ts';
import { PROGRAM, type ProxyConfig, spawnProxy } from './spawn.ts';

export interface Nursery {
  /** Opens `listen` in a process of its own; fails with the reason when the address cannot be had. */
  open(listen: string): Promise<void>;
  /** Asks `parent` for a successor and waits for the outcome; gives up when `isLost` says that none will come. */
  spawn(parent: Member, isLost: () => boolean): Promise<void>;
  /** What became of a request; `reason` is '' when the successor is up. */
  onSpawn(id: string, reason: string): void;
}

const SPAWN_MS = 20_000;
const LOG_BYTES = 10_000_000;

export function openNursery(
  settings: Omit<ProxyConfig, 'listen' | 'inherited'>,
  env: NodeJS.ProcessEnv,
): Nursery {
  const outcomes = new Map<string, string>();
  let asked = 0;

  return {
    async open(listen) {
      const config: ProxyConfig = { ...settings, listen, inherited: null };
      const log = openLog(settings.place.folder);
      try {
        const { report } = await spawnProxy({ program: PROGRAM, config, env, log });
        if (report.kind === 'failed') throw new Failure('invalid', report.message, { fix: report.fix });
      } finally {
        closeSync(log);
      }
    },
    async spawn(parent, isLost) {
      asked += 1;
      const id = `${process.pid}-${asked}`;
      parent.spawn(id, PROGRAM);
      await holdsWithin(SPAWN_MS, () => outcomes.has(id) || isLost());
      const reason = outcomes.get(id) ?? 'it did not answer';
      outcomes.delete(id);
      if (reason !== '') {
        throw new Failure(
          'transient',
          `proxy ${parent.record.identity.pid} could not start another: ${reason}`,
        );
      }
    },
    onSpawn: (id, reason) => {
      outcomes.set(id, reason);
    },
  };
}

/** Waits until `holds` does, at most `ms`; gives whether it does. */
export async function holdsWithin(ms: number, holds: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  return holds();
}

// Private

/** What proxies print is short, so one old file beside it is enough. */
function openLog(folder: string): number {
  const path = join(folder, 'log');
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}
