// The pass of one fleet.
import type { Backend } from '../backends/backend.ts';
import type { Instance, OffersFact, ProcessOwner, ReplicaFact, Tags } from '../schemas/actual.ts';
import { asFailure, Failure } from '../schemas/errors.ts';
import type { DesiredFleet, FleetState, Machine } from '../schemas/fleet.ts';
import { aroundOf, nameAround } from '../schemas/keys.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import type { Finder } from './found.ts';
import { offersOfAll } from './offers.ts';
import { type Kind, type PassDeps, runPass } from './pass.ts';
import { checkFleet } from './plan/fleet/check.ts';
import { decideFleet, type FleetStep } from './plan/fleet/decide.ts';
import { type FleetInput, guestsIn, isGuest } from './plan/fleet/facts.ts';
import { lackOf } from './plan/fleet/lend.ts';
import { foldMachine, foldMachineFailure } from './plan/fleet/outcome.ts';
import { isSameValue } from './plan/same.ts';
import type { Claim, KeyRecord, Settlement, Store } from './store/store.ts';

export interface FleetPassDeps extends PassDeps {
  readonly store: Pick<Store, 'settle' | 'users'>;
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  /** What runs of a fleet that has no record. */
  readonly find: Finder;
  /** Keys of services that wait for capacity: they look again when the fleet has something to give. */
  readonly waiting: () => readonly string[];
}

/** Does one pass; the settlement it returns has yet to be written, and gives the lease back. */
export function passFleet(deps: FleetPassDeps, claim: Claim): Promise<Settlement> {
  return runPass(deps, kindOf(deps), claim);
}

// Private

function kindOf(deps: FleetPassDeps): Kind<FleetInput, FleetState, FleetStep> {
  return {
    observe: (claim, at) => observe(deps, claim.record, at),
    stateOf: ({ state }) => state,
    decide: decideFleet,
    check: checkFleet,
    async execute(_, state, step) {
      const instance = await execute(deps, state, step);
      if (!instance) return (after) => ({ state: after, events: [] });
      return (after) => foldMachine(after, step.machine, instance);
    },
    fail: (_, state, step, failure, now) => foldMachineFailure(state, step, failure, now),
    isSame,
    hasMoved,
    alongside: (before, after) => ({ wakes: woken(deps, before, after) }),
    note: () => {},
  };
}

async function observe(deps: FleetPassDeps, record: KeyRecord, at: () => number): Promise<FleetInput> {
  const { project, key, service } = record;
  const fleet = aroundOf(service)?.name ?? '';
  const desired = record.desired as DesiredFleet | null;
  const state = record.state as FleetState | null;
  const found = state === null && desired ? await deps.find(key) : [];
  const facts = (state?.machines ?? []).map(
    async (machine) => [machine.name, await factOf(deps, project, machine)] as const,
  );
  const isAsking = !!found?.length || lackOf(desired, state ?? { isBegun: false, machines: [] }) > 0;
  const [machines, offers, users] = await Promise.all([
    Promise.all(facts),
    isAsking && desired ? offersFor(deps, desired) : null,
    deps.store.users(project, nameAround('fleet', fleet)),
  ]);
  const guests = users.flatMap((user) => (user.state ? guestsIn(user.state as ServiceState, fleet) : []));
  return {
    project,
    fleet,
    desired,
    state,
    actual: { found, machines: Object.fromEntries(machines), offers, guests },
    now: at(),
  };
}

async function offersFor({ backends }: FleetPassDeps, { spec }: DesiredFleet): Promise<OffersFact> {
  const lasting = [...backends.values()].filter(({ capabilities }) => capabilities.machines);
  return offersOfAll(lasting, spec.placement);
}

async function factOf(deps: FleetPassDeps, project: string, machine: Machine): Promise<ReplicaFact> {
  const backend = deps.backends.get(machine.offer.backend);
  if (!backend)
    return {
      kind: 'unknown',
      reason: `backend ${machine.offer.backend} is not configured: cannot look at it`,
    };
  try {
    const instance = await (machine.instance
      ? backend.get(machine.instance)
      : find(deps, backend, project, machine));
    if (!instance || !isOf(instance, deps.owner, project, machine)) return { kind: 'missing' };
    const isUp = instance.status !== 'provisioning';
    const process = isUp ? await backend.transport(instance).status() : { kind: 'absent' as const };
    return { kind: 'present', instance, process };
  } catch (error) {
    const failure = asFailure(error);
    return failure.kind === 'not-found'
      ? { kind: 'missing' }
      : { kind: 'unknown', reason: `${backend.name}: ${failure.message}` };
  }
}

/** The answer to `create` may have been lost, so an instance without a recorded id is looked for by its tags. */
async function find({ owner }: FleetPassDeps, backend: Backend, project: string, machine: Machine) {
  const instances = await backend.list(owner);
  return instances.find((instance) => isOf(instance, owner, project, machine)) ?? null;
}

function isOf({ tags }: Instance, owner: string, project: string, { name, attempt }: Machine): boolean {
  return (
    tags.owner === owner && tags.project === project && tags.replica === name && tags.attempt === attempt
  );
}

async function execute(deps: FleetPassDeps, state: FleetState, step: FleetStep): Promise<Instance | null> {
  const machine = state.machines.find(({ name }) => name === step.machine);
  if (!machine) throw new Failure('bug', `step ${step.id} names a machine that the fleet does not have`);
  const backend = deps.backends.get(machine.offer.backend);
  if (!backend) throw new Failure('transient', `backend ${machine.offer.backend} is not configured`);
  switch (step.kind) {
    case 'create':
      return backend.create({ tags: tagsOf(deps.owner, state, machine), offer: machine.offer });
    case 'clear':
      await clear(backend, machine, step.of);
      return null;
    case 'terminate':
      if (machine.instance) await backend.terminate(machine.instance);
      return null;
  }
}

async function clear(backend: Backend, { instance: id }: Machine, of?: ProcessOwner): Promise<void> {
  const instance = id ? await backend.get(id) : null;
  if (!instance) return;
  const transport = backend.transport({ ...instance, tags: { ...instance.tags, ...of } });
  await transport.stop();
  await transport.clear?.();
}

function tagsOf(owner: string, { project, fleet }: FleetState, { name, attempt }: Machine): Tags {
  return {
    owner,
    project,
    service: nameAround('fleet', fleet),
    group: '',
    replica: name,
    attempt,
    shape: '',
    deployment: 0,
  };
}

function hasMoved(before: FleetState | null, after: FleetState): boolean {
  const stage = ({ phase, guest }: Machine) => `${phase} ${guest?.replica}`;
  const stages = new Map(before?.machines.map((machine) => [machine.name, stage(machine)]));
  if (stages.size > after.machines.length || (before?.refusals.length ?? 0) < after.refusals.length)
    return true;
  return after.machines.some((machine) => stages.get(machine.name) !== stage(machine));
}

/** Guests whose answer has changed; and when there is something to give that there was not, whoever waits for capacity. */
function woken(
  { waiting }: FleetPassDeps,
  before: FleetState | null,
  after: FleetState | null,
): readonly string[] {
  const { project } = after ?? before ?? { project: '' };
  const changed = answersIn(after).filter(
    (answer) => !answersIn(before).some((old) => isSameValue(old, answer)),
  );
  const left = answersIn(before).filter(
    ({ guest }) => !answersIn(after).some((now) => isGuest(now.guest, guest)),
  );
  const services = new Set([...changed, ...left].map(({ guest }) => `${project}/${guest.service}`));
  const gives = roomText(before) !== roomText(after);
  return [...services, ...(gives ? waiting().filter((key) => !services.has(key)) : [])];
}

function answersIn(state: FleetState | null) {
  const lent = (state?.machines ?? []).flatMap(({ guest, phase, instance }) =>
    guest ? [{ guest, answer: `${phase} ${instance}` }] : [],
  );
  const refused = (state?.refusals ?? []).map(({ service, replica, attempt, message }) => ({
    guest: { service, replica, attempt },
    answer: message,
  }));
  return [...lent, ...refused];
}

function roomText(state: FleetState | null): string {
  const idle = state?.machines
    .filter(({ phase, guest }) => phase === 'ready' && guest === null)
    .map(({ name }) => name);
  return state ? `${state.machines.length} ${idle?.join(',')}` : 'none';
}

/** When the last look was matters only while something is timed. */
function isSame(before: FleetState | null, after: FleetState | null): boolean {
  if (before === null || after === null) return before === after;
  const isTimed = after.waiting.length > 0;
  return isSameValue(before, isTimed ? after : { ...after, observedAt: before.observedAt });
}
