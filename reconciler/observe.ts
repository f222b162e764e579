// Reads the world for one pass. Partial failure is data: what could not be asked is `unknown`, never `missing`.
import type { Backend } from '../backends/backend.ts';
import type {
  Actual,
  Instance,
  OffersFact,
  ProbeResult,
  ReplicaFact,
  TrafficFact,
} from '../schemas/actual.ts';
import type { DesiredRecord, GroupSpec, Placement, ServiceSpec } from '../schemas/desired.ts';
import { asFailure } from '../schemas/errors.ts';
import type { Replica, ServiceState } from '../schemas/rollout.ts';
import { tagsOf } from './execute.ts';
import type { Fleets } from './fleets.ts';
import type { Finder } from './found.ts';
import { offersOfAll } from './offers.ts';
import { targetOf } from './plan/deployments.ts';
import { fleetsAsked } from './plan/fleet/asked.ts';
import { type Queued, withoutClaims } from './plan/queue.ts';
import { groupsToPlace } from './plan/roll.ts';
import type { Successors } from './successor.ts';
import type { Volumes } from './volumes.ts';

export interface ObserveDeps {
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly fleets: Fleets;
  readonly volumes: Volumes;
  /** Results of a service's probes since they were last taken. */
  readonly takeProbes: (key: string) => Readonly<Record<string, readonly ProbeResult[]>>;
  /** The newest route version of the service that every living proxy has; -1 when none has. */
  readonly published: (key: string) => number;
  readonly inflight: (project: string, replica: string) => number;
  /** What a group was asked in the last `windowMs`; null: not known. Absent: nothing counts requests. */
  readonly traffic?: (
    project: string,
    service: string,
    group: string,
    windowMs: number,
  ) => TrafficFact | null;
  /** What runs of a service that has no record; absent: nothing ever does. */
  readonly find?: Finder;
  /** Services that wait for capacity; absent: none does. */
  readonly queue?: () => readonly Queued[];
  /** Absent: nothing is ever called otherwise. */
  readonly successor?: Successors;
}

export async function observe(
  deps: ObserveDeps,
  key: string,
  desired: DesiredRecord | null,
  state: ServiceState | null,
): Promise<Actual> {
  const replicas = state?.replicas ?? [];
  const traffic = trafficOf(deps, state);
  const found = state === null && desired?.service ? await deps.find?.(key) : [];
  const [facts, offers, successor] = await Promise.all([
    Promise.all(replicas.map(async (replica) => [replica.name, await factOf(deps, state, replica)] as const)),
    offersFor(deps, desired, state, traffic),
    deps.successor?.(desired, state),
  ]);
  return {
    found: found === undefined ? [] : found,
    replicas: Object.fromEntries(facts),
    offers,
    probes: replicas.length > 0 ? deps.takeProbes(key) : {},
    published: deps.published(key),
    inflight: Object.fromEntries(
      replicas.map(({ name }) => [name, deps.inflight(state?.project ?? '', name)]),
    ),
    traffic,
    ...(successor ? { successor } : {}),
  };
}

// Private

async function factOf(deps: ObserveDeps, state: ServiceState | null, replica: Replica): Promise<ReplicaFact> {
  const backend = deps.backends.get(replica.offer.backend);
  if (!backend)
    return {
      kind: 'unknown',
      reason: `backend ${replica.offer.backend} is not configured: cannot look at it or stop it`,
    };
  try {
    const instance = await instanceOf(deps, backend, state, replica);
    if (!instance || !isOf(instance, deps.owner, state, replica)) return { kind: 'missing' };
    const process =
      instance.status === 'provisioning'
        ? { kind: 'absent' as const }
        : await backend.transport(instance).status();
    return { kind: 'present', instance, process };
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind === 'not-found') return { kind: 'missing' };
    return { kind: 'unknown', reason: `${backend.name}: ${failure.message}` };
  }
}

function instanceOf(deps: ObserveDeps, backend: Backend, state: ServiceState | null, replica: Replica) {
  const { fleet } = replica.offer;
  if (fleet && state) return deps.fleets.lent(backend, fleet, tagsOf(deps.owner, state, replica));
  return replica.instance ? backend.get(replica.instance) : find(backend, deps.owner, state, replica);
}

/** The answer to `create` may have been lost, so an instance without a recorded id is looked for by its tags. */
async function find(backend: Backend, owner: string, state: ServiceState | null, replica: Replica) {
  const instances = await backend.list(owner);
  return instances.find((instance) => isOf(instance, owner, state, replica)) ?? null;
}

/** One whose tags name somebody else is not ours any more, whatever we remember of its id. */
function isOf({ tags }: Instance, owner: string, state: ServiceState | null, replica: Replica): boolean {
  return (
    tags.owner === owner &&
    tags.project === state?.project &&
    tags.replica === replica.name &&
    tags.attempt === replica.attempt
  );
}

function trafficOf(deps: ObserveDeps, state: ServiceState | null): NonNullable<Actual['traffic']> {
  const groups = (state && targetOf(state)?.spec.groups) ?? [];
  const facts = groups.flatMap(({ name, scaling }) => {
    const fact =
      scaling && deps.traffic?.(state?.project ?? '', state?.service ?? '', name, scaling.windowMs);
    return fact ? [[name, fact] as const] : [];
  });
  return Object.fromEntries(facts);
}

async function offersFor(
  deps: ObserveDeps,
  desired: DesiredRecord | null,
  state: ServiceState | null,
  traffic: Actual['traffic'],
): Promise<Record<string, OffersFact>> {
  const wishes = [desired?.removed ? null : desired?.service, state && targetOf(state)].filter(
    (wish) => wish != null,
  );
  const placements = wishes.flatMap((wish) =>
    groupsToPlace(state, wish, traffic).map((name) => {
      const group = wish.spec.groups.find((each) => each.name === name);
      return [name, group && { group, spec: wish.spec }] as const;
    }),
  );
  // What is wished goes before what is the target.
  const asked = new Map(placements.toReversed());
  const facts = [...asked].map(async ([name, wish]) =>
    wish
      ? [
          [
            name,
            withoutClaims(await offersOf(deps, wish, state), deps.queue?.() ?? [], wish.spec.priority),
          ] as const,
        ]
      : [],
  );
  return Object.fromEntries((await Promise.all(facts)).flat());
}

interface Wish {
  readonly group: GroupSpec;
  readonly spec: ServiceSpec;
}

function offersOf(
  { backends, fleets, volumes }: ObserveDeps,
  { group, spec }: Wish,
  state: ServiceState | null,
): Promise<OffersFact> {
  const names = fleetsAsked(group.placement, spec);
  const ask = (placement: Placement) =>
    names
      ? fleets.offers(backends.values(), names, placement, spec.isReuseOnly === true)
      : offersOfAll(backends.values(), placement);
  return volumes.offers(group.process, group.placement, state, ask);
}
