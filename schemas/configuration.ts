// One configuration file: which type it is, what it says in normal form, and everything that is wrong with it.
import { z } from 'zod';
import { type Field, field, wrong } from './fields.ts';
import { asWritten, locate, type Remark, readDocument } from './findings.ts';
import { numberText } from './grammar/scalars.ts';
import type { JsonObject } from './json.ts';
import { devEnvironment, task } from './other-runs.ts';
import { preset } from './preset.ts';
import { alternatives, closest, type Finding, inOrder, type Path, type Position, shown } from './problems.ts';
import { profilesFile } from './profiles.ts';
import { pruneObject } from './prune.ts';
import { NAME } from './run.ts';
import { normalService, type Service, service } from './service.ts';
import { type Fleet, fleet, type Gateway, gateway, type Volume, volume } from './surroundings.ts';
import { readText } from './values.ts';
import { fleetWarnings, gatewayWarnings, serviceWarnings, volumeWarnings } from './warnings.ts';
import { parseYaml, placeOf, type YamlDocument } from './yaml.ts';
import { isMapping } from './yaml-value.ts';

export const TYPES = ['service', 'fleet', 'volume', 'gateway', 'task', 'dev-environment', 'preset'] as const;

/** What each kind of file is read by. */
export const SCHEMAS: { readonly [type in (typeof TYPES)[number] | 'profiles']: Field<object> } = {
  service,
  fleet,
  volume,
  gateway,
  task,
  'dev-environment': devEnvironment,
  preset,
  profiles: profilesFile,
};

export interface Configuration {
  /** null where the file does not say it; `profiles` for a list of profiles. */
  readonly type: string | null;
  /** As written in the file; null when it is not. */
  readonly name: string | null;
  /** Normal form: every spelling written out, defaults filled in, members without a value left out. */
  readonly configuration: JsonObject | null;
  /** What was read, where it is a service without mistakes; members without a value left out. */
  readonly service: Service | null;
  readonly fleet: Fleet | null;
  readonly volume: Volume | null;
  readonly findings: readonly Finding[];
  /** Where the value at a path (`probes[0].url`, `env.TOKEN`) is written, or the nearest thing that holds it. */
  readonly locate: (path: string) => Position;
}

export function parseConfiguration(text: string): Configuration {
  const document = parseYaml(text);
  const type = typeOf(document);
  const written = isMapping(document.value) ? readText(document.value.name ?? null) : null;
  const name = typeof written === 'string' ? written : null;
  const unread = {
    type,
    name,
    configuration: null,
    service: null,
    fleet: null,
    volume: null,
    findings: document.findings,
    locate: (path: string) => positionIn(document, path),
  };
  if (document.value === undefined) return unread;
  if (document.value === null && document.findings.length === 0) return { ...unread, findings: [EMPTY] };
  const read = readDocument<object>(document, type === null ? withoutType : SCHEMAS[type]);
  const pruned = read.data === undefined ? null : pruneObject(read.data);
  const asService = type === 'service' ? (pruned as Service | null) : null;
  const remarks =
    read.data === undefined ? [] : [...remarksOn(type, read.data), ...respelled(document, text)];
  return {
    ...unread,
    configuration: asService === null ? pruned : (normalService(asService) as object as JsonObject),
    service: asService,
    fleet: type === 'fleet' ? ((read.data as Fleet | undefined) ?? null) : null,
    volume: type === 'volume' ? ((read.data as Volume | undefined) ?? null) : null,
    findings: inOrder([
      ...document.findings,
      ...read.findings,
      ...nameFindings(document, name),
      ...remarks.map((remark) => locate(remark, document.place, 'warning')),
    ]),
  };
}

/**
 * `locate` of a text that is read once more when it is first asked: few files ever are, and the places of all of them
 * would take more memory than everything else that is known of them.
 */
export function locatorOf(text: string): Configuration['locate'] {
  let document: YamlDocument | null = null;
  return (path) => {
    document ??= parseYaml(text);
    return positionIn(document, path);
  };
}

/** What is wrong with a name that a file was given, or was derived from its path. */
export function nameRemark(name: string): Remark | null {
  if (NAME.test(name)) return null;
  return {
    path: ['name'],
    message: `${shown(name)} is not a name`,
    fix: 'Use 2 to 41 lower-case letters, digits and `-`, beginning with a letter.',
  };
}

// Private

const EMPTY: Finding = {
  line: 1,
  column: 1,
  path: '',
  message: 'the file is empty',
  fix: 'Begin with `type: service`, a `port`, and `commands` or an `image`.',
  severity: 'error',
};

function positionIn({ place: places, value }: YamlDocument, path: string): Position {
  const { line, column } = placeOf(places, asWritten(pathSteps(path), value)).place;
  return { line, column };
}

/** `a.b[0]` as steps. */
function pathSteps(path: string): Path {
  return [...path.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([word, index]) =>
    index === undefined ? word : Number(index),
  );
}

/** `data` was read by the schema of `type`. */
function remarksOn(type: Configuration['type'], data: object): readonly Remark[] {
  switch (type) {
    case 'service':
      return serviceWarnings(data as Service);
    case 'fleet':
      return fleetWarnings(data as Fleet);
    case 'volume':
      return volumeWarnings(data as Volume);
    case 'gateway':
      return gatewayWarnings(data as Gateway);
    default:
      return [];
  }
}

/** Variables that are written as numbers and become other text: `1.10` is 1.1, `010` is 8. */
function respelled({ value, place }: YamlDocument, text: string): Remark[] {
  const env = isMapping(value) ? value.env : undefined;
  if (!isMapping(env)) return [];
  const places = place.root.members.get('env')?.members;
  return Object.entries(env).flatMap(([name, number]) => {
    const at = places?.get(name)?.at;
    if (at === undefined || (typeof number !== 'number' && typeof number !== 'bigint')) return [];
    const [word = ''] = /^[-+.\w]*/.exec(text.slice(at, at + LONGEST_WORD)) ?? [];
    if (word === '' || text[at + word.length] === ':' || word === numberText(number)) return [];
    // The value may be a secret, and is not repeated.
    const message = `${shown(name)} is written as a number, and becomes other text than is written`;
    return [{ path: ['env', name], message, fix: 'Put it in quotes.' }];
  });
}

/** No number is longer. */
const LONGEST_WORD = 100;

function typeOf({ value }: YamlDocument): keyof typeof SCHEMAS | null {
  if (!isMapping(value)) return null;
  if (value.type === undefined && 'profiles' in value) return 'profiles';
  return TYPES.find((type) => type === value.type) ?? null;
}

const withoutType: Field<object> = z.looseObject({
  type: field(
    (value) => {
      const near = typeof value === 'string' ? closest(value, TYPES) : null;
      const fix = near === null ? `Write ${alternatives(TYPES)}.` : `Did you mean \`${near}\`?`;
      return wrong(
        `${typeof value === 'string' ? shown(value) : 'this'} is not a type of configuration`,
        fix,
      );
    },
    { enum: TYPES },
  ),
});

function nameFindings(document: YamlDocument, name: string | null): Finding[] {
  const remark = name === null ? null : nameRemark(name);
  if (remark === null || placeOf(document.place, ['name']).known.length === 0) return [];
  return [locate(remark, document.place, 'error')];
}
