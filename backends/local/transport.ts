// Runs one replica in its slot: everything it knows is on disk or in /proc, so any daemon may go on where one ended.
import type { ProcessStatus } from '../../schemas/actual.ts';
import type { ProcessRequest, Transport } from '../backend.ts';
import { lastTexts, readLogs } from '../host/log-reader.ts';
import { isRunning } from '../host/process-identity.ts';
import { type ExitRecord, logFolder, newestKeeper, readRecord, writeRecord } from '../host/slot.ts';
import type { GpuMeter } from './gpu-meter.ts';
import { nudgeKeeper, startKeeper } from './keepers.ts';
import { type LaunchContext, launch, type Slot } from './launch.ts';
import type { Looker } from './look.ts';
import { gone } from './slots.ts';

export interface TransportContext extends LaunchContext {
  readonly looker: Looker;
  readonly gpus: GpuMeter;
}

/** `end` is `stop` for a slot that is being given back: it waits for nothing. */
export interface SlotTransport extends Transport {
  end(): Promise<void>;
}

export function createTransport(slot: Slot, context: TransportContext): SlotTransport {
  const { id, path } = slot;
  let launching: Promise<void> | null = null;
  let adopting: Promise<unknown> | null = null;

  /** Gives a replica whose keeper died another one, in the background; does nothing while its keeper lives. */
  const adopt = (secrets: readonly string[] | null = null) => {
    const keeper = newestKeeper(path);
    if (adopting !== null || keeper === null || isRunning(keeper.identity)) return;
    adopting = startKeeper(context.nodePath, path, { kind: 'adopt', secrets })
      .catch(() => undefined) // the next look tries again
      .finally(() => {
        adopting = null;
      });
  };
  const begin = async (request: ProcessRequest) => {
    if (readRecord(path, 'slot') === null || readRecord(path, 'stop')?.final) throw gone(id);
    if (readRecord(path, 'exit') !== null) return;
    if (newestKeeper(path) !== null) return adopt(request.secrets);
    await launch(slot, request, context);
  };
  const order = async (stopMs: number, final: boolean) => {
    await launching?.catch(() => undefined);
    if (readRecord(path, 'slot') === null) throw gone(id);
    const standing = readRecord(path, 'stop');
    if (standing === null || (final && !standing.final)) {
      writeRecord(path, 'stop', { at: Date.now(), stopMs, final });
    }
    if (readRecord(path, 'exit') === null && !nudgeKeeper(path)) adopt();
  };

  return {
    run(request) {
      launching ??= begin(request).finally(() => {
        launching = null;
      });
      return launching;
    },
    async status() {
      const exit = readRecord(path, 'exit');
      if (exit !== null) return exited(path, exit);
      const [process, launched] = [readRecord(path, 'process'), readRecord(path, 'launch')];
      adopt();
      if (launched === null || process === null) return { kind: 'absent' };
      // A first process that is gone without an exit record: its keeper, or the next one, ends what it left.
      if (readRecord(path, 'stop') !== null || !isRunning(process)) return { kind: 'stopping' };
      const gpus = context.gpus();
      const seen = context.looker.look(id, process, launched);
      return { kind: 'running', startedAt: process.startedAt, ...seen, ...(gpus && { gpus }) };
    },
    async stop() {
      await launching?.catch(() => undefined);
      const launched = readRecord(path, 'launch');
      if (launched !== null && readRecord(path, 'exit') === null) await order(launched.stopMs, false);
    },
    end: () => order(0, true),
    endpoint() {
      const launched = readRecord(path, 'launch');
      return launched === null ? null : context.looker.endpoint(id, launched.port);
    },
    logs: (options) => readLogs(logFolder(path), options),
  };
}

// Private

const EXIT_LINES = 20;

async function exited(slot: string, exit: ExitRecord): Promise<ProcessStatus> {
  const { code, signal, at } = exit;
  const log = await lastTexts(logFolder(slot), EXIT_LINES);
  const collided = log.some((line) => /EADDRINUSE|address already in use/i.test(line));
  const port = readRecord(slot, 'launch')?.port;
  const hint = collided
    ? `, as a port was in use: it must listen on $PORT (${port}): start it with --port $PORT`
    : '';
  const how = signal === null ? `exited with code ${code}` : `ended by ${signal}`;
  return { kind: 'exited', code, signal, at, detail: (exit.detail || how) + hint, log };
}
