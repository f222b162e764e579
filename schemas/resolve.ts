// From the sparse form of a service to the spec that is decided by: every default filled in, every path inside the
// repository.
import type {
  FileMount,
  GroupSpec,
  ModelSpec,
  Placement,
  ProbeSpec,
  ProcessSpec,
  Range,
  Requirement,
  RolloutPolicy,
  ScalingSpec,
  ServiceSpec,
} from './desired.ts';
import type { Remark } from './findings.ts';
import { interpolate } from './grammar/interpolation.ts';
import type { JsonObject } from './json.ts';
import { PROBE_DEFAULTS } from './probes.ts';
import { shown } from './problems.ts';
import { RETRY_EVENTS } from './profiles.ts';
import { plain } from './prune.ts';
import { DEFAULT_SCALING } from './service.ts';
import {
  effectiveProbes,
  type Sparse,
  type SparseGroup,
  type SparseProbe,
  type SparseResources,
} from './sparse.ts';

export interface ResolveOptions {
  readonly name: string;
  /** The file's folder in the repository, '' for its root. */
  readonly folder: string;
  readonly policy: RolloutPolicy;
  /** Seconds, as it is written: it counts even where it is the default of the language. Absent: it is not written. */
  readonly idleDuration?: number | null | undefined;
}

/** The spec, and what of it cannot be had because it lies outside the repository (left out of the spec). */
export function resolve(
  sparse: Sparse,
  options: ResolveOptions,
): { spec: ServiceSpec; outside: readonly Remark[] } {
  const mounts = mountsOf(sparse, options.folder);
  const groups = sparse.groups ?? [singleGroup(sparse)];
  const spec: ServiceSpec = {
    name: options.name,
    port: sparse.port,
    auth: sparse.auth ?? true,
    stripPrefix: sparse.strip_prefix ?? true,
    https: sparse.https ?? null,
    gateway: sparse.gateway ?? null,
    model: modelOf(sparse.model),
    rateLimits: (sparse.rate_limits ?? []).map((limit) =>
      plain({ prefix: '/', key: { type: 'ip_address' }, burst: 0, ...plain(limit) }),
    ),
    probes: effectiveProbes(sparse).map(probeOf),
    groups: groups.map((group) => groupOf(group, sparse, mounts)),
    stopMs: stopMs(sparse.stop_duration),
    policy: options.policy,
    ...lifeOf(sparse),
    ...idleOf(options.idleDuration),
  };
  return { spec, outside: mounts.outside };
}

// Private

type SingleGroup = Omit<SparseGroup, 'name'> & { readonly name: string };

/** A service without groups is one group with its own fields. */
function singleGroup(sparse: Sparse): SingleGroup {
  return {
    name: '0',
    replicas: sparse.replicas ?? 1,
    scaling: sparse.scaling,
    resources: sparse.resources,
    commands: sparse.commands,
    spot_policy: undefined,
    reservation: undefined,
    image: undefined,
    python: undefined,
    nvcc: undefined,
    docker: undefined,
    privileged: undefined,
    router: undefined,
  };
}

function groupOf(group: SingleGroup, sparse: Sparse, mounts: Mounts): GroupSpec {
  const { min, max } = rangeOf(group.replicas);
  return {
    name: group.name,
    replicas: { min, max: max ?? min },
    scaling: group.scaling ? scalingOf(group.scaling) : null,
    process: processOf(group, sparse, mounts),
    placement: placementOf(group, sparse),
  };
}

function processOf(group: SingleGroup, sparse: Sparse, mounts: Mounts): ProcessSpec {
  return {
    image: group.image ?? sparse.image ?? null,
    entrypoint: sparse.entrypoint ?? null,
    commands: (group.commands ?? []).map(withoutArguments),
    env: sparse.env ?? {},
    port: sparse.port,
    user: sparse.user ?? null,
    shell: sparse.shell ?? null,
    workingDir: sparse.working_dir ?? null,
    privileged: group.privileged ?? sparse.privileged ?? false,
    docker: group.docker ?? sparse.docker ?? false,
    python: group.python ?? sparse.python ?? null,
    nvcc: group.nvcc ?? sparse.nvcc ?? false,
    shmSizeGib: group.resources?.shm_size ?? null,
    volumes: (sparse.volumes ?? []).map((volume) => numbered(plain(volume))),
    files: mounts.files,
    repos: mounts.repos,
    registryAuth: sparse.registry_auth ?? null,
    other: plain({
      router: group.router,
      dstack: sparse.dstack,
      single_branch: sparse.single_branch,
      repos: mounts.remote,
    }),
  };
}

/** There is nobody to pass arguments on a command line. */
function withoutArguments(command: string): string {
  if (!command.includes('${{')) return command;
  return command.replace(/\$\{\{\s*run\.args\s*\}\}/g, '');
}

/** A service's replicas are single machines: their number in a job is always 0. */
function numbered(volume: JsonObject): JsonObject {
  const fill = (name: unknown): string =>
    interpolate(String(name), (variable) => (variable.startsWith('dstack.') ? '0' : undefined));
  const { name } = volume;
  if (name === undefined) return volume;
  return { ...volume, name: Array.isArray(name) ? name.map(fill) : fill(name) };
}

function placementOf(group: SingleGroup, sparse: Sparse): Placement {
  const { image, docker } = { image: group.image ?? sparse.image, docker: group.docker ?? sparse.docker };
  return {
    requirement: requirementOf(group.resources, image === undefined && !docker),
    backends: sparse.backends ?? null,
    regions: sparse.regions ?? null,
    availabilityZones: sparse.availability_zones ?? null,
    instanceTypes: sparse.instance_types ?? null,
    spotPolicy: group.spot_policy ?? sparse.spot_policy ?? 'on-demand',
    maxPrice: sparse.max_price ?? null,
    reservation: group.reservation ?? sparse.reservation ?? null,
    fleets: sparse.fleets ?? null,
  };
}

/** `inDefaultImage`: what runs there needs a GPU of its vendor. */
export function requirementOf(resources: SparseResources | undefined, inDefaultImage: boolean): Requirement {
  const { cpu, memory, disk, gpu } = resources ?? {};
  return {
    cpu: cpu ? { arch: cpu.arch ?? null, count: rangeOf(cpu.count ?? '2..') } : null,
    memoryGib: memory === undefined ? null : rangeOf(memory),
    // `disk: null` asks for none.
    diskGib: disk === undefined ? null : disk === null ? { min: 0, max: null } : rangeOf(disk),
    gpu: gpu ? gpuOf(gpu, inDefaultImage) : null,
  };
}

type GpuRequirement = NonNullable<Requirement['gpu']>;

function gpuOf(gpu: NonNullable<SparseResources['gpu']>, inDefaultImage: boolean): GpuRequirement {
  const rest: Omit<GpuRequirement, 'count'> = {
    vendor: gpu.vendor ?? null,
    names: gpu.name ?? [],
    memoryGib: gpu.memory === undefined ? null : rangeOf(gpu.memory),
    totalMemoryGib: gpu.total_memory === undefined ? null : rangeOf(gpu.total_memory),
    computeCapability: gpu.compute_capability ?? null,
  };
  const count = rangeOf(gpu.count);
  const isOpen = typeof gpu.count === 'string' && gpu.count.startsWith('..');
  return { ...rest, count: isOpen && (inDefaultImage || needsGpu(rest)) ? { ...count, min: 1 } : count };
}

/**
 * `0..4` says that none will do, whatever else is asked of GPUs; `..4` does not: a machine without any has no vendor, no
 * name and no memory. The default image asks for a vendor.
 */
function needsGpu({
  vendor,
  names,
  memoryGib,
  totalMemoryGib,
  computeCapability,
}: Omit<GpuRequirement, 'count'>) {
  const least = Math.max(memoryGib?.min ?? 0, totalMemoryGib?.min ?? 0);
  return vendor !== null || names.length > 0 || least > 0 || computeCapability !== null;
}

function rangeOf(spelled: number | string): Range {
  if (typeof spelled === 'number') return { min: spelled, max: spelled };
  const [min = '', max = ''] = spelled.split('..');
  return { min: Number(min), max: max === '' ? null : Number(max) };
}

function scalingOf(scaling: NonNullable<SparseGroup['scaling']>): ScalingSpec {
  return {
    metric: scaling.metric,
    target: scaling.target,
    windowMs: milliseconds(scaling.window ?? DEFAULT_SCALING.window),
    upDelayMs: milliseconds(scaling.scale_up_delay ?? DEFAULT_SCALING.scale_up_delay),
    downDelayMs: milliseconds(scaling.scale_down_delay ?? DEFAULT_SCALING.scale_down_delay),
  };
}

function modelOf(model: Sparse['model']): ModelSpec | null {
  if (model === undefined) return null;
  if (typeof model === 'string') return { name: model, format: 'openai', prefix: '/v1' };
  if ('format' in model) return { name: model.name, format: 'tgi', prefix: '' };
  return { name: model.name, format: 'openai', prefix: model.prefix };
}

function probeOf(probe: SparseProbe): ProbeSpec {
  return {
    method: probe.method ?? PROBE_DEFAULTS.method,
    url: probe.url ?? PROBE_DEFAULTS.url,
    headers: probe.headers ?? [],
    body: probe.body ?? null,
    timeoutMs: milliseconds(probe.timeout ?? PROBE_DEFAULTS.timeout),
    intervalMs: milliseconds(probe.interval ?? PROBE_DEFAULTS.interval),
    readyAfter: probe.ready_after ?? PROBE_DEFAULTS.ready_after,
    untilReady: probe.until_ready ?? PROBE_DEFAULTS.until_ready,
  };
}

/**
 * From SIGTERM to SIGKILL. The 5 minutes that dstack documents only delay the loss of volumes there: its processes are
 * killed after 10 s. So that is the default, and a file that writes a duration gets it.
 */
function stopMs(duration: Sparse['stop_duration']): number {
  if (duration == null) return 10_000;
  return duration === 'off' ? LONGEST_MS : milliseconds(duration);
}

type Life = Pick<
  ServiceSpec,
  'schedule' | 'maxDurationMs' | 'utilization' | 'retry' | 'priority' | 'isReuseOnly'
>;

/** When it begins and ends. What the file does not say is left out, so that most specs stay as short as they were. */
function lifeOf(sparse: Sparse): Life {
  const { schedule, max_duration, utilization_policy, retry, priority, creation_policy } = sparse;
  return {
    ...(schedule?.cron && { schedule: { cron: schedule.cron } }),
    ...(typeof max_duration === 'number' && max_duration > 0 && { maxDurationMs: max_duration * 1000 }),
    ...(utilization_policy && {
      utilization: {
        minGpuPercent: utilization_policy.min_gpu_utilization,
        windowMs: utilization_policy.time_window * 1000,
      },
    }),
    ...(typeof retry === 'object' && {
      retry: { on: retry.on_events ?? RETRY_EVENTS, durationMs: retry.duration * 1000 },
    }),
    ...(priority && { priority }),
    ...(creation_policy === 'reuse' && { isReuseOnly: true }),
  };
}

function idleOf(seconds: number | null | undefined): Pick<ServiceSpec, 'idleMs'> {
  return seconds == null ? {} : { idleMs: seconds < 0 ? null : seconds * 1000 };
}

/** What a timer of Node can hold, about 24 days; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

function milliseconds(seconds: number): number {
  return Math.min(seconds * 1000, LONGEST_MS);
}

// Private: files and repositories

interface Mounts {
  readonly files: readonly FileMount[];
  readonly repos: readonly FileMount[];
  /** Repositories that are fetched from elsewhere, as they are written. */
  readonly remote: readonly JsonObject[] | undefined;
  readonly outside: readonly Remark[];
}

function mountsOf(sparse: Sparse, folder: string): Mounts {
  const outside: Remark[] = [];
  const remote = (sparse.repos ?? []).filter((repo) => !repo.local_path || repo.branch || repo.hash);
  const repos = (sparse.repos ?? []).flatMap((repo, index) =>
    repo.local_path ? mount(repo.local_path, repo.path ?? '.', ['repos', index, 'local_path']) : [],
  );
  const files = (sparse.files ?? []).flatMap((file, index) =>
    mount(file.local_path, file.path, ['files', index, 'local_path']),
  );
  return { files, repos, remote: remote.length === 0 ? undefined : remote.map(plain), outside };

  function mount(local: string, target: string, path: Remark['path']): FileMount[] {
    const source = inside(folder, local);
    if (source !== null) return [{ source, target, hash: '' }];
    outside.push({
      path,
      message: `${shown(local)} is outside the repository`,
      fix: 'Put it into the repository and name it relative to this file.',
    });
    return [];
  }
}

/** `local` as a path from the root of the repository; null when it leaves it. */
function inside(folder: string, local: string): string | null {
  if (/^[~/\\]|^[a-z]:/i.test(local)) return null;
  const parts: string[] = folder === '' ? [] : folder.split('/');
  for (const part of local.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join('/');
}
