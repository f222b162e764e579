// A document as an editor sees it.
import type { Json } from '../../schemas/json.ts';
import { parseYaml } from '../../schemas/yaml.ts';
import type { Yaml } from '../../schemas/yaml-value.ts';

export function asJson(text: string): Json {
  return json(parseYaml(text).value ?? null);
}

function json(value: Yaml): Json {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value); // JSON has none
  if (typeof value === 'symbol') return value.description ?? '';
  if (Array.isArray(value)) return value.map(json);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, json(member)]));
}
