// What the services of some random worlds need around them: a fleet, the pool of idle machines, volumes, or all of it.
import fc from 'fast-check';
import type { DesiredService } from '../../schemas/desired.ts';
import type { FleetSpec } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import { service } from '../plan/samples.ts';
import { fleet, volume } from './around.ts';
import type { World } from './world.ts';

export type Around = 'nothing' | 'fleet' | 'pool' | 'volumes' | 'both';

/** In a share of all worlds. */
export const aroundKind: fc.Arbitrary<Around> = fc.constantFrom(
  ...(['nothing', 'nothing', 'nothing', 'fleet', 'fleet', 'pool', 'volumes', 'both'] as const),
);

export const aroundHappening = fc.oneof(
  fc.record({
    kind: fc.constant('fleet-file' as const),
    says: fc.constantFrom(
      ...(['gone', 'none', 'few', 'many', 'useless', 'broken', 'steady', 'back'] as const),
    ),
  }),
  fc.record({
    kind: fc.constant('volume' as const),
    which: fc.nat(3),
    is: fc.constantFrom('gone', 'back', 'lost', 'larger'),
  }),
);
type Happening = typeof aroundHappening extends fc.Arbitrary<infer T> ? T : never;

/** The service as it is where there is something around it; what its replicas are made of differs with their volumes. */
export function dressed(desired: DesiredService, around: Around, number: number): DesiredService {
  if (around === 'nothing') return desired;
  const mounts = hasVolumes(around) && desired.name === 'web' ? MOUNTS[number % MOUNTS.length] : [];
  const fleets = hasFleet(around) ? ['pool'] : null;
  const groups = desired.spec.groups.map((group) => ({
    ...group,
    process: { ...group.process, volumes: mounts ?? [] },
    placement: { ...group.placement, fleets },
  }));
  const idle = around === 'pool' ? { idleMs: IDLE_MS[number % IDLE_MS.length] ?? 0 } : {};
  const fields = { ...(desired.configuration as object), around, number, mounts: mounts?.length ?? 0 };
  return service(desired.name, fields, { ...desired.spec, ...idle, groups });
}

/** As it is in the beginning, and again in the end. */
export async function surround(world: World, around: Around): Promise<void> {
  if (hasFleet(around)) await world.declare('fleet:pool', fleet(POOL.back));
  if (around === 'pool') await world.declare('fleet:idle', { ...fleet(IDLE_POOL_SPEC), file: '' });
  if (!hasVolumes(around)) return;
  const backends = [...world.clouds.keys()];
  for (const [i, name] of VOLUMES.entries())
    await world.declare(`volume:${name}`, volume({ name, backend: backends[i % backends.length] ?? '' }));
}

export async function happenAround(world: World, around: Around, each: Happening): Promise<void> {
  if (each.kind === 'fleet-file' && hasFleet(around)) {
    if (each.says === 'gone') return world.declare('fleet:pool', null);
    const problems = each.says === 'broken' ? [PROBLEM] : [];
    return world.declare('fleet:pool', { ...fleet(POOL[each.says]), problems });
  }
  if (each.kind !== 'volume' || !hasVolumes(around)) return;
  const name = VOLUMES[each.which] ?? '';
  const backends = [...world.clouds.keys()];
  const backend = backends[each.which % backends.length] ?? '';
  if (each.is === 'gone') return world.declare(`volume:${name}`, null);
  if (each.is !== 'lost')
    return world.declare(
      `volume:${name}`,
      volume({ name, backend, sizeGib: each.is === 'larger' ? 99 : 10 }),
    );
  const cloud = world.clouds.get(backend);
  const disks = (await cloud?.disks?.list('me').catch(() => [])) ?? [];
  const disk = disks.find(({ tags }) => tags?.volume === name);
  if (disk) cloud?.loseDisk(disk.id);
}

/** Machines that nobody uses and nothing keeps end in the end. */
export const IDLE_AT_LAST_MS = 60_000;

/** What is wrong with how it ended: nothing is made twice, and nothing is kept that nobody asks for. */
export async function wrongAround(world: World): Promise<string | null> {
  for (const cloud of world.clouds.values()) {
    const names = ((await cloud.disks?.list('me')) ?? []).map(({ tags }) => tags?.volume);
    if (new Set(names).size < names.length) return `a volume was made twice: ${names}`;
  }
  for (const { service: name } of await world.store.around('main')) {
    const events = await world.store.events({ project: 'main', service: name, limit: 100_000 });
    const broken = events.find(({ event, reason }) => event === 'failure' && reason.includes('broke a rule'));
    if (broken) return `${name}: ${broken.reason}`;
  }
  return null;
}

// Private

function hasFleet(around: Around): boolean {
  return around === 'fleet' || around === 'both';
}

function hasVolumes(around: Around): boolean {
  return around === 'volumes' || around === 'both';
}

/** More than any version and what it replaces can hold at once. */
const VOLUMES = Array.from({ length: 24 }, (_, i) => `data-${i}`);
const MOUNTS = [
  [{ name: VOLUMES, path: '/data' }],
  [{ name: VOLUMES.slice(0, 3), path: '/data' }],
  [],
  [
    { name: VOLUMES.slice(12), path: '/data' },
    { name: VOLUMES.slice(0, 12), path: '/more' },
  ],
];

const IDLE_MS = [IDLE_AT_LAST_MS, 5 * 60_000, 0];

const nodes = (min: number, max: number | null, target = min): Partial<FleetSpec> => ({
  nodes: { min, max, target },
  idleMs: IDLE_AT_LAST_MS,
});
const POOL = {
  none: nodes(0, 1),
  few: nodes(1, 3),
  many: nodes(4, 9, 5),
  useless: { ...nodes(0, null), refusal: 'it is of no use here' },
  broken: nodes(0, null),
  steady: {
    ...nodes(1, 6),
    placement: { ...IDLE_POOL_SPEC.placement, instanceTypes: ['steady'] },
  },
  back: nodes(0, null),
} as const;

const PROBLEM = {
  file: 'pool.dstack.yml',
  line: 1,
  column: 1,
  path: '',
  message: 'is not known',
  fix: 'Remove it.',
  severity: 'error',
} as const;
