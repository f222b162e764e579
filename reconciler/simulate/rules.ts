// What must hold at every moment of a simulated world, whatever happens in it. Looks at what is really there, with rules
// of its own: it shares nothing with the decision but the shape of the record.
import type { Machine } from '../../backends/fake/cloud.ts';
import type { Endpoint, ProcessStatus } from '../../schemas/actual.ts';
import type { GroupSpec } from '../../schemas/desired.ts';
import type { FleetState } from '../../schemas/fleet.ts';
import { nameAround } from '../../schemas/keys.ts';
import type { Deployment, Replica, ServiceState } from '../../schemas/rollout.ts';
import type { RouteTable } from '../../schemas/routes.ts';
import { OWNER, PROJECT } from './daemon.ts';

export interface Sight {
  /** The machines that are there, of whomever. */
  readonly live: () => readonly Machine[];
  /** Those that are gone since this was last asked. */
  readonly ended: () => readonly Machine[];
  /** Machines that the world took away. */
  readonly wasTaken: (id: string) => boolean;
  /** The process of the replica runs, and its port is open. */
  readonly isServing: (replica: Replica) => boolean;
  /** The replica whose process a connection to it would reach; null: none. */
  readonly runsAt: (endpoint: Endpoint) => string | null;
  /** Records of fleets. */
  readonly fleets: () => readonly FleetState[];
  /** Services that are called otherwise now: old name → new name. Absent: none ever is. */
  readonly renames?: ReadonlyMap<string, string>;
  readonly table: () => RouteTable | null;
  readonly now: () => number;
  /** A rule was broken. */
  readonly report: (service: string, text: string) => void;
}

export interface Rules {
  /** Between two records of one service. */
  noteState(key: string, state: ServiceState | null): void;
  /** At a moment. */
  look(): void;
  /** Instances of ours that no record knows, now. */
  leaked(): readonly Machine[];
}

/** As long as an instance may go unknown: two looks of the sweeper, and the time to end it. */
const LEAK_MS = 180_000;

export function createRules(sight: Sight): Rules {
  const states = new Map<string, ServiceState>();
  const previous = new Map<string, ServiceState>();
  const counts = new Map<string, GroupCount>();
  const unknownSince = new Map<string, number>();
  const seen = new Set<string>();
  const told = new Set<string>();
  const gone = new Set<string>();

  const report = (service: string, text: string): void => {
    if (told.has(`${service} ${text}`)) return;
    told.add(`${service} ${text}`);
    sight.report(service, text);
  };
  const heirsOf = (service: string): Heirs | null => {
    const to = sight.renames?.get(service);
    const next = to === undefined ? undefined : targetIn(states.get(keyOf(to)));
    if (!next || !sight.renames) return null;
    const others = [...sight.renames].flatMap(([from, now]) => (now === to && from !== service ? from : []));
    const ready = [to ?? '', ...others].flatMap((name) => {
      const state = states.get(keyOf(name));
      return state ? standing(previous.get(keyOf(name)), state) : [];
    });
    return { next, ready };
  };
  const leaked = (): Machine[] => {
    const known = [...states.values()].flatMap(({ service, replicas }) =>
      replicas.map(({ name, attempt }) => `${service} ${name} ${attempt}`),
    );
    const lasting = sight
      .fleets()
      .flatMap(({ fleet, machines }) =>
        machines.map(({ name, attempt }) => `${nameAround('fleet', fleet)} ${name} ${attempt}`),
      );
    const names = new Set([...known, ...lasting]);
    return ours(sight.live()).filter(
      ({ tags }) => !names.has(`${tags.service} ${tags.replica} ${tags.attempt}`),
    );
  };

  return {
    leaked,
    noteState(key, state) {
      const service = key.slice(PROJECT.length + 1);
      const before = states.get(key);
      if (before) previous.set(key, before);
      if (state) states.set(key, state);
      else states.delete(key);
      if (!state) return;
      noteLimits(state, counts);
      for (const text of strays(state)) report(service, text);
      if (before)
        for (const text of sentAway(before, state, heirsOf(service), sight.isServing)) report(service, text);
    },
    look() {
      const alive = ours(sight.live());
      const ended = sight.ended();
      for (const [service, text] of strangers(ended)) report(service, text);
      for (const [service, text] of twins(alive)) report(service, text);
      for (const [service, text] of doubles(ours(ended), alive, gone, sight.wasTaken)) report(service, text);
      for (const [service, text] of hurt(states, sight.table())) report(service, text);
      for (const [service, text] of pulledAway(ended, states, sight)) report(service, text);
      for (const [service, text] of shared(states)) report(service, text);
      for (const [service, text] of misled(sight)) report(service, text);
      for (const [service, text] of crowds(alive, states, counts, seen)) report(service, text);
      for (const [service, text] of lingering(leaked(), unknownSince, sight.now())) report(service, text);
    },
  };
}

export function ownerOfProcess(process: ProcessStatus): string | null {
  return process.kind === 'absent' ? null : (process.of?.replica ?? null);
}

// Private

type Broken = readonly (readonly [service: string, text: string])[];

function ours(machines: readonly Machine[]): Machine[] {
  return machines.filter(({ tags }) => tags.owner === OWNER);
}

/** What is not ours is left alone. */
function strangers(ended: readonly Machine[]): Broken {
  return ended
    .filter(({ tags }) => tags.owner !== OWNER)
    .map(({ id, tags }) => [tags.service, `${id} was ended, and belongs to ${tags.owner}`] as const);
}

/** Routed are only ready replicas; while there are none, those that were and still listen. */
function strays({ replicas, route }: ServiceState): string[] {
  const isAnyReady = replicas.some(({ phase }) => phase === 'ready');
  return (route?.replicas ?? []).flatMap(({ name }) => {
    const replica = replicas.find((each) => each.name === name);
    if (!replica) return [`${name} is routed, but is not there`];
    const isFine = replica.phase === 'ready' || (!isAnyReady && replica.phase === 'unready');
    return isFine ? [] : [`${name} is routed while it is ${replica.phase}`];
  });
}

/** What a service is called now, and the replicas that serve under all names that it has but this one. */
interface Heirs {
  readonly next: Deployment;
  readonly ready: readonly Replica[];
}

/** Those that are ready, and those that were before the world took them: whoever went by that could not know yet. */
function standing(before: ServiceState | undefined, { replicas }: ServiceState): Replica[] {
  const left = new Set(replicas.filter(({ phase }) => SENT.has(phase)).map(({ name }) => name));
  const were = (before ?? { replicas }).replicas.filter(({ name }) => !left.has(name));
  const ready = [...were, ...replicas].filter(({ phase }) => phase === 'ready');
  return [...new Map(ready.map((replica) => [replica.name, replica])).values()];
}

const SENT: ReadonlySet<Replica['phase']> = new Set(['draining', 'stopping']);

/**
 * By our own hand, no group falls below its count less `unavailable`. What the world took does not count. One that is called
 * otherwise now has its count and `unavailable` from its new name, and all that is ready there as well.
 */
function sentAway(
  before: ServiceState,
  after: ServiceState,
  heirs: Heirs | null,
  isServing: (replica: Replica) => boolean,
): string[] {
  const target = targetIn(after);
  const isOver = after.term?.kind === 'stopped' || after.term?.kind === 'scheduled';
  return (target?.spec.groups ?? []).flatMap((group) => {
    const mine = after.replicas.filter((replica) => replica.group === group.name);
    const theirs = heirs?.ready.filter(isOfGroup(group.name, target, heirs.next)) ?? [];
    const ready = mine.filter(({ phase }) => phase === 'ready').length + theirs.length;
    const least = isOver ? 0 : leastOf(group, target, heirs?.next, theirs);
    const sent = mine.filter(
      (replica) => wasReady(before, replica.name) && isLeaving(replica) && isServing(replica),
    );
    return sent.length > 0 && ready < least
      ? [
          `${ready} of at least ${least} replicas stay ready while ${sent.map(({ name }) => name).join(', ')} is sent away`,
        ]
      : [];
  });
}

/** Once one of the new name serves, its count is what counts. */
function leastOf(
  { name, replicas }: GroupSpec,
  target: Deployment | undefined,
  next: Deployment | undefined,
  theirs: readonly Replica[],
): number {
  const there = next?.spec.groups.find((group) => group.name === name)?.replicas.min ?? replicas.min;
  const count = theirs.length > 0 ? there : Math.max(replicas.min, there);
  return count - ((next ?? target)?.spec.policy.unavailable ?? 0);
}

function keyOf(service: string): string {
  return `${PROJECT}/${service}`;
}

function targetIn(state: ServiceState | undefined): Deployment | undefined {
  return state?.deployments.find(({ number }) => number === state.target);
}

/** One of a service that is called otherwise: of the group of that name, or, where there is none, of any that is new. */
function isOfGroup(name: string, before: Deployment | undefined, after: Deployment | undefined) {
  const has = (deployment: Deployment | undefined, group: string) =>
    deployment?.spec.groups.some((each) => each.name === group) === true;
  return ({ group }: Replica) => (has(after, name) ? group === name : !has(before, group));
}

function wasReady({ replicas }: ServiceState, name: string): boolean {
  return replicas.some((replica) => replica.name === name && replica.phase === 'ready');
}

function isLeaving({ phase }: Replica): boolean {
  return phase === 'draining' || phase === 'stopping' || phase === 'terminating';
}

/** A replica has one machine at most. */
function twins(alive: readonly Machine[]): Broken {
  const byReplica = Map.groupBy(alive, ({ tags }) => `${tags.service} ${tags.replica}`);
  return [...byReplica.values()].flatMap(([first, second]) =>
    first && second
      ? [[first.tags.service, `there are two machines for ${first.tags.replica}`] as const]
      : [],
  );
}

/** One attempt makes one machine, ever; unless the world took it before its answer was known. */
function doubles(
  ended: readonly Machine[],
  alive: readonly Machine[],
  gone: Set<string>,
  wasTaken: (id: string) => boolean,
): Broken {
  const nameOf = ({ id, tags }: Machine) => `${tags.service} ${id}`;
  const isSecond = (machine: Machine): boolean => gone.has(nameOf(machine)) && !wasTaken(machine.id);
  const seconds = ended.filter((machine) => {
    const found = isSecond(machine);
    gone.add(nameOf(machine));
    return found;
  });
  return [...seconds, ...alive.filter(isSecond)].map(
    ({ tags }) => [tags.service, `${tags.replica} was created twice`] as const,
  );
}

/** Nobody is stopped while proxies still send it requests. One of the same name in a former life is another one. */
function hurt(states: ReadonlyMap<string, ServiceState>, table: RouteTable | null): Broken {
  const placeOf = ({ name, endpoint }: Pick<Replica, 'name' | 'endpoint'>) =>
    `${name} ${JSON.stringify(endpoint)}`;
  const routed = new Set(table?.routes.flatMap(({ replicas }) => replicas.map(placeOf)));
  return [...states.values()].flatMap(({ service, replicas }) =>
    replicas
      .filter((replica) => replica.phase === 'stopping' && routed.has(placeOf(replica)))
      .map(({ name }) => [service, `${name} is stopped while the proxies still send it requests`] as const),
  );
}

/** No machine is given back while the proxies send requests to what runs on it. */
function pulledAway(
  ended: readonly Machine[],
  states: ReadonlyMap<string, ServiceState>,
  { table, wasTaken }: Sight,
): Broken {
  const routed = new Set(table()?.routes.flatMap(({ replicas }) => replicas.map(({ name }) => name)));
  const serving = new Map(
    [...states.values()].flatMap(({ service, replicas }) =>
      replicas.flatMap(({ name, instance }) =>
        instance && routed.has(name) ? [[instance, { service, name }] as const] : [],
      ),
    ),
  );
  return ours(ended).flatMap(({ id }) => {
    const replica = serving.get(id);
    return replica && !wasTaken(id)
      ? [[replica.service, `the machine of ${replica.name} was ended while requests are sent to it`] as const]
      : [];
  });
}

/** No request for a service reaches another's process, on a machine that has changed hands. */
function misled({ table, runsAt }: Sight): Broken {
  return (table()?.routes ?? []).flatMap(({ service, replicas }) =>
    replicas.flatMap(({ name, endpoint }) => {
      const runs = runsAt(endpoint);
      return runs === null || runs === name
        ? []
        : [[service, `requests for ${name} are sent to ${runs}`] as const];
    }),
  );
}

/** No two replicas are on one machine. */
function shared(states: ReadonlyMap<string, ServiceState>): Broken {
  const all = [...states.values()].flatMap(({ service, replicas }) =>
    replicas.flatMap(({ name, instance, phase }) =>
      instance && phase !== 'terminating' ? [{ service, name, instance }] : [],
    ),
  );
  const byMachine = Map.groupBy(all, ({ instance }) => instance);
  return [...byMachine.values()].flatMap(([first, second]) =>
    first && second ? [[first.service, `${first.name} and ${second.name} are on one machine`] as const] : [],
  );
}

/**
 * No group grows beyond its count (or that of the last good deployment) plus the surge, as any record since the last
 * look allowed it. A target that shrinks, or a group that takes over another's, leaves more than it allows for a moment;
 * it must not make any.
 */
function crowds(
  alive: readonly Machine[],
  states: ReadonlyMap<string, ServiceState>,
  counts: ReadonlyMap<string, GroupCount>,
  seen: Set<string>,
): Broken {
  // Machines keep the tag of a group that was renamed since.
  const renamed = new Map(
    [...states.values()].flatMap(({ service, replicas }) =>
      replicas.map(({ name, group }) => [`${service} ${name}`, group] as const),
    ),
  );
  const groupOf = ({ tags }: Machine) => renamed.get(`${tags.service} ${tags.replica}`) ?? tags.group;
  const machines = Map.groupBy(alive, (machine) => `${machine.tags.service} ${groupOf(machine)}`);
  const broken = [...counts].flatMap(([key, group]) => {
    const { service, name, limit, allowed } = group;
    const mine = machines.get(key) ?? [];
    group.allowed = limit;
    const text = `group ${name} has ${mine.length} machines; at most ${allowed} are allowed`;
    const isNew = ({ id, tags }: Machine) => !seen.has(id) && tags.group === name;
    return mine.length > allowed && mine.some(isNew) ? [[service, text] as const] : [];
  });
  for (const { id } of alive) seen.add(id);
  return broken;
}

interface GroupCount {
  readonly service: string;
  readonly name: string;
  /** How many the newest record allows, and how many any did since the last look. */
  limit: number;
  allowed: number;
}

function noteLimits(
  { service, target, good, deployments }: ServiceState,
  counts: Map<string, GroupCount>,
): void {
  const [wanted, before] = [target, good].map((number) => deployments.find((each) => each.number === number));
  const surge = Math.max(wanted?.spec.policy.surge ?? 0, before?.spec.policy.surge ?? 0);
  const names = new Set(wanted?.spec.groups.map(({ name }) => name));
  const gone = before?.spec.groups.filter(({ name }) => !names.has(name)) ?? [];
  for (const { name, replicas } of wanted?.spec.groups ?? []) {
    // One that the last good deployment does not have may be any of those that only it has, by another name.
    const same = before?.spec.groups.filter((group) => group.name === name) ?? [];
    const former = Math.max(0, ...(same.length > 0 ? same : gone).map((group) => group.replicas.max));
    const limit = Math.max(replicas.max, former) + surge;
    const count = counts.get(`${service} ${name}`) ?? { service, name, limit, allowed: limit };
    counts.set(`${service} ${name}`, { ...count, limit, allowed: Math.max(count.allowed, limit) });
  }
}

function lingering(unknown: readonly Machine[], since: Map<string, number>, now: number): Broken {
  const ids = new Set(unknown.map(({ id }) => id));
  for (const id of since.keys()) if (!ids.has(id)) since.delete(id);
  return unknown.flatMap(({ id, tags }) => {
    const from = since.get(id) ?? now;
    since.set(id, from);
    return now - from > LEAK_MS ? [[tags.service, `${id} is paid for, but no record knows it`] as const] : [];
  });
}
