// Ports: a number, `local:container`, or a mapping. Only the container's side means something to a service.
import { choose, describe, type Field, object, shorthand, wrong } from '../fields.ts';
import { INTEGER_TEXT, integer, readInteger } from '../values.ts';
import { isMapping, type Yaml } from '../yaml-value.ts';

export interface PortMapping {
  readonly local_port?: number | null | undefined;
  readonly container_port: number;
}

/** A service's port; its local side is 80 where only one number is given. */
export const servicePort: Field<PortMapping> = portField(
  readInteger,
  () => 80n,
  /^(\d+):(\d+)$/,
  '`8000` or `80:8000`',
);

/** A port of a task; its local side is the same where only one number is given, any where it is `*`. */
export const taskPort: Field<PortMapping> = portField(
  readDigits,
  (port) => port,
  /^(\d+|\*):(\d+)$/,
  '`8000` or `80:8000`',
);

// Private

/** A task's port has no sign, blanks or point, unlike any other number of the language. */
function readDigits(value: Yaml): number | undefined {
  if (typeof value === 'number' || (typeof value === 'string' && !/^\d+$/.test(value))) return undefined;
  return readInteger(value);
}

function portField(
  readAlone: typeof readInteger,
  localOf: (port: bigint) => bigint,
  pair: RegExp,
  examples: string,
): Field<PortMapping> {
  const port = integer(1, 65_535);
  const mapping: Field<PortMapping> = object({ local_port: port.nullish(), container_port: port });
  const short = shorthand(
    (value) => expand(value) ?? wrong(`${describe(value)} is not a port`, fix),
    mapping,
    [],
  );
  const fix = `Write ${examples}.`;
  const spelling = {
    title: examples,
    anyOf: [
      { type: 'integer', minimum: 1, maximum: 65_535 },
      { type: 'string', pattern: `${INTEGER_TEXT}|${pair.source}` },
    ],
  };

  function expand(value: Yaml): Yaml | undefined {
    const alone = readAlone(value);
    if (alone !== undefined) return { local_port: localOf(BigInt(alone)), container_port: BigInt(alone) };
    const [, local, container] = (typeof value === 'string' ? pair.exec(value) : null) ?? [];
    if (local === undefined || container === undefined) return undefined;
    return { local_port: local === '*' ? null : local, container_port: container };
  }

  return choose((value) => (isMapping(value) ? mapping : short), [spelling, mapping]);
}
