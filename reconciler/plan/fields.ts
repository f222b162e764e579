// Which fields of a service differ, what each does to its replicas, and how that is said in one sentence.

import type { DesiredService, FileMount, GroupSpec, ServiceSpec } from '../../schemas/desired.ts';
import { fieldEffect } from '../../schemas/identity.ts';
import { canonical, type Json, type JsonObject } from '../../schemas/json.ts';
import type { Effect, FieldChange } from '../../schemas/plan.ts';
import type { Deployment } from '../../schemas/rollout.ts';
import { changedValues, memberPath, type ValueChange } from './values.ts';

/** What a plan reads of a desired service. */
export type Wanted = Pick<
  DesiredService,
  'file' | 'configuration' | 'revision' | 'shapes' | 'digest' | 'spec'
>;

export interface Difference {
  readonly how: readonly Effect[];
  readonly reason: string;
  readonly fields: readonly FieldChange[];
}

/** Null when nothing differs that runs. `how` is empty when only spelling does. */
export function differenceOf(
  desired: Wanted,
  deployed: Pick<Deployment, 'configuration' | 'shapes' | 'spec'>,
): Difference | null {
  const topics = changedTopics(deployed.configuration, desired.configuration);
  const reshaped = isReshaped(desired.shapes, deployed.shapes);
  if (topics.length === 0 && !reshaped) return null;
  const how = effects(topics, reshaped);
  const hidden = reshaped ? hiddenTopics(deployed.spec, desired.spec, topics) : [];
  return {
    how,
    reason: reasonOf(topics, hidden, how),
    fields: fieldsOf([...topics, ...hidden], reshaped),
  };
}

// Private

/** What a sentence names as one thing: a field of the file, the content behind one. */
interface Topic {
  readonly words: string;
  readonly effect: Effect;
  readonly values: readonly ValueChange[];
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
function effects(topics: readonly Topic[], reshaped: boolean): Effect[] {
  const found = new Set(topics.map((topic) => topic.effect));
  if (reshaped) found.add('replace');
  else found.delete('replace');
  return EFFECTS.filter((effect) => found.has(effect));
}

/** A field of the process that means the same as before touches no replica either. */
function fieldsOf(topics: readonly Topic[], reshaped: boolean): FieldChange[] {
  const fields = topics.flatMap(({ effect, values }) =>
    values.map(({ path, from, to }): FieldChange => {
      const how = effect === 'replace' && !reshaped ? 'route' : effect;
      // The contract's JSON is mutable by its type; nobody writes to it.
      return { path, from: from as FieldChange['from'], to: to as FieldChange['to'], how };
    }),
  );
  return [...new Map(fields.map((field) => [canonical(field), field])).values()];
}

function reasonOf(topics: readonly Topic[], hidden: readonly Topic[], how: readonly Effect[]): string {
  const strongest = how.at(-1);
  const spelling = topics.some((topic) => topic.effect === 'replace') && !how.includes('replace');
  const consequence = strongest === undefined || spelling ? [SAME_PROCESS] : [];
  if (strongest !== undefined) consequence.push(CONSEQUENCE[strongest]);
  return `${sentence([...topics, ...hidden].map(({ words }) => words))} changed: ${consequence.join('; ')}`;
}

const SAME_PROCESS = 'what runs stays the same, so no replica is replaced for it';

function changedTopics(before: JsonObject, after: JsonObject): Topic[] {
  return differing(before, after).flatMap((field) => {
    const [old, now] = [before[field], after[field]];
    if (isGroupList(old) || isGroupList(now)) return changedGroups(groupsByName(old), groupsByName(now));
    return [{ words: field, effect: fieldEffect(field), values: changedValues(field, old, now) }];
  });
}

/** Groups are compared by name, field by field, so that one more replica in one of them stays that. */
function changedGroups(before: Groups, after: Groups): Topic[] {
  return differing(before, after).flatMap((group): Topic[] => {
    const [old, now] = [before[group], after[group]];
    const path = memberPath('groups', group);
    const whole = [{ path, from: old ?? null, to: now ?? null }];
    if (!old) return [{ words: `groups (${group} is new)`, effect: 'scale', values: whole }];
    if (!now) return [{ words: `groups (${group} is gone)`, effect: 'scale', values: whole }];
    return differing(old, now).map((field) => ({
      words: `${field} of group ${group}`,
      effect: fieldEffect(field),
      values: changedValues(memberPath(path, field), old[field], now[field]),
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
function hiddenTopics(before: ServiceSpec, after: ServiceSpec, topics: readonly Topic[]): Topic[] {
  const said = new Set(topics.flatMap(({ values }) => values.map(({ path }) => path)));
  const found = after.groups.flatMap((group) => {
    const old = before.groups.find((candidate) => candidate.name === group.name);
    return old ? [...changedContents(old, group), ...changedSecrets(old, group)] : [];
  });
  const unsaid = found.filter(({ values }) => values.every(({ path }) => !said.has(path)));
  return [...new Map(unsaid.map((topic) => [topic.words, topic])).values()];
}

function changedContents(before: GroupSpec, after: GroupSpec): Topic[] {
  const mounts = ({ process }: GroupSpec) => [
    ...process.files.map((mount, index) => ({ ...mount, path: `files[${index}]` })),
    ...process.repos.map((mount, index) => ({ ...mount, path: `repos[${index}]` })),
  ];
  const old = new Map(mounts(before).map((mount) => [mountKey(mount), mount.hash]));
  return mounts(after).flatMap((mount) => {
    const from = old.get(mountKey(mount));
    if (from === undefined || from === mount.hash) return [];
    const words = `the content of ${mount.source || 'the repository'}`;
    return [hiddenTopic(words, `${mount.path}.content`, from, mount.hash)];
  });
}

function mountKey(mount: FileMount): string {
  return JSON.stringify([mount.source, mount.target]);
}

function changedSecrets(before: GroupSpec, after: GroupSpec): Topic[] {
  const [old, now] = [before.process, after.process];
  const names = Object.keys(now.env).filter((name) => name in old.env && old.env[name] !== now.env[name]);
  const topics = names.map((name) =>
    hiddenTopic(
      `the value of ${name}`,
      memberPath('env', name),
      old.env[name] ?? null,
      now.env[name] ?? null,
    ),
  );
  const [from, to] = [old.registryAuth?.password, now.registryAuth?.password];
  if (from !== undefined && to !== undefined && from !== to)
    topics.push(hiddenTopic('the registry password', 'registry_auth.password', from, to));
  return topics;
}

function hiddenTopic(words: string, path: string, from: string | null, to: string | null): Topic {
  return { words, effect: 'replace', values: [{ path, from, to }] };
}

function sentence(words: readonly string[]): string {
  const unique = [...new Set(words)];
  if (unique.length === 0) return 'a value that the configuration only names';
  return unique.length === 1 ? `${unique[0]}` : `${unique.slice(0, -1).join(', ')} and ${unique.at(-1)}`;
}
