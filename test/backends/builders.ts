// Requests to a backend in which everything has a value but what a test is about.

import type { ProcessRequest } from '../../backends/backend.ts';
import type { Tags } from '../../schemas/actual.ts';
import type { Placement, ProcessSpec, Requirement } from '../../schemas/desired.ts';

export function tags(over: Partial<Tags> = {}): Tags {
  return {
    owner: 'owner-1',
    project: 'main',
    service: 'web',
    group: '0',
    replica: 'web-1',
    attempt: 1,
    shape: 'shape-1',
    deployment: 1,
    ...over,
  };
}

export function requirement(over: Partial<Requirement> = {}): Requirement {
  return { cpu: null, memoryGib: null, diskGib: null, gpu: null, ...over };
}

export function placement(over: Partial<Placement> = {}): Placement {
  return {
    requirement: requirement(),
    backends: null,
    regions: null,
    availabilityZones: null,
    instanceTypes: null,
    spotPolicy: 'on-demand',
    maxPrice: null,
    reservation: null,
    fleets: null,
    ...over,
  };
}

export function processSpec(over: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    image: null,
    entrypoint: null,
    commands: ['true'],
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
    ...over,
  };
}

export function processRequest(over: Partial<ProcessRequest> = {}): ProcessRequest {
  return {
    replica: tags(),
    spec: processSpec(),
    env: {},
    registryPassword: null,
    stopMs: 5_000,
    mounts: [],
    secrets: [],
    ...over,
  };
}

/** A mount of files given as text, each executable when its name ends in `.sh`. */
export function mount(
  target: string,
  files: { readonly [path: string]: string },
): ProcessRequest['mounts'][number] {
  return {
    target,
    async *files() {
      for (const [path, text] of Object.entries(files)) {
        yield { path, mode: path.endsWith('.sh') ? 0o755 : 0o644, bytes: Buffer.from(text) };
      }
    },
  };
}
