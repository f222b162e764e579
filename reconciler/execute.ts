// Step -> effect: one short function per kind, each safe to repeat.
import type { Backend, ProcessRequest } from '../backends/backend.ts';
import type { Instance, Tags } from '../schemas/actual.ts';
import { Failure } from '../schemas/errors.ts';
import type { Deployment, Replica, ServiceState, Step } from '../schemas/rollout.ts';
import type { ServiceRoute } from '../schemas/routes.ts';
import type { Fleets } from './fleets.ts';
import { deploymentOf } from './plan/deployments.ts';
import type { Volumes } from './volumes.ts';

export interface ExecuteDeps {
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly fleets: Fleets;
  readonly volumes: Volumes;
  readonly publish: (key: string, route: ServiceRoute) => void;
  /** Everything a process needs that is not in the stored spec: resolved values and the trees of its mounts. */
  readonly processOf: (deployment: Deployment, replica: Replica, project: string) => ProcessRequest;
}

/** Carries out one step. Returns the instance where one was created. Throws `Failure`. */
export async function execute(
  deps: ExecuteDeps,
  key: string,
  state: ServiceState,
  step: Step,
): Promise<Instance | null> {
  if (step.kind === 'publish') {
    if (state.route) deps.publish(key, state.route);
    return null;
  }
  const replica = state.replicas.find(({ name }) => name === step.replica);
  if (!replica) throw new Failure('bug', `step ${step.id} names a replica that the state does not have`);
  const backend = deps.backends.get(replica.offer.backend);
  if (!backend) throw new Failure('transient', `backend ${replica.offer.backend} is not configured`);
  const tags = tagsOf(deps.owner, state, replica);
  const { fleet } = replica.offer;
  switch (step.kind) {
    case 'create':
      // What is asked again may have been made the first time.
      if (replica.tries === 0) await deps.volumes.claim(state.service, replica);
      return fleet ? deps.fleets.ask(backend, fleet, tags) : backend.create({ tags, offer: replica.offer });
    case 'run':
      return run(deps, backend, state, replica);
    case 'stop':
      await backend.transport(await instanceOf(deps, backend, state, replica)).stop();
      return null;
    case 'terminate':
      // A machine of a fleet is the fleet's: it takes it back once nothing runs there.
      if (replica.instance && !fleet) await backend.terminate(replica.instance);
      return null;
  }
}

/** What the instance of a replica is tagged with. */
export function tagsOf(
  owner: string,
  state: Pick<ServiceState, 'project' | 'service'>,
  replica: Replica,
): Tags {
  const { group, name, attempt, shape, deployment } = replica;
  const { project, service } = state;
  return { owner, project, service, group, replica: name, attempt, shape, deployment };
}

// Private

async function run(
  deps: ExecuteDeps,
  backend: Backend,
  state: ServiceState,
  replica: Replica,
): Promise<null> {
  const deployment = deploymentOf(state, replica.deployment);
  if (!deployment)
    throw new Failure(
      'bug',
      `${replica.name} names deployment ${replica.deployment}, which the state does not have`,
    );
  const instance = await instanceOf(deps, backend, state, replica);
  await backend.transport(instance).run(deps.processOf(deployment, replica, state.project));
  return null;
}

async function instanceOf(
  { owner, fleets }: ExecuteDeps,
  backend: Backend,
  state: ServiceState,
  replica: Replica,
): Promise<Instance> {
  const { fleet } = replica.offer;
  const { instance: id } = replica;
  const instance = fleet
    ? await fleets.lent(backend, fleet, tagsOf(owner, state, replica))
    : id && (await backend.get(id));
  if (!instance) throw new Failure('not-found', `${replica.name} has no instance`);
  return instance;
}
