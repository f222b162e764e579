// Which fields of a service differ, what each does to its replicas, and how that is said in one sentence.

import type { DesiredService, FileMount, GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import { fieldEffect } from '../../schemas/identity.ts';
import { canonical, type Json, type JsonObject } from '../../schemas/json.ts';
import type { Effect } from '../../schemas/plan.ts';
import type { Deployment } from '../../schemas/rollout.ts';

/** What a diff reads of a desired service. */
export type Wanted = Pick<DesiredService, 'file' | 'configuration' | 'shapes' | 'spec'>;

/** Null when nothing differs that runs. `how` is empty when only spelling does. */
export function differenceOf(
  desired: Wanted,
  deployed: Deployment,
): { readonly how: readonly Effect[]; readonly reason: string } | null {
  const fields = changedFields(deployed.configuration, desired.configuration);
  const reshaped = isReshaped(desired.shapes, deployed.shapes);
  if (fields.length === 0 && !reshaped) return null;
  const how = effects(fields, reshaped);
  const hidden = reshaped ? hiddenChanges(deployed.spec, desired.spec, fields) : [];
  return { how, reason: reasonOf(fields, hidden, how) };
}

// Private

interface FieldChange {
  readonly words: string;
  readonly effect: Effect;
}

/** Weakest first. */
const EFFECTS: readonly Effect[] = ['route', 'scale', 'placement', 'replace'];

const CONSEQUENCE: { readonly [effect in Effect]: string } = {
  route: 'no replica is touched',
  scale: 'replicas are kept',
  placement: 'replicas that no longer fit are replaced one by one',
  replace: 'replicas are replaced one by one',
};

/** The shape has the last word on `replace`: a field may be spelled anew and mean the same, a file may change unseen. */
function effects(fields: readonly FieldChange[], reshaped: boolean): Effect[] {
  const found = new Set(fields.map((field) => field.effect));
  if (reshaped) found.add('replace');
  else found.delete('replace');
  return EFFECTS.filter((effect) => found.has(effect));
}

function reasonOf(fields: readonly FieldChange[], hidden: readonly string[], how: readonly Effect[]): string {
  const strongest = how.at(-1);
  const spelling = fields.some((field) => field.effect === 'replace') && !how.includes('replace');
  const consequence = strongest === undefined || spelling ? [SAME_PROCESS] : [];
  if (strongest !== undefined) consequence.push(CONSEQUENCE[strongest]);
  return `${sentence([...fields.map((field) => field.words), ...hidden])} changed: ${consequence.join('; ')}`;
}

const SAME_PROCESS = 'what runs stays the same, so no replica is replaced for it';

function changedFields(before: JsonObject, after: JsonObject): FieldChange[] {
  return differing(before, after).flatMap((field) => {
    const [old, now] = [before[field], after[field]];
    if (isGroupList(old) || isGroupList(now)) return changedGroups(groupsByName(old), groupsByName(now));
    return [{ words: field, effect: fieldEffect(field) }];
  });
}

/** Groups are compared by name, field by field, so that one more replica in one of them stays that. */
function changedGroups(before: Groups, after: Groups): FieldChange[] {
  return differing(before, after).flatMap((group): FieldChange[] => {
    const [old, now] = [before[group], after[group]];
    if (!old) return [{ words: `groups (${group} is new)`, effect: 'scale' }];
    if (!now) return [{ words: `groups (${group} is gone)`, effect: 'scale' }];
    return differing(old, now).map((field) => ({
      words: `${field} of group ${group}`,
      effect: fieldEffect(field),
    }));
  });
}

type Groups = { readonly [name: string]: JsonObject };

function isGroupList(value: Json | undefined): value is readonly JsonObject[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => item !== null && typeof item === 'object' && 'replicas' in item)
  );
}

function groupsByName(value: Json | undefined): Groups {
  if (!isGroupList(value)) return {};
  return Object.fromEntries(value.map((group, index) => [String(group.name ?? index), group]));
}

function differing(before: JsonObject, after: JsonObject): string[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return fields.filter((field) => canonical(before[field]) !== canonical(after[field]));
}

type Shapes = DesiredService['shapes'];

function isReshaped(desired: Shapes, deployed: Shapes): boolean {
  const common = Object.keys(desired).filter((group) => group in deployed);
  return common.length === 0 || common.some((group) => desired[group] !== deployed[group]);
}

/** What changed in a shape without a word of the configuration changing: bytes of files, values behind names. */
function hiddenChanges(before: ServiceSpec, after: ServiceSpec, fields: readonly FieldChange[]): string[] {
  const saysValues = fields.some(({ words }) => words === 'env' || words === 'registry_auth');
  const found = after.groups.flatMap((group) => {
    const old = before.groups.find((candidate) => candidate.name === group.name);
    if (!old) return [];
    return [...changedContents(old, group), ...(saysValues ? [] : changedValues(old, group))];
  });
  return [...new Set(found)];
}

function changedContents(before: GroupSpec, after: GroupSpec): string[] {
  const mounts = (group: GroupSpec) => [...group.process.files, ...group.process.repos];
  const old = new Map(mounts(before).map((mount) => [mountKey(mount), mount.hash]));
  return mounts(after)
    .filter((mount) => old.has(mountKey(mount)) && old.get(mountKey(mount)) !== mount.hash)
    .map((mount) => `the content of ${mount.source || 'the repository'}`);
}

function mountKey(mount: FileMount): string {
  return JSON.stringify([mount.source, mount.target]);
}

function changedValues(before: GroupSpec, after: GroupSpec): string[] {
  const [old, now] = [before.process, after.process];
  const names = Object.keys(now.env).filter((name) => name in old.env && old.env[name] !== now.env[name]);
  const values = names.map((name) => `the value of ${name}`);
  if (old.registryAuth && now.registryAuth && old.registryAuth.password !== now.registryAuth.password) {
    values.push('the registry password');
  }
  return values;
}

function sentence(words: readonly string[]): string {
  const unique = [...new Set(words)];
  if (unique.length === 0) return 'a value that the configuration only names';
  return unique.length === 1 ? `${unique[0]}` : `${unique.slice(0, -1).join(', ')} and ${unique.at(-1)}`;
}
