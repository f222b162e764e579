// What a daemon stands on: its data dir, keys and tokens, the store, the backends, the projects.
import { join } from 'node:path';
import type { Backend } from '../../backends/backend.ts';
import { openLocal } from '../../backends/local/local.ts';
import type { ServerConfig } from '../config.ts';
import type { DataDir } from '../data-dir.ts';
import { createLogin, type Login } from '../oidc.ts';
import { createVault, loadKey, type Vault } from '../secrets.ts';
import type { Store } from '../store/store.ts';
import { loadTokens, type OwnTokens, type TokenEntry } from '../tokens.ts';
import type { Closing } from './closing.ts';
import { openProject, type Project } from './projects.ts';

export interface Ground {
  readonly config: ServerConfig;
  readonly dataDir: DataDir;
  readonly store: Store;
  readonly vault: Vault;
  readonly own: OwnTokens;
  readonly tokens: readonly TokenEntry[];
  /** null: no issuer's tokens let anybody in. */
  readonly login: Login | null;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly projects: ReadonlyMap<string, Project>;
}

export async function openGround(
  config: ServerConfig,
  dataDir: DataDir,
  env: NodeJS.ProcessEnv,
  closing: Closing,
): Promise<Ground> {
  const own = await loadTokens(dataDir.path, env);
  const key = loadKey(dataDir.path, env);
  const vault = createVault(key);
  const store = await openStore(config, dataDir);
  closing.add(() => store.close());
  const local = await openLocalBackend(config, dataDir);
  closing.add(() => local.close());
  const projects = new Map<string, Project>();
  for (const project of config.projects) {
    const opened = await openProject(project, dataDir.path, local);
    closing.add(() => opened.source.close());
    projects.set(project.name, opened);
  }
  const tokens = [...own.entries, ...config.tokens];
  const backends = new Map([[local.name, local]]);
  const login = loginOf(config, key);
  return { config, dataDir, store, vault, own, tokens, login, backends, projects };
}

export function openLocalBackend({ local }: ServerConfig, { path, machine }: DataDir): Promise<Backend> {
  return openLocal({ dir: join(path, 'replicas'), machine, ...local });
}

// Private

function loginOf({ oidc }: ServerConfig, installationKey: Buffer): Login | null {
  return oidc.length > 0 ? createLogin({ rules: oidc, installationKey, now: Date.now }) : null;
}

async function openStore({ databaseUrl }: ServerConfig, { path }: DataDir): Promise<Store> {
  if (databaseUrl) return (await import('../store/postgres.ts')).openPostgres(databaseUrl);
  return (await import('../store/pglite.ts')).openPglite(join(path, 'db'));
}
