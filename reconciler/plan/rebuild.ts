// The first record of a service: empty, or made from the tags of what runs when the database was lost. Names, shapes
// and deployment numbers come back; history does not.
import type { Instance } from '../../schemas/actual.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import { newState } from './deployments.ts';

/** `found` are the service's instances, in no order; of two for one replica the later attempt counts. */
export function rebuild(
  project: string,
  service: DesiredService,
  found: readonly Instance[],
  now: number,
): ServiceState {
  const byReplica = new Map(
    found
      .toSorted((a, b) => a.tags.attempt - b.tags.attempt)
      .map((instance) => [instance.tags.replica, instance]),
  );
  const instances = [...byReplica.values()].toSorted((a, b) => numberOf(a) - numberOf(b));
  const numbers = [...new Set(instances.map(({ tags }) => tags.deployment))];
  return {
    ...newState(project, service.name, now),
    lastDeployment: Math.max(0, ...numbers),
    lastReplica: Math.max(0, ...instances.map(numberOf)),
    deployments: numbers.map((number) => deploymentOf(number, service, instances, now)),
    replicas: instances.map(replicaOf),
  };
}

// Private

function numberOf({ tags }: Instance): number {
  return Number(tags.replica.slice(tags.replica.lastIndexOf('-') + 1));
}

/** What is left of a deployment: which shapes it had. For the rest, what is asked for now is the best guess. */
function deploymentOf(
  number: number,
  { configuration, spec, sealed }: DesiredService,
  instances: readonly Instance[],
  now: number,
): Deployment {
  const mine = instances.filter(({ tags }) => tags.deployment === number);
  const shapes = Object.fromEntries(mine.map(({ tags }) => [tags.group, tags.shape]));
  return { number, commit: '', revision: '', digest: '', shapes, configuration, spec, sealed, at: now };
}

/** It most likely served, so it is not ended before others serve; nor is it ready before it has shown so. */
function replicaOf(instance: Instance): Replica {
  const { tags, backend, region, pricePerHour } = instance;
  return {
    name: tags.replica,
    number: numberOf(instance),
    group: tags.group,
    deployment: tags.deployment,
    shape: tags.shape,
    attempt: tags.attempt,
    phase: 'unready',
    everReady: true,
    leaving: '',
    offer: {
      backend,
      region,
      instance: instance.instance,
      resources: { cpus: 0, arch: 'x86', memoryGib: 0, diskGib: 0, gpus: [] },
      spot: false,
      price: pricePerHour,
      availability: 'unknown',
    },
    instance: instance.id,
    endpoint: null,
    probes: [],
    trial: null,
    stageMs: 0,
    listening: false,
    createdAt: instance.createdAt,
    readyAt: null,
    tries: 0,
    retryAt: 0,
    detail: 'it was found by its tags',
  };
}
