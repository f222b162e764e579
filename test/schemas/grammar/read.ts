// Reads one value by a schema, as a field of a file would be read.
import type { Field } from '../../../schemas/fields.ts';
import { parseYaml } from '../../../schemas/yaml.ts';

/** What the YAML means to the schema, without members that say nothing; else the first thing that is wrong with it. */
export function read(schema: Field<unknown>, yaml: string): unknown {
  const result = schema.safeParse(parseYaml(yaml).value);
  if (!result.success) return `error: ${result.error.issues[0]?.message}`;
  return JSON.parse(JSON.stringify(result.data, (_key, value) => value ?? undefined));
}
