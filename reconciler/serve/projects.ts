// The projects of a daemon: each with its source and the backends it may use.
import { join } from 'node:path';
import type { Backend } from '../../backends/backend.ts';
import { askMarket } from '../../backends/catalog/market.ts';
import type { Placement } from '../../schemas/desired.ts';
import type { Market } from '../../schemas/offer.ts';
import type { ProjectConfig } from '../config.ts';
import type { AssembleOptions } from '../source/assemble.ts';
import { type MountId, readMountIds } from '../source/content.ts';
import { openSource, type Source } from '../source/git.ts';
import type { Lasting } from '../supply.ts';

export interface Project {
  readonly config: ProjectConfig;
  readonly source: Source;
  readonly backends: ReadonlyMap<string, Backend>;
}

/** Opens a project without contacting its repository. */
export async function openProject(config: ProjectConfig, dataDir: string, local: Backend): Promise<Project> {
  const source = await openSource({
    repo: config.repo.kind === 'local' ? config.repo.path : config.repo.url,
    dir: join(dataDir, 'git', config.name),
    ...(config.branch === null ? {} : { branch: config.branch }),
    ...(config.path === '.' ? {} : { path: config.path }),
    ...(config.gitToken === null ? {} : { token: config.gitToken }),
  });
  return { config, source, backends: new Map(config.local ? [[local.name, local]] : []) };
}

/** A process that every backend refuses is a problem of its file; the first backend's reason is given. */
export function refusalOf(backends: ReadonlyMap<string, Backend>): AssembleOptions['refusal'] {
  return ({ process }) => {
    if (backends.size === 0) {
      return {
        path: '',
        message: 'this project has no backend to run it',
        fix: 'start with --backend local, or configure one',
      };
    }
    const refusals = [...backends.values()].map((backend) => backend.refuses(process));
    const [first] = refusals;
    const path = process.image === null ? 'commands' : 'image';
    return first && refusals.every((refusal) => refusal !== null) ? { path, ...first } : null;
  };
}

/** What all backends of a project would sell now. One that does not answer in time is named and left out. */
export function marketOf({ backends }: Project, placement: Placement): Promise<Market> {
  return askMarket(backends.values(), placement);
}

export function lastingOf({ backends }: Project): Lasting {
  return { lasts: (name) => backends.get(name)?.capabilities.machines === true };
}

/** Git's names of what paths hold in the newest commit. */
export async function mountIds(
  { source }: Project,
  paths: readonly string[],
): Promise<ReadonlyMap<string, MountId>> {
  const { commit } = await source.fetch();
  return readMountIds(source, commit, paths);
}
