// Finds instances of ours that no service knows, and ends them: what a lost or restored database leaves behind.
// Everything else is a service's own business. Foreign instances are never touched: only our owner tag counts.
import type { Backend } from '../backends/backend.ts';
import type { Tags } from '../schemas/actual.ts';
import { asFailure } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import type { FleetState } from '../schemas/fleet.ts';
import { aroundOf } from '../schemas/keys.ts';
import type { ProjectState } from '../schemas/project.ts';
import type { Replica, ServiceState } from '../schemas/rollout.ts';
import type { Store } from './store/store.ts';

export interface SweepDeps {
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly store: Pick<Store, 'load' | 'appendEvents'>;
  readonly projects: readonly string[];
}

/** One look at every backend. What cannot be reached is left for the next. */
export async function sweep(deps: SweepDeps): Promise<void> {
  for (const backend of deps.backends.values()) {
    const instances = await backend.list(deps.owner).catch(() => []);
    for (const { id, tags } of instances) {
      // Read after the list, so that a replica whose intent was recorded before its instance appeared is known.
      if (deps.projects.includes(tags.project) && !(await isKnown(deps, tags)))
        await remove(deps, backend, id, tags);
    }
  }
}

// Private

/** A service that has no record yet takes up what runs of it by itself; which services there are, the first commit tells. */
async function isKnown({ store }: SweepDeps, tags: Tags): Promise<boolean> {
  const record = await store.load(`${tags.project}/${tags.service}`);
  const state = record?.state;
  if (!state && record?.desired) return true;
  if (!record && !(await hasRead(store, tags.project))) return true;
  return instancesIn(tags.service, state).some(
    ({ name, attempt }) => name === tags.replica && attempt === tags.attempt,
  );
}

/** What a record has instances for: a service its replicas, a fleet its machines. */
function instancesIn(name: string, state: unknown): readonly Pick<Replica, 'name' | 'attempt'>[] {
  if (!state) return [];
  return aroundOf(name) ? (state as FleetState).machines : (state as ServiceState).replicas;
}

async function hasRead(store: SweepDeps['store'], project: string): Promise<boolean> {
  const state = (await store.load(project))?.state as ProjectState | null | undefined;
  return state?.commit != null;
}

async function remove({ store }: SweepDeps, backend: Backend, id: string, tags: Tags): Promise<void> {
  const event: NewEvent = {
    service: tags.service,
    event: 'orphan-removed',
    reason: `${tags.replica} on ${backend.name} belongs to no service that is known here; it is ended`,
    replica: tags.replica,
    group: tags.group,
    backend: backend.name,
  };
  try {
    await backend.terminate(id);
    await store.appendEvents(tags.project, [event]);
  } catch (error) {
    if (asFailure(error).kind === 'bug') throw error;
  }
}
