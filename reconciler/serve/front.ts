// What people and programs ask: the HTTP API on its unix socket, and the file that tells commands nearby where it is.
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { UrlOf } from '../api/read.ts';
import { createApi, type Webhook } from '../api.ts';
import { writeAddress } from '../cli/address.ts';
import { createPlanner } from '../planner.ts';
import { replicaLogs } from '../replica-logs.ts';
import { createWebhook } from '../webhook.ts';
import type { Closing } from './closing.ts';
import type { Engine } from './engine.ts';
import type { Ground } from './ground.ts';
import { lastingOf, marketOf, mountIds, type Project, refusalOf } from './projects.ts';

export async function openFront(
  ground: Ground,
  engine: Engine,
  log: (line: string) => void,
  closing: Closing,
): Promise<UrlOf> {
  const { store, projects, tokens, login, config, dataDir, own } = ground;
  const { loop, fleet, apiSocket, reporters, trouble } = engine;
  const urlOf: UrlOf = (project, service) => `${fleet.url}/proxy/services/${project}/${service}/`;
  const hooks = webhooks(projects, (name) => loop.wake(name));
  const applyOf = (name: string) => projectNamed(projects, name).config.apply;
  const api = createApi({
    store,
    tokens,
    login,
    projects: [...projects.keys()],
    page: config.page,
    unready: trouble,
    urlOf,
    logs: (request) => replicaLogs(ground, request),
    plan: createPlanner({
      store,
      wanted: (name) => wantedOptions(ground, projectNamed(projects, name)),
      market: (name, placement) => marketOf(projectNamed(projects, name), placement),
      lastingOf: (name) => lastingOf(projectNamed(projects, name)),
      applyOf,
    }),
    applyOf,
    patienceMs: PATIENCE_MS,
    reporting: (name) => reporters.get(name)?.health() ?? null,
    webhook: (name) => hooks.get(name) ?? null,
    report: (error) => log(`error: ${error.stack ?? error.message}`),
  });
  await listenOn(apiSocket, getRequestListener(api.fetch), closing);
  writeAddress(dataDir.path, { url: fleet.url, token: own.admin });
  return urlOf;
}

// Private

/** A merge is usually read within a second or two; a job that applies it is better held than sent away. */
const PATIENCE_MS = 20_000;

function projectNamed(projects: ReadonlyMap<string, Project>, name: string): Project {
  const project = projects.get(name);
  if (!project) throw new Error(`project ${name} is not configured`);
  return project;
}

function wantedOptions({ vault }: Ground, project: Project) {
  return {
    root: project.source.path(),
    secrets: project.config.secrets,
    vault,
    refusal: refusalOf(project.backends),
    mountIds: (paths: readonly string[]) => mountIds(project, paths),
  };
}

function webhooks(
  projects: ReadonlyMap<string, Project>,
  wake: (project: string) => void,
): Map<string, Webhook> {
  const hooks = new Map<string, Webhook>();
  for (const [name, { config, source }] of projects) {
    const secret = config.webhookSecret;
    if (secret !== null)
      hooks.set(name, createWebhook({ secret, branch: source.branch, wake: () => wake(name) }));
  }
  return hooks;
}

async function listenOn(
  socket: string,
  listener: Parameters<typeof createServer>[1],
  closing: Closing,
): Promise<void> {
  await rm(socket, { force: true });
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  closing.add(() => {
    server.close();
    server.closeAllConnections();
  });
}
