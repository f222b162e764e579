// Services and their records for tests of what people see; everything defaulted but what matters.
import type { DesiredService, GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import { revisionOf, shapeOf } from '../../schemas/identity.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';

export function group(
  overrides: Partial<GroupSpec> = {},
  process: Partial<GroupSpec['process']> = {},
): GroupSpec {
  return {
    name: '0',
    replicas: { min: 1, max: 1 },
    scaling: null,
    process: {
      image: null,
      entrypoint: null,
      commands: ['node app.js'],
      env: {},
      port: 8000,
      user: null,
      shell: null,
      workingDir: null,
      privileged: false,
      docker: false,
      python: null,
      nvcc: false,
      shmSizeGib: null,
      volumes: [],
      files: [],
      repos: [],
      registryAuth: null,
      other: {},
      ...process,
    },
    placement: {
      requirement: { cpu: null, memoryGib: null, diskGib: null, gpu: null },
      backends: null,
      regions: null,
      availabilityZones: null,
      instanceTypes: null,
      spotPolicy: 'on-demand',
      maxPrice: null,
      reservation: null,
      fleets: null,
    },
    ...overrides,
  };
}

export function spec(name: string, overrides: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    port: 8000,
    auth: true,
    stripPrefix: true,
    https: null,
    gateway: null,
    model: null,
    rateLimits: [],
    probes: [],
    groups: [group()],
    stopMs: 10_000,
    policy: {
      surge: 1,
      unavailable: 0,
      drainMs: 60_000,
      startMs: 600_000,
      readyMs: 600_000,
      bakeMs: 300_000,
      onFailure: 'rollback',
      quarantineMs: 86_400_000,
      livenessMs: 300_000,
    },
    ...overrides,
  };
}

/** A service whose configuration says `fields` and whose spec is given apart: no parser is involved. */
export function service(
  name: string,
  fields: JsonObject = {},
  overrides: Partial<ServiceSpec> = {},
): DesiredService {
  const configuration = { type: 'service', name, port: 8000, commands: ['node app.js'], ...fields };
  const ownSpec = spec(name, overrides);
  return {
    name,
    file: `${name}.dstack.yml`,
    commit: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00',
    configuration,
    revision: revisionOf(configuration),
    shapes: Object.fromEntries(ownSpec.groups.map((item) => [item.name, shapeOf(item)])),
    digest: revisionOf(configuration),
    spec: ownSpec,
    sealed: '',
  };
}

export function deployment(desired: DesiredService, number = 1): Deployment {
  const { commit, revision, digest, shapes, configuration, spec, sealed } = desired;
  return { number, commit, revision, digest, shapes, configuration, spec, sealed, at: 0 };
}

export const LOCAL: Offer = {
  backend: 'local',
  region: 'local',
  instance: 'local',
  resources: { cpus: 2, arch: 'x86', memoryGib: 4, diskGib: 100, gpus: [] },
  spot: false,
  price: 0,
  availability: 'available',
};

export function replica(name: string, overrides: Partial<Replica> = {}): Replica {
  return {
    name,
    number: Number(name.split('-').at(-1)),
    group: '0',
    deployment: 1,
    shape: '',
    attempt: 1,
    phase: 'ready',
    everReady: true,
    leaving: '',
    offer: LOCAL,
    instance: name,
    endpoint: null,
    probes: [],
    trial: null,
    stageMs: 0,
    listening: true,
    createdAt: 0,
    readyAt: 0,
    tries: 0,
    retryAt: 0,
    detail: '',
    ...overrides,
  };
}

/** A service at deployment 1 that runs as asked. */
export function state(desired: DesiredService, overrides: Partial<ServiceState> = {}): ServiceState {
  return {
    format: 1,
    project: 'main',
    service: desired.name,
    lastDeployment: 1,
    lastReplica: 0,
    deployments: [deployment(desired)],
    target: 1,
    good: 1,
    replicas: [replica(`${desired.name}-0`)],
    rollout: null,
    quarantine: null,
    failures: [],
    backoff: {},
    route: null,
    observedAt: 0,
    status: 'running',
    waiting: [],
    ...overrides,
  };
}
