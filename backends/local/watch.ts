// Tells that something may have changed in a slot: at once when its keeper writes a record, else by looking each second.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Instance, ProcessStatus, Tags } from '../../schemas/actual.ts';

const LOOK_MS = 1_000;

export interface SlotWatch {
  readonly dir: string;
  readonly instances: () => readonly Instance[];
  readonly statusOf: (instance: Instance) => Promise<ProcessStatus>;
  readonly changed: (tags: Tags) => void;
}

/** Returns how to end it. */
export function watchSlots({ dir, instances, statusOf, changed }: SlotWatch): () => void {
  const seen = new Map<string, { tags: Tags; summary: string; watcher: FSWatcher | null }>();
  let ended = false;

  const look = async (instance: Instance) => {
    const summary = summarise(instance, await statusOf(instance));
    if (ended) return;
    const before = seen.get(instance.id);
    const watcher = before?.watcher ?? watchFolder(join(dir, instance.id), () => void lookAgain(instance));
    seen.set(instance.id, { tags: instance.tags, summary, watcher });
    if (before !== undefined && before.summary !== summary) changed(instance.tags);
  };
  const lookAgain = (instance: Instance) => look(instance).catch(() => undefined); // gone: the next round tells
  const forget = (id: string, tags: Tags) => {
    seen.get(id)?.watcher?.close();
    seen.delete(id);
    changed(tags);
  };
  const lookAtAll = async () => {
    const present = instances();
    const ids = new Set(present.map(({ id }) => id));
    for (const [id, { tags }] of seen) if (!ids.has(id)) forget(id, tags);
    for (const instance of present) await lookAgain(instance);
  };
  const timer = setInterval(() => void lookAtAll().catch(() => undefined), LOOK_MS);
  timer.unref();
  void lookAtAll().catch(() => undefined);
  return () => {
    ended = true;
    clearInterval(timer);
    for (const { watcher } of seen.values()) watcher?.close();
    seen.clear();
  };
}

// Private

/** What a reader of the status would call a change: not the lines of its log. */
function summarise({ status }: Instance, process: ProcessStatus): string {
  return JSON.stringify([status, process.kind === 'exited' ? { ...process, log: [] } : process]);
}

/** Without it, as when the kernel has no more watches to give, the round each second does. */
function watchFolder(folder: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name?.endsWith('.json')) changed();
    });
    return watcher.on('error', () => watcher.close());
  } catch {
    return null;
  }
}
