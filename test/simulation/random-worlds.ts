// Random worlds: commits of good, crashing, slow and sick versions in one or two groups on several clouds, some with a
// schedule, a longest duration, a limited retry or idle GPUs, beside another service that wants the same machines, and in a
// share of them on a fleet, in the pool of idle machines or with volumes (`random-around.ts`); while machines are lost,
// taken away or edited, clouds refuse, fail or are sold out, files break and are suspended, traffic comes and goes, proxies
// do not listen, daemons are killed and laptops sleep. At every moment the rules hold (`rules.ts`, `plan/check` and the
// clients look); the world's trouble is held against no revision; and when it ends, what was asked last runs.
import fc from 'fast-check';
import type { Behaviour } from '../../backends/fake/machine.ts';
import type { Flow } from '../../reconciler/simulate/traffic.ts';
import type {
  DesiredRecord,
  DesiredService,
  GroupSpec,
  Pending,
  RolloutPolicy,
  ServiceSpec,
} from '../../schemas/desired.ts';
import type { FailureKind, Problem } from '../../schemas/errors.ts';
import type { Offer } from '../../schemas/offer.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { group, LOCAL, service, spec } from '../plan/samples.ts';
import {
  type Around,
  aroundHappening,
  aroundKind,
  dressed,
  happenAround,
  surround,
  wrongAround,
} from './random-around.ts';
import { PROBE } from './services.ts';
import { START, simulate, type World } from './world.ts';

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
  readonly traffic: TrafficKind;
  /** Absent: nothing. */
  readonly around?: Around;
  readonly happenings: readonly Happening[];
}

/** How long it may take, once all trouble is over, until what was asked last runs. */
const RECOVERY_MS = 2_700_000;
const MINUTE = 60_000;
/** And so long until the last idle machine is gone. */
const IDLE_MOST_MS = 15 * MINUTE;

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
  ['brief', { exitsAfterMs: 6_000 }],
  ['pulling', { pullMs: 25_000 }],
  ['idle', { gpus: (ms) => [90, ms < 60_000 ? 90 : 0] }],
];

/** Whatever happens to these is the world's doing. */
const BLAMELESS = new Set(['good', 'slow', 'stubborn', 'pulling', 'idle']);

const POLICIES: readonly Partial<RolloutPolicy>[] = [
  {},
  { surge: 2 },
  { surge: 0, unavailable: 1 },
  { unavailable: 1, livenessMs: 60_000 },
  { onFailure: 'hold' },
  { bakeMs: 0, drainMs: 5_000 },
  { provisionMs: 20_000, pullMs: 10_000, surge: 3 },
  { unavailable: 2, readyMs: 15_000, bakeMs: 60_000 },
];

/** What ends it, starts it again, or leaves it at that. */
const LIVES: readonly Partial<ServiceSpec>[] = [
  {},
  { retry: { on: ['error', 'interruption'], durationMs: 2 * MINUTE } },
  {},
  { maxDurationMs: 4 * MINUTE },
  {},
  { schedule: { cron: ['*/7 * * * *'] }, maxDurationMs: 2 * MINUTE },
  {},
  { utilization: { minGpuPercent: 10, windowMs: 2 * MINUTE } },
  { priority: 50 },
];

const COUNT = 66;
/** The other service: none, one that goes first, one that goes last. */
const OTHERS = 3;

/** All that a world may ask for. */
type Cast = ReturnType<typeof castOf>;

function castOf(around: Around) {
  const versions = Array.from({ length: COUNT }, (_, i) => {
    const [kind, behaviour] = BEHAVIOURS[i % BEHAVIOURS.length] ?? ['good', {}];
    const names = i % 5 === 4 ? ['a', 'b'] : i % 7 === 6 ? ['b'] : ['0'];
    const desired = version(`${kind}-${i % 16}`, names, i, LIVES[i % LIVES.length]);
    return { kind, desired: dressed(desired, around, i), behaviour };
  });
  return {
    around,
    versions,
    last: dressed(version('last', ['0'], 1), around, 0),
    others: [null, dressed(other('first', 90), around, 0), dressed(other('last', 0), around, 1)],
    settled: dressed(other('settled', 10), around, 0),
  };
}

/** Requests to the one service: steady, none, or coming and going. */
const TRAFFIC = {
  steady: null,
  none: [],
  tides: Array.from({ length: 40 }, (_, i) => flow(i * 10, i * 10 + (i % 3 === 2 ? 10 : 5), 1 + (i % 4) * 3)),
} as const;
type TrafficKind = keyof typeof TRAFFIC;

const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), version: fc.nat(COUNT - 1) }),
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
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('hunt' as const),
      times: fc.integer({ min: 2, max: 5 }),
      everyMs: fc.integer({ min: 2_000, max: 30_000 }),
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('suspended' as const), is: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('broken-file' as const, 'held-back' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('other' as const), which: fc.nat(OTHERS - 1) }),
  },
  { weight: 2, arbitrary: aroundHappening },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost-database' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      operation: fc.constantFrom(
        ...(['offers', 'create', 'get', 'list', 'terminate', 'run', 'status', 'stop', 'clear'] as const),
      ),
      failure: fc.constantFrom<FailureKind>(
        'transient',
        'rate-limited',
        'quota',
        'no-capacity',
        'unauthorized',
        'bug',
      ),
      isAfter: fc.boolean(),
      times: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

export const randomWorld: fc.Arbitrary<RandomWorld> = fc.record({
  seed: fc.nat(),
  clouds: fc.subarray(['local', 'slow', 'small'] as const, { minLength: 1 }),
  traffic: fc.constantFrom('steady' as const, 'steady' as const, 'none' as const, 'tides' as const),
  around: aroundKind,
  happenings: fc.array(happening, { minLength: 3, maxLength: 16 }),
});

/** Lives through a world. Throws when a rule was broken, or when what was asked last does not run in time. */
export async function live(told: RandomWorld): Promise<Account> {
  const { seed, clouds, traffic, around = 'nothing', happenings } = told;
  const cast = castOf(around);
  const trouble: Trouble = { cast, isSoldOut: false, asked: null, hasOther: false, killed: new Set() };
  const flows = TRAFFIC[traffic];
  const behaviours = new Map(
    cast.versions.flatMap(({ desired, behaviour }) =>
      Object.values(desired.shapes).map((shape) => [shape, behaviour] as const),
    ),
  );
  const world = await simulate({
    seed,
    ...(flows && { flows }),
    behaviour: (shape) => behaviours.get(shape) ?? {},
    clouds: clouds.map((name) => {
      const { offers, ...more } = CLOUDS[name];
      const scarce = 'scarce' in more ? more.scarce : Number.POSITIVE_INFINITY;
      const capacity = ({ spot }: Offer) =>
        trouble.isSoldOut ? 0 : spot ? scarce : Number.POSITIVE_INFINITY;
      return { name, ...more, offers, capacity };
    }),
  });
  await surround(world, around);
  const startedAt = world.now();
  for (const each of happenings) await happen(world, each, trouble);
  await recover(world, trouble);
  await judge(world, trouble);
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

/** From the beginning of the world, in minutes. */
function flow(from: number, to: number, rps: number): Flow {
  const at = (minutes: number) => START + minutes * MINUTE;
  return { key: 'main/web', from: at(from), to: at(to), rps: [rps, rps], requestMs: 700 };
}

function other(command: string, priority: number): DesiredService {
  const groups = [group({ replicas: { min: 1, max: 1 } }, { commands: [command] })];
  return service('other', { command, priority }, { groups, probes: [PROBE], priority });
}

/** The count, the policy and whether traffic changes the count go by `number`. */
function version(
  command: string,
  names: readonly string[],
  number: number,
  life: Partial<ServiceSpec> = {},
): DesiredService {
  const count = 1 + (number % 3);
  const scales = number % 11 === 5 || number % 11 === 8;
  const least = number % 11 === 8 ? 0 : 1;
  const groups = names.map((name): GroupSpec => {
    const base = group(
      { name, replicas: { min: scales ? least : count, max: scales ? 4 : count } },
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
  const probes = number % 6 === 5 ? [] : [PROBE];
  return service('web', { command, number, names: [...names] }, { groups, probes, policy, ...life });
}

interface Trouble {
  readonly cast: Cast;
  isSoldOut: boolean;
  /** What was asked last. */
  asked: DesiredService | null;
  hasOther: boolean;
  /** Shapes of processes that were killed. */
  readonly killed: Set<string>;
}

async function happen(world: World, each: Happening, trouble: Trouble): Promise<void> {
  switch (each.kind) {
    case 'commit':
      trouble.asked = trouble.cast.versions[each.version]?.desired ?? null;
      return world.commit(trouble.asked);
    case 'remove':
      trouble.asked = null;
      return world.commit(null);
    case 'suspended':
      return record(world, trouble, each.is ? { suspended: true } : {});
    case 'broken-file':
      return record(world, trouble, { problems: [PROBLEM] });
    case 'held-back':
      return record(world, trouble, { pending: pending(trouble.cast.last) });
    case 'lost-database':
      return world.loseDatabase();
    case 'fleet-file':
    case 'volume':
      return happenAround(world, trouble.cast.around, each);
    case 'other':
      trouble.hasOther = true;
      return world.commit(trouble.cast.others[each.which] ?? null, 'other');
    case 'fault': {
      const { operation, failure: kind, times } = each;
      // A refusal is definite: what was refused was not done.
      const effect = each.isAfter && kind === 'transient' ? 'after' : 'before';
      for (const cloud of world.clouds.values()) cloud.inject({ operation, kind, effect, times });
      return;
    }
    case 'wait':
      return world.run(each.ms);
    case 'kill':
      return world.killAt(world.crossed.length + each.after);
    case 'hunt':
      return hunt(world, each.times, each.everyMs);
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
      return harm(world, each.kind, each.which, trouble);
  }
}

/** Takes the newest machine, again and again. */
async function hunt(world: World, times: number, everyMs: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await world.run(everyMs);
    const newest = aliveOf(world).toSorted((a, b) => b.createdAt - a.createdAt)[0];
    if (newest) world.take(newest.id);
  }
}

const PROBLEM: Problem = {
  file: 'web.dstack.yml',
  line: 1,
  column: 1,
  path: '',
  message: 'is not known',
  fix: 'Remove it.',
  severity: 'error',
};
function pending(service: DesiredService): Pending {
  return {
    reason: 'window',
    commit: 'c0ffee',
    revision: service.revision,
    service,
    since: 0,
    until: null,
    detail: 'no window is open',
  };
}

/** What was asked last, with something that its file, or its folder, says about it. */
function record(world: World, { asked }: Trouble, more: Partial<DesiredRecord>): Promise<void> {
  if (asked === null) return Promise.resolve();
  return world.commitRecord('web', { service: asked, removed: false, problems: [], ...more });
}

function harm(
  world: World,
  kind: 'crash' | 'lose' | 'notice' | 'edit',
  which: number,
  { killed }: Trouble,
): void {
  const alive = aliveOf(world);
  const machine = alive[which % Math.max(1, alive.length)];
  if (!machine) return;
  if (kind === 'crash') killed.add((machine.runs ?? machine.tags).shape);
  if (kind === 'crash') world.clouds.get(machine.offer.backend)?.crash(machine.id, 1);
  else if (kind === 'edit') world.retag(machine.id, { shape: 'edited' });
  else world.take(machine.id, kind === 'notice' ? 30_000 : 0);
}

async function recover(world: World, trouble: Trouble): Promise<void> {
  const { around, last, settled } = trouble.cast;
  for (const cloud of world.clouds.values()) cloud.calm();
  trouble.isSoldOut = false;
  world.deafen(false);
  await surround(world, around);
  await world.commit(last);
  if (trouble.hasOther) await world.commit(settled, 'other');
  const state = await world.runUntil('the last commit runs', isRunningAs(last), RECOVERY_MS);
  const shapes = state?.replicas.map(({ shape }) => shape);
  if (trouble.hasOther) await isSettled(world);
  const own = world.table()?.routes.filter((route) => route.service === 'web') ?? [];
  const routed = own.flatMap(({ replicas }) => replicas.map(({ name }) => name));
  const names = state?.replicas.map(({ name }) => name);
  must(
    same(
      shapes,
      Object.values(last.shapes).flatMap((shape) => [shape, shape]),
    ),
    `it runs ${shapes}`,
  );
  must(same(routed?.toSorted(), names?.toSorted()), `${routed} are routed, ${names} run`);
  const used = trouble.hasOther ? 3 : 2;
  const end = world.now() + (around === 'nothing' ? 0 : IDLE_MOST_MS);
  while (aliveOf(world).length > used && world.now() < end) await world.run(1_000);
  must(aliveOf(world).length === used, `${aliveOf(world).length} machines are left`);
}

async function isSettled(world: World): Promise<void> {
  const read = async () => (await world.store.load('main/other'))?.state as ServiceState | null | undefined;
  for (const end = world.now() + RECOVERY_MS; ; await world.run(1_000)) {
    const state = await read();
    const isAsAsked =
      state?.status === 'running' && state.replicas.length === 1 && state.good === state.target;
    // What was lost a moment ago is on record until the next look.
    const isThere = isAsAsked && aliveOf(world).some(({ id }) => id === state.replicas[0]?.instance);
    if (isThere && state.deployments.at(-1)?.shapes['0'] === state.replicas[0]?.shape) return;
    must(world.now() < end, `the other service is ${state?.status}: ${JSON.stringify(state?.waiting)}`);
  }
}

/** No decision broke a rule, and nothing was set aside for what the world did. */
async function judge(world: World, { killed, cast }: Trouble): Promise<void> {
  const wrong = await wrongAround(world);
  must(wrong === null, wrong ?? '');
  for (const name of ['web', 'other']) {
    const events = await world.store.events({ project: 'main', service: name, limit: 100_000 });
    const broken = events.find(({ event, reason }) => event === 'failure' && reason.includes('broke a rule'));
    must(broken === undefined, broken?.reason ?? '');
    for (const { deployment: number } of events.filter(({ event }) => event === 'quarantined')) {
      const made = events.find(({ event, deployment }) => event === 'deployment' && deployment === number);
      const blamed = cast.versions.find(({ desired }) => made?.reason.includes(desired.revision));
      // A process that is killed looks like one that cannot.
      if (Object.values(blamed?.desired.shapes ?? {}).some((shape) => killed.has(shape))) continue;
      must(!BLAMELESS.has(blamed?.kind ?? 'good'), `${name}: ${made?.reason} is set aside, and did nothing`);
    }
  }
}

function isRunningAs({ revision }: DesiredService) {
  return (state: ServiceState | null): boolean => {
    const good = state?.deployments.find(({ number }) => number === state.good);
    return state?.status === 'running' && state.target === state.good && good?.revision === revision;
  };
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
