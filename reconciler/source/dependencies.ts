// What a service names of its surroundings: fleets, volumes, a gateway. They come first: while the file of one has
// errors, nothing changes for the services that name it, and for no others. What no file declares is waited for.
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import { IDLE_POOL } from '../../schemas/fleet.ts';
import type { Json } from '../../schemas/json.ts';
import { closest } from '../../schemas/problems.ts';
import type { ParsedFile } from './parse.ts';

/** What keeps a service from being changed; empty: nothing does. */
export function dependencyProblems(file: ParsedFile, spec: ServiceSpec, around: Surroundings): Problem[] {
  return dependenciesOf(file, spec).flatMap(({ path, type, names }) =>
    names.flatMap((name) => {
      const named = around.find(type, name);
      if (named === null || named.ok) return [];
      const message = `it names the ${type} \`${name}\`, and ${named.path} has errors`;
      const fix = `Fix ${named.path} first, or do not name it.`;
      return [
        { file: file.path, ...file.locate(path(name)), path: path(name), message, fix, severity: 'error' },
      ];
    }),
  );
}

/** What it names and no file declares. */
export function undeclared(file: ParsedFile, spec: ServiceSpec, around: Surroundings): Problem[] {
  return dependenciesOf(file, spec).flatMap(({ path, type, names }) => {
    const isThere = (name: string) =>
      around.find(type, name) !== null || (type === 'fleet' && name === IDLE_POOL);
    const isWaitedFor = type !== 'gateway' && !names.some(isThere);
    return names
      .filter((name) => !isThere(name))
      .map((name) => {
        const near = closest(name, around.namesOf(type));
        const fix = name.includes('/')
          ? `Name a ${type} of this project: those of others cannot be used.`
          : near
            ? `Did you mean \`${near}\`?`
            : `Add a file with \`type: ${type}\` and \`name: ${name}\`, or do not name it.`;
        const message = `no file declares the ${type} \`${name}\`${isWaitedFor ? ', so the service waits for it' : ''}`;
        return {
          file: file.path,
          ...file.locate(path(name)),
          path: path(name),
          message,
          fix,
          severity: 'warning',
        };
      });
  });
}

export interface Surroundings {
  /** The file that declares a thing of that name; null: none does. */
  readonly find: (type: string, name: string) => ParsedFile | null;
  readonly namesOf: (type: string) => readonly string[];
}

export function surroundingsOf(files: readonly ParsedFile[]): Surroundings {
  const others = files.filter(({ type }) => type !== 'service');
  const byName = Map.groupBy(others, ({ name }) => name ?? '');
  return {
    // A file that cannot be read at all does not say what it is.
    find: (type, name) =>
      byName.get(name)?.find((file) => file.type === type || (file.type === null && !file.ok)) ?? null,
    namesOf: (type) =>
      others.flatMap((file) => (file.type === type && file.name !== null ? [file.name] : [])),
  };
}

// Private

/** Any of the names will do. */
interface Dependency {
  readonly type: 'fleet' | 'volume' | 'gateway';
  readonly names: readonly string[];
  /** Where a name is written. */
  readonly path: (name: string) => string;
}

function dependenciesOf({ configuration }: ParsedFile, { groups, gateway }: ServiceSpec): Dependency[] {
  const fleets = groups[0]?.placement.fleets ?? [];
  const mounts = groups.flatMap(({ process }) => process.volumes.map(({ name }) => textsIn(name)));
  // Groups mount the same.
  const volumes = new Map(mounts.filter(({ length }) => length > 0).map((names) => [names.join(' '), names]));
  const pathIn = (field: string) => (name: string) => {
    const list = configuration?.[field];
    const index = Array.isArray(list) ? list.findIndex((item: Json) => namesIn(item).includes(name)) : -1;
    // A profile may have said it.
    return index < 0 ? field : `${field}[${index}]`;
  };
  return [
    ...(fleets.length > 0 ? [{ type: 'fleet' as const, names: fleets, path: pathIn('fleets') }] : []),
    ...[...volumes.values()].map((names) => ({ type: 'volume' as const, names, path: pathIn('volumes') })),
    ...(typeof gateway === 'string'
      ? [{ type: 'gateway' as const, names: [gateway], path: () => 'gateway' }]
      : []),
  ];
}

/** Of an item of a list as it is written, in normal form. */
function namesIn(item: Json): readonly string[] {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return [];
  const { project, name } = item as { readonly [member: string]: Json | undefined };
  const names = textsIn(name);
  return typeof project === 'string' ? names.map((each) => `${project}/${each}`) : names;
}

function textsIn(value: unknown): readonly string[] {
  return [value].flat().filter((each) => typeof each === 'string');
}
