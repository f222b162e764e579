// Which `${{ ... }}` may stand where in a run, and whether what it names is there.
import type { Say } from './fields.ts';
import type { Env } from './grammar/env.ts';
import { NODE_ADDRESS, REPLICA_ADDRESS, references } from './grammar/interpolation.ts';
import type { VolumeMount } from './grammar/mounts.ts';
import { groupsOf } from './groups.ts';
import type { Service } from './service.ts';

/** Answers null when a name may stand there, else what is wrong and what to do. */
type Judge = (name: string) => readonly [message: string, fix: string] | null;

/** Where any run may refer to something. */
export interface ReferringRun {
  readonly env?: Env | undefined;
  readonly registry_auth?: { readonly username: string; readonly password: string } | null | undefined;
  readonly volumes?: readonly VolumeMount[] | undefined;
}

export function runReferenceRules(run: ReferringRun, say: Say): void {
  for (const [name, value] of Object.entries(run.env ?? {})) {
    if (typeof value === 'string') check(value, ['env', name], inEnv, say);
  }
  const inText = besideEnv(run.env ?? {});
  check(run.registry_auth?.username, ['registry_auth', 'username'], inText, say);
  check(run.registry_auth?.password, ['registry_auth', 'password'], inText, say);
  volumeReferences(run.volumes ?? [], say);
}

export function serviceReferenceRules(service: Partial<Service>, say: Say): void {
  runReferenceRules(service, say);
  const inText = besideEnv(service.env ?? {});
  for (const [index, probe] of (service.probes ?? []).entries()) {
    const path = ['probes', index];
    check(probe?.url, [...path, 'url'], inText, say);
    check(probe?.body, [...path, 'body'], inText, say);
    for (const [header, given] of (probe?.headers ?? []).entries()) {
      check(given?.value, [...path, 'headers', header, 'value'], inText, say);
    }
  }
  const groups = groupsOf(service);
  const counts = (groups ?? [{ count: service.replicas ?? { min: 1 } }]).map(({ count }) => minOf(count));
  const key = service.groups ? 'groups' : 'replicas';
  commandReferences(service.commands, groups ?? [], key, inCommands(REPLICA_ADDRESS, counts), say);
}

interface ReferringTask extends ReferringRun {
  readonly commands?: readonly string[] | undefined;
  readonly nodes?: number | null | undefined;
  readonly groups?: readonly Group[] | null | undefined;
}

interface Group {
  readonly nodes?: number | undefined;
  readonly commands?: readonly string[] | undefined;
}

export function taskReferenceRules(task: ReferringTask, say: Say): void {
  runReferenceRules(task, say);
  const counts = (task.groups ?? [{ nodes: task.nodes ?? 1 }]).map((group) => group?.nodes ?? 0);
  commandReferences(task.commands, task.groups ?? [], 'groups', inCommands(NODE_ADDRESS, counts), say);
}

// Private

function check(text: string | null | undefined, path: (string | number)[], judge: Judge, say: Say): void {
  if (!text?.includes('${{')) return;
  const found = references(text);
  for (const { message, fix } of found.mistakes) say(path, message, fix);
  for (const name of found.names) {
    const mistake = judge(name);
    if (mistake !== null) say(path, ...mistake);
  }
}

const namespaceOf = (name: string): string => /^\w*/.exec(name)?.[0] ?? '';

const inEnv: Judge = (name) =>
  namespaceOf(name) === 'secrets'
    ? null
    : [`\`\${{ ${name} }}\` cannot be used in \`env\``, 'Only `secrets` can.'];

function besideEnv(env: Env): Judge {
  return (name) => {
    const variable = /^env\.(\w+)$/.exec(name)?.[1];
    if (namespaceOf(name) === 'secrets') return null;
    if (variable === undefined) {
      return [`\`\${{ ${name} }}\` cannot be used here`, 'Only `env` and `secrets` can.'];
    }
    if (Object.hasOwn(env, variable)) return null;
    return [`\`env\` has no variable \`${variable}\``, `Add \`${variable}\` to \`env\`.`];
  };
}

function commandReferences(
  commands: readonly string[] | undefined,
  groups: readonly Group[],
  key: string,
  judge: Judge,
  say: Say,
): void {
  checkAll(commands, ['commands']);
  for (const [index, group] of groups.entries()) checkAll(group?.commands, [key, index, 'commands']);

  function checkAll(items: readonly string[] | undefined, path: (string | number)[]): void {
    for (const [index, command] of (items ?? []).entries()) check(command, [...path, index], judge, say);
  }
}

function minOf(count: unknown): number {
  return count !== null && typeof count === 'object' && 'min' in count ? Number(count.min ?? 0) : 0;
}

/** `counts` of the replicas (or nodes) that each group has in any case. */
function inCommands(address: RegExp, counts: readonly number[]): Judge {
  return (name) => {
    if (namespaceOf(name) === 'secrets' || name === 'run.args') return null;
    const [, group, replica] = address.exec(name) ?? [];
    if (group === undefined) {
      return [`\`\${{ ${name} }}\` cannot be used in commands`, 'Use a variable of `env`: `$NAME`.'];
    }
    const count = counts[Number(group)];
    if (count !== undefined && Number(replica) < count) return null;
    const fix = 'Use a group that is there, and a replica below its least number of replicas.';
    return [`\`\${{ ${name} }}\` names a replica that need not be there`, fix];
  };
}

const inVolumeName: Judge = (name) =>
  name === 'dstack.job_num' || name === 'dstack.node_rank'
    ? null
    : [
        `\`\${{ ${name} }}\` cannot be used in a volume's name`,
        'Only `dstack.job_num` and `dstack.node_rank` can.',
      ];

function volumeReferences(volumes: readonly VolumeMount[], say: Say): void {
  for (const [index, volume] of volumes.entries()) {
    if (volume === undefined || !('name' in volume)) continue;
    const names = Array.isArray(volume.name) ? volume.name : [volume.name];
    for (const name of names) check(name, ['volumes', index, 'name'], inVolumeName, say);
  }
}
