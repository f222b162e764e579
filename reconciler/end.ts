// Ends what a data dir runs: replicas first told, then waited for; each one said.
import { setTimeout } from 'node:timers/promises';
import type { Backend } from '../backends/backend.ts';
import { asFailure } from '../schemas/errors.ts';

export interface EndOptions {
  readonly backends: readonly Backend[];
  readonly owner: string;
  readonly say: (line: string) => void;
  /** Aborted by a person who does not want to wait: processes are left to their keepers, which end them anyway. */
  readonly hurry: AbortSignal;
}

const LOOK_MS = 50;

/** Stops every process of this owner, then gives every instance back; returns when none is left. */
export async function endEverything({ backends, owner, say, hurry }: EndOptions): Promise<void> {
  const told = new Set<string>();
  while (!hurry.aborted) {
    let left = 0;
    for (const backend of backends) {
      for (const instance of await backend.list(owner)) {
        left += 1;
        if (!told.has(instance.id)) say(`  ends ${instance.tags.replica}`);
        told.add(instance.id);
        await endOne(backend, instance);
      }
    }
    if (left === 0) return;
    await setTimeout(LOOK_MS);
  }
}

// Private

async function endOne(backend: Backend, instance: Parameters<Backend['transport']>[0]): Promise<void> {
  try {
    const transport = backend.transport(instance);
    const { kind } = await transport.status();
    if (kind === 'exited' || kind === 'absent') await backend.terminate(instance.id);
    else await transport.stop();
  } catch (error) {
    if (asFailure(error).kind !== 'not-found') throw error;
  }
}
