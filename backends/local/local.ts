// The backend of this machine: a slot is a folder, a replica a plain process under a keeper.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Instance } from '../../schemas/actual.ts';
import { Failure } from '../../schemas/errors.ts';
import type { Backend } from '../backend.ts';
import { SYSTEM_FOLDERS } from '../host/command.ts';
import { LOG_LIMITS, type LogLimits } from '../host/log-writer.ts';
import { createGpuMeter } from './gpu-meter.ts';
import { createLooker } from './look.ts';
import { excludedBy, freeDiskGib, LOCAL, type Machine, missesOf, offerOf, readMachine } from './machine.ts';
import { refuses } from './refuses.ts';
import { gone, openSlots } from './slots.ts';
import { createTransport, type SlotTransport } from './transport.ts';
import { watchSlots } from './watch.ts';

export interface LocalOptions {
  /** Where the slots lie. One process at a time works in it. */
  readonly dir: string;
  /** Names this machine: slots of another, as in a copied data directory, are left alone. */
  readonly machine: string;
  readonly slots?: number;
  /** What a slot is reckoned at, as who shares this machine may be charged for it; USD per hour. Default 0. */
  readonly price?: number;
  /** The Node.js that runs keepers. */
  readonly nodePath?: string;
  readonly logs?: LogLimits;
}

/** Throws `invalid` where plain processes cannot be kept: it takes Linux's /proc and mkfifo. */
export async function openLocal(options: LocalOptions): Promise<Backend> {
  const { machine, price = 0, nodePath = process.execPath, logs = LOG_LIMITS } = options;
  const dir = resolve(options.dir);
  requirePlatform();
  const slots = await openSlots(dir, { machine, limit: options.slots ?? 32, price });
  const thisMachine = await readMachine(dir);
  const looker = createLooker();
  const gpus = createGpuMeter(thisMachine.resources.gpus.length > 0);
  const transports = new Map<string, SlotTransport>();
  const watchers = new Set<() => void>();

  const present = async (): Promise<Machine> => {
    const resources = { ...thisMachine.resources, diskGib: await freeDiskGib(dir) };
    return { ...thisMachine, resources };
  };

  /** One for each slot, as it remembers what it has begun. */
  const transportOf = ({ id }: Pick<Instance, 'id'>): SlotTransport => {
    const context = { nodePath, logs, looker, gpus, ports: slots.ports };
    const transport = transports.get(id) ?? createTransport({ id, path: slots.path(id) }, context);
    transports.set(id, transport);
    return transport;
  };

  return {
    name: LOCAL,
    capabilities: {
      spot: false,
      volumes: false,
      containers: false,
      processes: true,
      privileged: false,
      machines: false,
    },
    refuses,
    async offers(placement) {
      const machineNow = await present();
      const isFit = missesOf(machineNow, placement, price).length === 0;
      return isFit ? [offerOf(machineNow, slots.free(), price)] : [];
    },
    async misses(placement) {
      return excludedBy(missesOf(await present(), placement, price));
    },
    create: async ({ tags }) => slots.take(tags),
    get: async (id) => slots.find(id),
    list: async (owner) => slots.all().filter(({ tags }) => tags.owner === owner),
    async terminate(id) {
      if (slots.find(id) === null) throw gone(id);
      await transportOf({ id }).end();
      if (slots.find(id) === null) throw gone(id); // another call was faster
      if (!(await slots.giveBack(id))) return;
      transports.delete(id);
      looker.forget(id);
    },
    transport: transportOf,
    watch(changed) {
      const statusOf = (instance: Instance) => transportOf(instance).status();
      const stop = watchSlots({ dir, instances: slots.all, statusOf, changed });
      watchers.add(stop);
      return stop;
    },
    async close() {
      for (const stop of watchers) stop();
    },
  };
}

// Private

function requirePlatform(): void {
  const hasPipes = SYSTEM_FOLDERS.some((each) => existsSync(join(each, 'mkfifo')));
  if (existsSync('/proc/self/stat') && hasPipes) return;
  throw new Failure(
    'invalid',
    'the `local` backend needs Linux, with /proc and the program mkfifo (GNU coreutils)',
    {
      fix: 'run trueup on Linux, or take `local` out of the backends',
    },
  );
}
