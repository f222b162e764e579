// What a service that is called otherwise now sees of its new name: that one's record, which nobody else writes.
import type { SuccessorFact } from '../schemas/actual.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { successorOf } from './plan/successor.ts';
import type { Store } from './store/store.ts';

export interface SuccessorsOptions {
  readonly project: string;
  readonly store: Pick<Store, 'load'>;
  /** The newest route version of a service that every living proxy has; -1 when none has. */
  readonly published: (key: string) => number;
}

/** null: it is called what it was, or its new name has not begun yet. */
export type Successors = (
  desired: DesiredRecord | null,
  state: ServiceState | null,
) => Promise<SuccessorFact | null>;

export function createSuccessors({ project, store, published }: SuccessorsOptions): Successors {
  const keyOf = (name: string) => `${project}/${name}`;
  const stateOf = async (name: string): Promise<ServiceState[]> => {
    const record = await store.load(keyOf(name));
    return record?.state ? [record.state as ServiceState] : [];
  };
  return async (desired, state) => {
    const name = desired?.renamedTo;
    if (name === undefined || !state) return null;
    const record = await store.load(keyOf(name));
    const next = record?.state as ServiceState | null | undefined;
    if (!next) return null;
    const names = (record?.desired as DesiredRecord | null)?.renamedFrom ?? [state.service];
    const former = await Promise.all(
      names.map((each) => (each === state.service ? Promise.resolve([state]) : stateOf(each))),
    );
    return successorOf(state, next, former.flat(), published(keyOf(name)) >= (next.route?.version ?? 0));
  };
}
