// Random worlds: commits of good, crashing, slow and sick versions in one or two groups on several clouds, while machines
// are lost, taken away or edited, clouds fail or are sold out, proxies do not listen, daemons are killed and laptops
// sleep. At every moment the rules hold (`rules.ts` and `plan/check` look); when the trouble ends, what was asked last runs.
import fc from 'fast-check';
import type { Behaviour } from '../../backends/fake/machine.ts';
import type { DesiredService, GroupSpec, RolloutPolicy } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { group, LOCAL, service, spec } from '../plan/samples.ts';
import { PROBE } from './services.ts';
import { simulate, type World } from './world.ts';

/** What one world came to. */
export interface Account {
  readonly minutes: number;
  readonly decisions: number;
  readonly crashes: number;
  readonly machines: number;
}

export interface RandomWorld {
  readonly seed: number;
  readonly clouds: readonly CloudKind[];
  readonly happenings: readonly Happening[];
}

/** How long it may take, once all trouble is over, until what was asked last runs. */
const RECOVERY_MS = 7_200_000;

const CLOUDS = {
  local: { offers: [offer('local', 0)], bootMs: 300 },
  slow: { offers: [offer('slow', 1), offer('slow', 2, true)], bootMs: 40_000, listLagMs: 5_000 },
  small: { offers: [offer('small', 0.5), offer('small', 0.4, true)], bootMs: 3_000, scarce: 2 },
} as const;
type CloudKind = keyof typeof CLOUDS;

const BEHAVIOURS: readonly (readonly [name: string, behaviour: Partial<Behaviour>])[] = [
  ['good', {}],
  ['slow', { startMs: 45_000 }],
  ['crashing', { startMs: null, exitsAfterMs: 400 }],
  ['sick', { healthy: () => false }],
  ['flapping', { healthy: (ms) => Math.floor(ms / 7_000) % 3 !== 2 }],
  ['stubborn', { stopsAfterMs: null }],
  ['mortal', { exitsAfterMs: 200_000, exitCode: 0 }],
  ['deaf', { closes: { everyMs: 50_000, forMs: 4_000 } }],
];

const POLICIES: readonly Partial<RolloutPolicy>[] = [
  {},
  { surge: 2 },
  { surge: 0, unavailable: 1 },
  { unavailable: 1, livenessMs: 60_000 },
  { onFailure: 'hold' },
];

const VERSIONS = Array.from({ length: 40 }, (_, i) => {
  const [kind, behaviour] = BEHAVIOURS[i % BEHAVIOURS.length] ?? ['good', {}];
  const names = i % 5 === 4 ? ['a', 'b'] : i % 7 === 6 ? ['b'] : ['0'];
  return { desired: version(`${kind}-${i % 16}`, names, i), behaviour };
});
const LAST = version('last', ['0'], 1);

const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), version: fc.nat(VERSIONS.length - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 100, max: 120_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), after: fc.nat(40) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash' as const, 'lose' as const, 'notice' as const, 'edit' as const),
      which: fc.nat(5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('sleep' as const),
      ms: fc.integer({ min: 20_000, max: 7_200_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unreliable' as const), percent: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sold-out' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deaf' as const), is: fc.boolean() }) },
);

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

export const randomWorld: fc.Arbitrary<RandomWorld> = fc.record({
  seed: fc.nat(),
  clouds: fc.subarray(['local', 'slow', 'small'] as const, { minLength: 1 }),
  happenings: fc.array(happening, { minLength: 3, maxLength: 16 }),
});

/** Lives through a world. Throws when a rule was broken, or when what was asked last does not run in time. */
export async function live({ seed, clouds, happenings }: RandomWorld): Promise<Account> {
  const trouble = { isSoldOut: false };
  const behaviours = new Map(
    VERSIONS.flatMap(({ desired, behaviour }) =>
      Object.values(desired.shapes).map((shape) => [shape, behaviour] as const),
    ),
  );
  const world = await simulate({
    seed,
    behaviour: (shape) => behaviours.get(shape) ?? {},
    clouds: clouds.map((name) => {
      const { offers, ...more } = CLOUDS[name];
      const scarce = 'scarce' in more ? more.scarce : Number.POSITIVE_INFINITY;
      const capacity = ({ spot }: Offer) =>
        trouble.isSoldOut ? 0 : spot ? scarce : Number.POSITIVE_INFINITY;
      return { name, ...more, offers, capacity };
    }),
  });
  const startedAt = world.now();
  for (const each of happenings) await happen(world, each, trouble);
  await recover(world, trouble);
  return {
    minutes: (world.now() - startedAt) / 60_000,
    decisions: world.crossed.filter((boundary) => boundary === 'decided').length,
    crashes: happenings.filter(({ kind }) => kind === 'kill').length,
    machines: machinesOf(world).length,
  };
}

// Private

function offer(backend: string, price: number, spot: boolean = false): Offer {
  return { ...LOCAL, backend, price, spot, instance: spot ? 'spot' : 'steady' };
}

/** The count, the policy and whether traffic changes the count go by `number`. */
function version(command: string, names: readonly string[], number: number): DesiredService {
  const count = 1 + (number % 3);
  const scales = number % 11 === 5;
  const groups = names.map((name): GroupSpec => {
    const base = group(
      { name, replicas: { min: scales ? 1 : count, max: scales ? 4 : count } },
      { commands: [command] },
    );
    return {
      ...base,
      placement: { ...base.placement, spotPolicy: number % 4 === 3 ? 'on-demand' : 'auto' },
      scaling: scales
        ? { metric: 'rps', target: 2, windowMs: 60_000, upDelayMs: 30_000, downDelayMs: 60_000 }
        : null,
    };
  });
  const policy = {
    ...spec('web').policy,
    readyMs: 40_000,
    startMs: 90_000,
    ...POLICIES[number % POLICIES.length],
  };
  return service('web', { command, number, names: [...names] }, { groups, probes: [PROBE], policy });
}

async function happen(world: World, each: Happening, trouble: { isSoldOut: boolean }): Promise<void> {
  switch (each.kind) {
    case 'commit':
      return world.commit(VERSIONS[each.version]?.desired ?? null);
    case 'remove':
      return world.commit(null);
    case 'wait':
      return world.run(each.ms);
    case 'kill':
      return world.killAt(world.crossed.length + each.after);
    case 'sleep':
      return world.sleep(each.ms);
    case 'unreliable':
      for (const cloud of world.clouds.values()) cloud.unreliable(each.percent / 100);
      return;
    case 'sold-out':
      trouble.isSoldOut = each.is;
      return;
    case 'deaf':
      return world.deafen(each.is);
    case 'crash':
    case 'lose':
    case 'notice':
    case 'edit':
      return harm(world, each.kind, each.which);
  }
}

function harm(world: World, kind: 'crash' | 'lose' | 'notice' | 'edit', which: number): void {
  const alive = aliveOf(world);
  const machine = alive[which % Math.max(1, alive.length)];
  if (!machine) return;
  if (kind === 'crash') world.clouds.get(machine.offer.backend)?.crash(machine.id, 1);
  else if (kind === 'edit') world.retag(machine.id, { shape: 'edited' });
  else world.take(machine.id, kind === 'notice' ? 30_000 : 0);
}

async function recover(world: World, trouble: { isSoldOut: boolean }): Promise<void> {
  for (const cloud of world.clouds.values()) cloud.unreliable(0);
  trouble.isSoldOut = false;
  world.deafen(false);
  await world.commit(LAST);
  const state = await world.runUntil('the last commit runs', isLast, RECOVERY_MS);
  const shapes = state?.replicas.map(({ shape }) => shape);
  const routed = world.table()?.routes.flatMap(({ replicas }) => replicas.map(({ name }) => name));
  const names = state?.replicas.map(({ name }) => name);
  must(
    same(
      shapes,
      Object.values(LAST.shapes).flatMap((shape) => [shape, shape]),
    ),
    `it runs ${shapes}`,
  );
  must(same(routed?.toSorted(), names?.toSorted()), `${routed} are routed, ${names} run`);
  const alive = aliveOf(world).length;
  must(alive === 2, `${alive} machines are left`);
  const events = await world.store.events({ project: 'main', service: 'web', limit: 100_000 });
  const broken = events.find(({ event, reason }) => event === 'failure' && reason.includes('broke a rule'));
  must(broken === undefined, broken?.reason ?? '');
}

function isLast(state: ServiceState | null): boolean {
  const good = state?.deployments.find(({ number }) => number === state.good);
  return state?.status === 'running' && state.target === state.good && good?.revision === LAST.revision;
}

function machinesOf(world: World) {
  return [...world.clouds.values()].flatMap((cloud) => cloud.machines());
}

function aliveOf(world: World) {
  return machinesOf(world).filter(({ endedAt }) => endedAt === null);
}

function same(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
