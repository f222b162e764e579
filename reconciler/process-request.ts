// Everything a replica's process needs that its stored spec does not hold: opened values, the variables every replica
// gets, and the trees of its mounts.
import type { ProcessRequest } from '../backends/backend.ts';
import type { FileMount } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import type { Deployment, Replica } from '../schemas/rollout.ts';
import { groupOf } from './plan/deployments.ts';
import type { Vault } from './secrets.ts';
import type { Source } from './source/git.ts';

/** Shorter values are too common in ordinary text to be taken out of logs. */
const LEAST_SECRET = 4;
/** Names under which people write secrets into a file although they should not. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|PRIVATE|DSN|_URL$/i;

export function processRequest(
  vault: Vault,
  source: Source,
  deployment: Deployment,
  replica: Replica,
  project: string,
): ProcessRequest {
  const group = groupOf(deployment, replica.group);
  if (!group) throw new Failure('bug', `deployment ${deployment.number} has no group ${replica.group}`);
  const values = vault.open(deployment.sealed);
  const env = values.env[replica.group] ?? {};
  const password = values.registryPassword[replica.group] ?? null;
  const mount = ({ source: path, target }: FileMount) => ({
    target,
    files: source.mount(deployment.commit, path),
  });
  return {
    spec: group.process,
    env: { ...env, ...environment(deployment, replica, project, source) },
    registryPassword: password,
    stopMs: deployment.spec.stopMs,
    mounts: [...group.process.files, ...group.process.repos].map(mount),
    secrets: secretsOf(env, [...(values.secrets ?? []), password ?? '']),
  };
}

// Private

/** Everything that came from the server's secrets, and what the file itself gives a name that sounds like one. */
function secretsOf(env: { readonly [name: string]: string }, known: readonly string[]): string[] {
  const written = Object.entries(env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
  return [...new Set([...known, ...written])].filter((value) => value.length >= LEAST_SECRET);
}

/** The variables of the reference that a service can rely on (services.md 1.5), and its prefix below the proxy. */
function environment(
  deployment: Deployment,
  replica: Replica,
  project: string,
  source: Source,
): Record<string, string> {
  const { name } = deployment.spec;
  return {
    DSTACK_RUN_NAME: name,
    DSTACK_REPO_ID: source.description,
    DSTACK_GPUS_NUM: String(replica.offer.resources.gpus.length),
    DSTACK_SERVICE_PREFIX: `/proxy/services/${project}/${name}`,
    DSTACK_REPLICA_NUM: String(replica.number),
  };
}
