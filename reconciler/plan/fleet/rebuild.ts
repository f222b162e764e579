// The first record of a fleet: empty, or made from the tags of its machines when the database was lost. What runs on them
// is nobody's any more, for the services' records are lost too: it is ended, and the machines are there for whoever asks.
import type { Instance } from '../../../schemas/actual.ts';
import type { FleetState, Machine } from '../../../schemas/fleet.ts';

export function foundFleet(
  project: string,
  fleet: string,
  found: readonly Instance[],
  now: number,
): FleetState {
  const byName = new Map(
    found.toSorted((a, b) => a.tags.attempt - b.tags.attempt).map((each) => [each.tags.replica, each]),
  );
  const machines = [...byName.values()]
    .map((instance) => machineOf(instance, now))
    .toSorted((a, b) => a.number - b.number);
  return {
    format: 1,
    project,
    fleet,
    lastMachine: Math.max(0, ...machines.map(({ number }) => number)),
    firstAttempt: Math.max(1, Math.floor(now)),
    isBegun: machines.length > 0,
    machines,
    refusals: [],
    setAside: [],
    observedAt: now,
    waiting: [],
  };
}

// Private

function machineOf(
  { id, tags, backend, region, instance, pricePerHour, createdAt }: Instance,
  now: number,
): Machine {
  return {
    name: tags.replica,
    number: Number(tags.replica.slice(tags.replica.lastIndexOf('m') + 1)),
    attempt: tags.attempt,
    phase: 'ready',
    offer: {
      backend,
      region,
      instance,
      resources: { cpus: 0, arch: 'x86', memoryGib: 0, diskGib: 0, gpus: [] },
      spot: false,
      price: pricePerHour,
      availability: 'unknown',
    },
    instance: id,
    guest: null,
    keepMs: 0,
    idleSince: now,
    stageMs: 0,
    leaving: '',
    createdAt,
    tries: 0,
    retryAt: 0,
    detail: 'it was found by its tags',
  };
}
