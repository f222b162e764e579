// What the fields of a service ask of each other. Runs over whatever could be read, so that all is said at once.
import type { Say } from './fields.ts';
import { groupsOf } from './groups.ts';
import { canonical } from './json.ts';
import { alternatives, shown } from './problems.ts';
import { prune } from './prune.ts';
import { serviceReferenceRules } from './references.ts';
import { imageSourceRules, machineRules, repoRules } from './run.ts';
import type { Group, Service } from './service.ts';

const MAX_PROBES = 10;

/** Each replica takes a little time and memory in every decision, and a slip of the keyboard asks for a billion. */
const MAX_REPLICAS = 10_000;

export function serviceRules(service: Partial<Service>, say: Say): void {
  imageSourceRules(service, say);
  repoRules(service.repos, say);
  probeRules(service.probes, say);
  rateLimitRules(service.rate_limits, say);
  serviceReferenceRules(service, say);
  const groups = groupsOf(service);
  replicaLimit(service, groups, say);
  profileRules(service, say);
  if (groups === null) singleRules(service, say);
  else groupRules(service, groups, say);
}

/** What fields that a profile may give ask of the rest: told of a service with and without its profile. */
export function profileRules(service: Partial<Service>, say: Say): void {
  const groups = groupsOf(service);
  const key = service.groups ? 'groups' : 'replicas';
  const counts =
    groups?.map(({ count }) => count) ?? (Array.isArray(service.replicas) ? [] : [service.replicas]);
  if (service.schedule && counts.length > 0 && counts.every((count) => count?.min === 0)) {
    const message = '`schedule` starts the least number of replicas, and that is 0';
    say([key], message, 'Write for example `1..4`, or remove the schedule, here or in the profile.');
  }
  const router = groups?.findIndex((group) => group.router?.type === 'dynamo') ?? -1;
  if (service.retry != null && router >= 0) {
    const message = '`retry` cannot be combined with a Dynamo router, whose address must stay';
    say([key, router, 'router'], message, 'Remove `retry`, here and in the profile.');
  }
}

// Private

function singleRules(service: Partial<Service>, say: Say): void {
  if (service.commands?.length === 0 && !service.image) {
    say([], 'a service needs `commands` or `image`', 'Add what is to be run.');
  }
  const { replicas } = service;
  if (replicas && !Array.isArray(replicas)) scalingRules(replicas, service.scaling, [], say);
  machineRules(service, say);
}

function replicaLimit(service: Partial<Service>, groups: readonly Group[] | null, say: Say): void {
  const single = Array.isArray(service.replicas) ? [] : [service.replicas];
  const counts = groups?.map(({ count }) => count) ?? single;
  const most = counts.reduce((total, count) => total + (count?.max ?? 0), 0);
  if (most <= MAX_REPLICAS) return;
  const message = `this asks for ${most} replicas; at most ${MAX_REPLICAS} of a service are possible`;
  say([service.groups ? 'groups' : 'replicas'], message, 'Write fewer.');
}

function scalingRules(
  count: { readonly min?: number | null | undefined; readonly max?: number | null | undefined } | undefined,
  scaling: unknown,
  path: readonly (string | number)[],
  say: Say,
): void {
  if (count?.min == null || count.max == null || count.min > count.max) return;
  const at = [...path, 'replicas'];
  if (count.min !== count.max && !scaling) {
    say(at, 'a range of replicas needs `scaling`', 'Add `scaling` with `metric: rps` and a `target`.');
  }
  if (count.min === count.max && scaling) {
    say(
      [...path, 'scaling'],
      '`scaling` needs a range of replicas',
      `Write for example \`replicas: ${count.min}..${count.max + 1}\`.`,
    );
  }
}

function groupRules(service: Partial<Service>, groups: readonly Group[], say: Say): void {
  const key = service.groups ? 'groups' : 'replicas';
  if (service.groups && service.replicas)
    say(['replicas'], '`replicas` and `groups` exclude each other', 'Remove one of the two.');
  if (groups.length === 0) say([key], `\`${key}\` is an empty list`, 'Describe a group, or remove the line.');
  if (service.scaling) say(['scaling'], '`scaling` does not belong beside groups', 'Move it into the group.');
  if (service.commands?.length)
    say(['commands'], '`commands` do not belong beside groups', 'Move them into the group.');
  nameRules(groups, key, say);
  routerRules(groups, key, say);
  levelRules(service, groups, say);
  for (const [index, group] of groups.entries()) {
    const path = [key, index];
    const sayHere: Say = (inside, message, fix) => say([...path, ...inside], message, fix);
    scalingRules(group.count, group.scaling, path, say);
    imageSourceRules(group, sayHere);
    if (group.docker && group.privileged === false) {
      sayHere(['privileged'], '`docker: true` needs a privileged container', 'Remove `privileged: false`.');
    }
    if (group.commands?.length === 0 && group.image == null && service.image == null) {
      sayHere(
        [],
        `the group ${shown(group.name ?? '')} needs \`commands\` or \`image\``,
        'Add what is to be run.',
      );
    }
    const docker = group.docker ?? service.docker;
    machineRules({ resources: group.resources, image: group.image ?? service.image, docker }, sayHere);
  }
}

function nameRules(groups: readonly Group[], key: string, say: Say): void {
  const seen = new Set<string>();
  for (const [index, group] of groups.entries()) {
    const name = group.name ?? '';
    if (seen.has(name))
      say([key, index], `two groups are called ${shown(name)}`, 'Give each a name of its own.');
    seen.add(name);
  }
}

function routerRules(groups: readonly Group[], key: string, say: Say): void {
  let found = false;
  for (const [index, { router, count }] of groups.entries()) {
    if (!router) continue;
    if (found) say([key, index, 'router'], 'only one group can be the router', 'Remove one `router`.');
    found = true;
    if (count && (count.min !== 1 || count.max !== 1)) {
      say([key, index], 'a router has exactly one replica', 'Write `replicas: 1`.');
    }
  }
}

const LEVEL_FIELDS = [
  'image',
  'docker',
  'privileged',
  'python',
  'nvcc',
  'spot_policy',
  'reservation',
] as const;
type LevelField = (typeof LEVEL_FIELDS)[number];

/** Which fields of a group exclude a field of the service. */
const CONFLICTS: { readonly [field in LevelField]: readonly LevelField[] } = {
  image: ['image', 'docker', 'python', 'nvcc'],
  docker: ['docker', 'image', 'python', 'nvcc'],
  privileged: ['privileged'],
  python: ['python', 'image', 'docker'],
  nvcc: ['nvcc', 'image', 'docker'],
  spot_policy: ['spot_policy'],
  reservation: ['reservation'],
};

function levelRules(service: Partial<Service>, groups: readonly Group[], say: Say): void {
  for (const field of LEVEL_FIELDS) {
    if (service[field] == null || service[field] === false) continue;
    for (const other of CONFLICTS[field]) {
      const names = groups.filter((group) => group[other] != null).map(({ name }) => name ?? '');
      if (names.length === 0) continue;
      const where = `in ${names.length === 1 ? 'the group' : 'the groups'} ${alternatives(names).replace(' or ', ' and ')}`;
      const message =
        other === field
          ? `\`${field}\` is set both for the service and ${where}`
          : `\`${field}\` of the service excludes \`${other}\` ${where}`;
      say([field], message, 'Set it in one place only.');
    }
  }
}

function probeRules(probes: Service['probes'], say: Say): void {
  if (!probes) return;
  if (probes.length > MAX_PROBES) {
    say(['probes'], `there are ${probes.length} probes; at most ${MAX_PROBES} are possible`, 'Remove some.');
  }
  const seen = new Set<string>();
  for (const [index, probe] of probes.entries()) {
    const text = canonical(prune(probe));
    if (probe !== undefined && seen.has(text))
      say(['probes', index], 'this probe is there twice', 'Remove one of the two.');
    seen.add(text);
  }
}

function rateLimitRules(limits: Service['rate_limits'] | undefined, say: Say): void {
  const seen = new Set<string>();
  for (const [index, limit] of (limits ?? []).entries()) {
    const prefix = limit?.prefix ?? '/';
    if (seen.has(prefix)) {
      say(['rate_limits', index], `${shown(prefix)} has two limits`, 'Remove one of the two.');
    }
    seen.add(prefix);
  }
}
