// The sparse form of a service: one value per meaning, and nothing that only repeats a default. Two files with the same
// sparse form ask for the same, however they are written.
import type { Env } from './grammar/env.ts';
import type { VolumeMount } from './grammar/mounts.ts';
import { groupsOf } from './groups.ts';
import { canonical } from './json.ts';
import { implicitProbe, PROBE_DEFAULTS, type Probe } from './probes.ts';
import { RETRY_EVENTS, type Reference, type Retry } from './profiles.ts';
import type { Bounds, Cpu, Gpu, Resources } from './resources.ts';
import { DEFAULT_SCALING, type Group, type Model, type Scaling, type Service } from './service.ts';

export type Sparse = ReturnType<typeof sparseOf>;
export type SparseGroup = ReturnType<typeof sparseGroup>;
export type SparseResources = ReturnType<typeof sparseResources>;
export type SparseProbe = ReturnType<typeof sparseProbe>;

/**
 * Of a service without nulls, so that only `resources` may lack what it would otherwise have by default. Members that
 * are undefined say nothing. The service's name and type are no part of it.
 */
export function sparseOf(service: Service) {
  const groups = groupsOf(service);
  return {
    ...sparseProfile(service),
    port: service.port.container_port,
    gateway:
      service.gateway && typeof service.gateway === 'object'
        ? referenceText(service.gateway)
        : service.gateway,
    strip_prefix: unless(true, service.strip_prefix),
    model: service.model ? sparseModel(service.model) : undefined,
    https: unless(true, service.https),
    auth: unless(true, service.auth),
    replicas: sparseReplicas(service.replicas),
    groups: groups?.map((group) => sparseGroup(group, service)),
    scaling: service.scaling ? sparseScaling(service.scaling) : undefined,
    rate_limits: filled(service.rate_limits.map(sparseRateLimit).sort(byText)),
    probes: sparseProbes(service),
    commands: filled(service.commands),
    image: service.image || undefined,
    user: service.user,
    privileged: service.docker ? undefined : unless(false, service.privileged),
    entrypoint: service.entrypoint,
    working_dir: service.working_dir,
    registry_auth: service.registry_auth,
    python: service.python,
    nvcc: unless(false, service.nvcc),
    docker: unless(false, service.docker),
    single_branch: unless(true, service.single_branch),
    env: filled(sparseEnv(service.env)),
    shell: sparseShell(service, groups),
    // Beside groups, which have their own, the service's resources mean nothing.
    resources: groups === null ? filled(sparseResources(service.resources)) : undefined,
    priority: unless(0, service.priority),
    volumes: filled(service.volumes.map(sparseVolume)),
    files: filled(service.files.map((file) => ({ local_path: tidy(file.local_path), path: file.path }))),
    repos: filled(
      service.repos.map((repo) => ({
        ...repo,
        local_path: repo.local_path ? tidy(repo.local_path) : undefined,
        path: unless('.', repo.path),
        if_exists: unless('error', repo.if_exists),
      })),
    ),
    dstack: unless(false, service.dstack),
  };
}

/** What is asked of a replica, in the words of `sparseProbe`. */
export function effectiveProbes(sparse: Pick<Sparse, 'probes' | 'model'>): readonly SparseProbe[] {
  if (sparse.probes !== undefined) return sparse.probes;
  const model = typeof sparse.model === 'string' ? { name: sparse.model, prefix: '/v1' } : sparse.model;
  if (model === undefined || 'format' in model) return [];
  return [sparseProbe(implicitProbe({ name: model.name, prefix: model.prefix ?? '/v1' }))];
}

// Private: fields of the service

/** Fields of multi-node runs (`startup_order`, `stop_criteria`) mean nothing to a service and are left out. */
function sparseProfile(service: Service) {
  return {
    backends: sorted(service.backends),
    regions: sorted(service.regions),
    availability_zones: sorted(service.availability_zones),
    instance_types: sorted(service.instance_types),
    reservation: service.reservation,
    spot_policy: unless('on-demand', service.spot_policy),
    retry: sparseRetry(service.retry),
    max_duration: unless('off', service.max_duration),
    // Unlike in dstack it has no default that could be written out: see `resolve.ts`.
    stop_duration: service.stop_duration,
    max_price: service.max_price,
    creation_policy: unless('reuse-or-create', service.creation_policy),
    idle_duration: unless(300, service.idle_duration),
    utilization_policy: service.utilization_policy,
    schedule: service.schedule ? { cron: sorted(service.schedule.cron) } : undefined,
    fleets: sorted(service.fleets?.map(referenceText)),
    instances: service.instances,
    tags: filled(service.tags),
    backend_options: filled(service.backend_options),
  };
}

function sparseRetry(retry: Retry | null | undefined) {
  if (typeof retry !== 'object' || retry === null) return retry || undefined;
  const events = sorted(retry.on_events);
  return {
    on_events: events?.length === RETRY_EVENTS.length ? undefined : events,
    duration: retry.duration ?? 3600,
  };
}

function sparseModel(model: Model) {
  const { name } = model;
  if (model.format === 'tgi') {
    return { name, format: model.format, chat_template: model.chat_template, eos_token: model.eos_token };
  }
  return model.prefix === '/v1' ? name : { name, prefix: model.prefix };
}

function sparseReplicas(replicas: Service['replicas']) {
  return replicas && !Array.isArray(replicas) ? unless(1, spell(replicas)) : undefined;
}

function sparseScaling(scaling: Scaling) {
  return {
    metric: scaling.metric,
    target: scaling.target,
    window: unless(DEFAULT_SCALING.window, scaling.window),
    scale_up_delay: unless(DEFAULT_SCALING.scale_up_delay, scaling.scale_up_delay),
    scale_down_delay: unless(DEFAULT_SCALING.scale_down_delay, scaling.scale_down_delay),
  };
}

function sparseGroup(group: Group, service: Service) {
  return {
    name: group.name ?? '',
    replicas: spell(group.count),
    scaling: group.scaling ? sparseScaling(group.scaling) : undefined,
    resources: filled(sparseResources(group.resources)),
    spot_policy: unless(service.spot_policy ?? 'on-demand', group.spot_policy),
    reservation: group.reservation,
    commands: filled(group.commands),
    image: group.image || undefined,
    python: group.python,
    nvcc: unless(false, group.nvcc),
    docker: unless(false, group.docker),
    privileged: group.docker ? undefined : unless(false, group.privileged),
    router: group.router,
  };
}

function sparseRateLimit(limit: Service['rate_limits'][number]) {
  return {
    prefix: unless('/', limit.prefix),
    key: limit.key.type === 'header' ? limit.key : undefined,
    rps: limit.rps,
    burst: unless(0, limit.burst),
  };
}

function sparseProbes({ probes, model }: Service) {
  if (!probes) return undefined;
  const written = probes.map(sparseProbe);
  const unwritten = effectiveProbes({ probes: undefined, model: model ? sparseModel(model) : undefined });
  const isUsual = written.length === unwritten.length && canonical(written) === canonical(unwritten);
  return isUsual ? undefined : written;
}

function sparseProbe(probe: Probe) {
  return {
    url: unless(PROBE_DEFAULTS.url, probe.url),
    method: unless(PROBE_DEFAULTS.method, probe.method),
    headers: filled(probe.headers),
    body: probe.body ?? undefined,
    timeout: unless(PROBE_DEFAULTS.timeout, probe.timeout),
    interval: unless(PROBE_DEFAULTS.interval, probe.interval),
    ready_after: unless(PROBE_DEFAULTS.ready_after, probe.ready_after),
    until_ready: unless(PROBE_DEFAULTS.until_ready, probe.until_ready),
  };
}

/** A variable that takes the value of another name is a reference to that name. */
function sparseEnv(env: Env): { readonly [name: string]: string | null } {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      return [name, value.key === name ? null : `\${{ secrets.${value.key} }}`];
    }),
  );
}

const SHELLS: { readonly [name: string]: string } = { sh: '/bin/sh', bash: '/bin/bash' };

function sparseShell({ shell, image }: Service, groups: readonly Group[] | null): string | undefined {
  if (!shell) return undefined;
  const path = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : shell;
  const images = (groups ?? [{ image: null }]).map((group) => group.image || image);
  const usual =
    (path === '/bin/sh' && images.every(Boolean)) || (path === '/bin/bash' && !images.some(Boolean));
  return usual ? undefined : path;
}

function sparseVolume(volume: VolumeMount) {
  if ('instance_path' in volume) {
    return {
      instance_path: volume.instance_path,
      path: volume.path,
      optional: unless(false, volume.optional),
    };
  }
  const names = Array.isArray(volume.name) ? [...new Set(volume.name)].sort() : [volume.name];
  return { name: names.length === 1 ? names[0] : names, path: volume.path };
}

// Private: resources

/** What of it is not a default. */
export function sparseResources(resources: Resources) {
  return {
    cpu: sparseCpu(resources.cpu),
    memory: unless('8..', spell(resources.memory)),
    shm_size: resources.shm_size,
    gpu: resources.gpu ? sparseGpu(resources.gpu) : undefined,
    // `null` asks for no disk at all, which is not the default.
    disk: resources.disk ? unless('100..', spell(resources.disk.size)) : null,
  };
}

function sparseCpu(cpu: Cpu) {
  return filled({ arch: cpu.arch ?? undefined, count: unless('2..', spell(cpu.count)) });
}

function sparseGpu(gpu: Gpu) {
  const spelled = {
    vendor: gpu.vendor ?? undefined,
    name: sorted(gpu.name),
    count: gpu.count.min == null && gpu.count.max ? `..${gpu.count.max}` : spell(gpu.count),
    memory: gpu.memory ? spell(gpu.memory) : undefined,
    total_memory: gpu.total_memory ? spell(gpu.total_memory) : undefined,
    compute_capability: gpu.compute_capability?.join('.'),
  };
  return canonical(spelled) === canonical({ count: '0..' }) ? undefined : spelled;
}

// Private: values

/** The value, unless it is the default. */
function unless<T, D>(standard: D, value: T): T | undefined {
  return (value as unknown) === standard ? undefined : value;
}

/** The value, unless it holds nothing. */
function filled<T extends object>(value: T | null | undefined): T | undefined {
  return value && Object.values(value).some((member) => member !== undefined) ? value : undefined;
}

/** A list whose order and repeats mean nothing. */
function sorted<T extends string>(items: readonly T[] | null | undefined): T[] | undefined {
  return items ? [...new Set(items)].sort() : undefined;
}

/** `8`, `2..8`, `2..` */
function spell({ min, max }: Bounds): number | string {
  return (min ?? 0) === max ? max : `${min ?? 0}..${max ?? ''}`;
}

function referenceText({ project, name }: Reference): string {
  return project ? `${project}/${name}` : name;
}

/** A path without `./`, doubled or trailing slashes. */
function tidy(path: string): string {
  const parts = path.split('/').filter((part, index) => part !== '.' && (part !== '' || index === 0));
  return parts.join('/') || (path.startsWith('/') ? '/' : '.');
}

function byText(a: object, b: object): number {
  return canonical(a) < canonical(b) ? -1 : 1;
}
