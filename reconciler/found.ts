// Instances that bear our tags, for services that the store does not know: a lost database is rebuilt from them.
import type { Backend } from '../backends/backend.ts';
import type { Instance } from '../schemas/actual.ts';
import type { Clock } from './clock.ts';

export interface FinderOptions {
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly clock: Clock;
}

/** What runs of a service, by the tags on it; null while some backend cannot tell. */
export type Finder = (key: string) => Promise<readonly Instance[] | null>;

/** Many new services are looked for at once. Nothing is made for one before it was looked for, so an older list will do. */
const FRESH_MS = 5_000;

export function createFinder({ owner, backends, clock }: FinderOptions): Finder {
  let last: { at: number; byKey: Promise<Map<string, Instance[]> | null> } | null = null;

  async function listAll(): Promise<Map<string, Instance[]> | null> {
    try {
      const lists = await Promise.all([...backends.values()].map((backend) => backend.list(owner)));
      return Map.groupBy(lists.flat(), ({ tags }) => `${tags.project}/${tags.service}`);
    } catch {
      last = null;
      return null;
    }
  }

  return async (key) => {
    if (last === null || clock.now() - last.at > FRESH_MS) last = { at: clock.now(), byKey: listAll() };
    const byKey = await last.byKey;
    return byKey && (byKey.get(key) ?? []);
  };
}
