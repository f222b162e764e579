// Turns a parsed file into what the store keeps: values resolved, masked and sealed, mounts named by their content.
// Knows no git and no store: everything it needs is passed in.
import { hash } from 'node:crypto';
import type {
  DesiredService,
  FileMount,
  GroupSpec,
  ProbeSpec,
  RolloutPolicy,
  ServiceSpec,
  ServiceValues,
} from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import { revisionOf, shapeOf } from '../../schemas/identity.ts';
import { canonical, type Json, type JsonObject } from '../../schemas/json.ts';
import { onlyRetired } from '../../schemas/retired.ts';
import type { SecretSource, Vault } from '../secrets.ts';
import type { MountId } from './content.ts';
import type { ParsedFile } from './parse.ts';
import { fillIn, type Scope } from './values.ts';

export interface AssembleOptions {
  readonly commit: string;
  readonly policy: RolloutPolicy;
  readonly secrets: SecretSource;
  readonly vault: Vault;
  /** What a mount's source is at the commit. */
  readonly mountId: (path: string) => MountId;
  /** Why no backend can run a group's process, with the fix; null when one can. */
  readonly refusal: (
    group: GroupSpec,
  ) => { readonly message: string; readonly fix: string; readonly path: string } | null;
}

export type Assembled =
  | { readonly ok: true; readonly service: DesiredService }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `file.spec` must be there. All problems at once: missing values, missing mounts, a process no backend can run. */
export function assemble(file: ParsedFile, options: AssembleOptions): Assembled {
  const { spec, sparse } = file;
  if (!spec || !sparse) return { ok: false, problems: file.problems };
  const problems: Problem[] = [];
  const complain = (path: string, message: string, fix: string) => {
    problems.push({ file: file.path, ...file.locate(path), path, message, fix, severity: 'error' });
  };
  const values = resolveValues(spec, options.secrets, complain);
  const groups = spec.groups.map((group) =>
    masked(withMounts(group, options, complain), values, options.vault),
  );
  for (const group of spec.groups) {
    const refusal = options.refusal(group);
    if (refusal) complain(refusal.path, refusal.message, refusal.fix);
  }
  const retired = onlyRetired(spec.groups[0]?.placement.backends ?? null);
  if (retired) complain('backends', retired.message, retired.fix);
  if (problems.length > 0) return { ok: false, problems };
  const { vault, commit, policy } = options;
  const shapes = Object.fromEntries(groups.map((group) => [group.name, shapeOf(group)]));
  const stored: ServiceSpec = {
    ...spec,
    policy,
    groups,
    probes: spec.probes.map((probe, i) => maskProbe(probe, values.probes[i] ?? probe, vault)),
  };
  const configuration = maskConfiguration(sparse, vault);
  const digest = shortHash(
    canonical([file.bytesDigest, sparse, policy, shapes, vault.mask(canonical(values))]),
  );
  return {
    ok: true,
    service: {
      name: spec.name,
      file: file.path,
      commit,
      configuration,
      revision: revisionOf(sparse),
      shapes,
      digest,
      spec: stored,
      sealed: vault.seal(values),
    },
  };
}

// Private

type Complain = (path: string, message: string, fix: string) => void;

function resolveValues(spec: ServiceSpec, given: SecretSource, complain: Complain): ServiceValues {
  const used = new Set<string>();
  const secrets: SecretSource = (name) => {
    const value = given(name);
    if (value !== null) used.add(value);
    return value;
  };
  const env: Record<string, Record<string, string>> = {};
  const registryPassword: Record<string, string> = {};
  for (const { name, process } of spec.groups) {
    const values: Record<string, string> = {};
    for (const [variable, text] of Object.entries(process.env)) {
      const value = text === null ? secrets(variable) : fill(text, { secrets }, `env.${variable}`, complain);
      if (value === null) complain(`env.${variable}`, ...missing(variable));
      values[variable] = value ?? '';
    }
    env[name] = values;
    const { registryAuth } = process;
    const scope = { secrets, env: (variable: string) => values[variable] ?? null };
    if (registryAuth)
      registryPassword[name] = fill(registryAuth.password, scope, 'registry_auth.password', complain);
  }
  const first = env[spec.groups[0]?.name ?? ''] ?? {};
  const scope = { secrets, env: (variable: string) => first[variable] ?? null };
  const probes = spec.probes.map((probe, i) => {
    const at = `probes[${i}]`;
    return {
      ...probe,
      url: fill(probe.url, scope, `${at}.url`, complain),
      body: probe.body === null ? null : fill(probe.body, scope, `${at}.body`, complain),
      headers: probe.headers.map(({ name, value }, h) => ({
        name,
        value: fill(value, scope, `${at}.headers[${h}].value`, complain),
      })),
    };
  });
  return { env, registryPassword, probes, secrets: [...used] };
}

function fill(text: string, scope: Scope, path: string, complain: Complain): string {
  const filled = fillIn(text, scope);
  for (const { message, fix } of filled.mistakes) complain(path, message, fix);
  return filled.text;
}

function missing(name: string): [string, string] {
  return [
    `${name} has no value here, and the server has no secret of that name`,
    `Give it one in the server's configuration, \`secrets: { ${name}: env:${name} }\`, or write a value in the file.`,
  ];
}

function withMounts(group: GroupSpec, { mountId }: AssembleOptions, complain: Complain): GroupSpec {
  const find = (mount: FileMount, path: string): FileMount => {
    const id = mountId(mount.source);
    if (typeof id === 'string') return { ...mount, hash: id };
    const { message, fix } = id ?? notThere(mount.source);
    complain(path, message, fix);
    return mount;
  };
  const files = group.process.files.map((mount, i) => find(mount, `files[${i}]`));
  const repos = group.process.repos.map((mount, i) => find(mount, `repos[${i}]`));
  return { ...group, process: { ...group.process, files, repos } };
}

function notThere(path: string): { message: string; fix: string } {
  const message = `there is no '${path}' in the repository`;
  return { message, fix: 'add and commit it, or correct the path' };
}

function masked(group: GroupSpec, values: ServiceValues, vault: Vault): GroupSpec {
  const { process } = group;
  const env = Object.fromEntries(
    Object.entries(values.env[group.name] ?? {}).map(([name, value]) => [name, vault.mask(value)]),
  );
  const password = values.registryPassword[group.name];
  const registryAuth = process.registryAuth && {
    ...process.registryAuth,
    password: vault.mask(password ?? ''),
  };
  return { ...group, process: { ...process, env, registryAuth } };
}

/** Headers hold tokens: masked by their resolved value, so that a rotated one shows. Path and body stay as written. */
function maskProbe(written: ProbeSpec, resolved: ProbeSpec, vault: Vault): ProbeSpec {
  return {
    ...written,
    headers: resolved.headers.map(({ name, value }) => ({ name, value: vault.mask(value) })),
  };
}

/** The configuration as plans show it: the same members, with every value that could be secret masked. */
function maskConfiguration(sparse: JsonObject, vault: Vault): JsonObject {
  const mask = (value: Json | undefined): Json =>
    typeof value === 'string' ? vault.mask(value) : (value ?? null);
  const { env, registry_auth: auth, probes } = sparse;
  return {
    ...sparse,
    ...(isObject(env) ? { env: mapValues(env, mask) } : {}),
    ...(isObject(auth) ? { registry_auth: { ...auth, password: mask(auth.password) } } : {}),
    ...(Array.isArray(probes) ? { probes: probes.map((probe: Json) => maskHeaders(probe, mask)) } : {}),
  };
}

function maskHeaders(probe: Json, mask: (value: Json | undefined) => Json): Json {
  if (!isObject(probe) || !Array.isArray(probe.headers)) return probe;
  const headers = probe.headers.map((header: Json) =>
    isObject(header) ? { ...header, value: mask(header.value) } : header,
  );
  return { ...probe, headers };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapValues(object: JsonObject, map: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}

function shortHash(text: string): string {
  return hash('sha256', text).slice(0, 16);
}
