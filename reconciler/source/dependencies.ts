// What a service names of its surroundings: fleets, volumes, a gateway. They come first: while the file of one has
// errors, nothing changes for the services that name it, and for no others.
import type { ServiceSpec } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { ParsedFile } from './parse.ts';

/** What keeps a service from being changed; empty: nothing does. */
export function dependencyProblems(file: ParsedFile, spec: ServiceSpec, around: Surroundings): Problem[] {
  return dependenciesOf(spec).flatMap(({ path, type, name }) => {
    const named = around(type, name);
    if (named === null || named.ok) return [];
    const message = `it names the ${type} \`${name}\`, and ${named.path} has errors`;
    const fix = `Fix ${named.path} first, or do not name it.`;
    return [{ file: file.path, ...file.locate(path), path, message, fix, severity: 'error' }];
  });
}

/** The file that declares a thing of that name; null: none does. */
export type Surroundings = (type: string, name: string) => ParsedFile | null;

export function surroundingsOf(files: readonly ParsedFile[]): Surroundings {
  const byName = Map.groupBy(
    files.filter(({ type }) => type !== 'service'),
    ({ name }) => name ?? '',
  );
  // A file that cannot be read at all does not say what it is.
  return (type, name) =>
    byName.get(name)?.find((file) => file.type === type || (file.type === null && !file.ok)) ?? null;
}

// Private

interface Dependency {
  readonly path: string;
  readonly type: 'fleet' | 'volume' | 'gateway';
  readonly name: string;
}

function dependenciesOf({ groups, gateway }: ServiceSpec): Dependency[] {
  const fleets = groups[0]?.placement.fleets ?? [];
  const volumes = new Set(groups.flatMap(({ process }) => process.volumes.flatMap(namesOf)));
  return [
    ...fleets.map((name, i) => ({ path: `fleets[${i}]`, type: 'fleet' as const, name })),
    ...[...volumes].map((name) => ({ path: 'volumes', type: 'volume' as const, name })),
    ...(typeof gateway === 'string' ? [{ path: 'gateway', type: 'gateway' as const, name: gateway }] : []),
  ];
}

function namesOf({ name }: ServiceSpec['groups'][number]['process']['volumes'][number]): string[] {
  return [name].flat().filter((each) => typeof each === 'string');
}
