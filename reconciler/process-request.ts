// Everything a replica's process needs that its stored spec does not hold: opened values, the variables every replica
// gets, and the trees of its mounts.
import type { ProcessRequest } from '../backends/backend.ts';
import type { FileMount, ProbeSpec } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import type { Deployment, Replica } from '../schemas/rollout.ts';
import { groupOf } from './plan/deployments.ts';
import type { Vault } from './secrets.ts';
import type { Source } from './source/git.ts';

/** Shorter values are too common in ordinary text to be taken out of logs. */
const LEAST_SECRET = 4;
/** Names under which people write secrets into a file although they should not. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|PRIVATE|COOKIE|DSN|_URL$/i;

/** Of a source: what its commits hold. */
type Contents = Pick<Source, 'description' | 'mount'>;

export function processRequest(
  vault: Vault,
  source: Contents,
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
    replica: ownerOf(deployment, replica),
    spec: group.process,
    env: { ...env, ...environment(deployment, replica, project, source) },
    registryPassword: password,
    ...(replica.offer.mounted && { volumes: replica.offer.mounted }),
    stopMs: deployment.spec.stopMs,
    mounts: [...group.process.files, ...group.process.repos].map(mount),
    secrets: secretsOf([...(values.secrets ?? []), password ?? ''], env, values.probes),
  };
}

/** Whose process it is. */
export function ownerOf(
  { spec, number }: Pick<Deployment, 'spec' | 'number'>,
  { name, group, attempt, shape }: Replica,
): ProcessRequest['replica'] {
  return { service: spec.name, group, replica: name, attempt, shape, deployment: number };
}

// Private

/** Everything that came from the server's secrets, and what the file itself gives a name that sounds like one. */
function secretsOf(
  known: readonly string[],
  env: { readonly [name: string]: string },
  probes: readonly ProbeSpec[],
): string[] {
  const variables = Object.entries(env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
  const headers = probes.flatMap((probe) => probe.headers).filter(({ name }) => SECRET_NAME.test(name));
  // Of `Bearer X`, what reads it mostly tells of X alone.
  const credentials = headers.flatMap(({ value }) => [value, value.slice(value.lastIndexOf(' ') + 1)]);
  const all = new Set([...known, ...variables, ...credentials]);
  return [...all].filter((value) => value.length >= LEAST_SECRET);
}

/** The variables of the reference that a service can rely on (services.md 1.5), and its prefix below the proxy. */
function environment(
  deployment: Deployment,
  replica: Replica,
  project: string,
  source: Contents,
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
