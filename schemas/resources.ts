// What a machine must have: ranges, sizes, CPUs and GPUs, in short and long spelling.
import { z } from 'zod';
import {
  describe,
  type Field,
  field,
  integer,
  object,
  readNumber,
  shorthand,
  text,
  type Wrong,
  withRules,
  wrong,
} from './fields.ts';
import { numberText } from './grammar/scalars.ts';
import { alternatives, shown } from './problems.ts';
import { parseSize } from './units.ts';
import { isMapping, type Yaml } from './yaml.ts';

/** Both ends included; an end that is not there is open. A bare value is exact: `8` is 8..8. */
export interface Bounds {
  readonly min?: number | null | undefined;
  readonly max?: number | null | undefined;
}

export const VENDORS = ['nvidia', 'amd', 'google', 'intel', 'tenstorrent'] as const;

/** GiB. */
export const size: Field<number> = field((value) => {
  const read = typeof value === 'string' ? parseSize(value) : readNumber(value);
  return (
    read ?? wrong(`${describe(value)} is not a size`, 'Write a number with MB, GB or TB, for example `16GB`.')
  );
});

const count = integer(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
export const countRange = range(count, '`2`, `2..8` or `2..`');
export const sizeRange = range(size, '`16GB`, `16GB..80GB` or `16GB..`');

export const cpu = shorthand(
  expandCpu,
  object({
    arch: field(readArch).nullish(),
    count: countRange.default({ min: 2 }),
  }),
);

export const gpu = shorthand(
  expandGpu,
  object({
    vendor: field(readVendor).nullish(),
    name: shorthand(
      (value) => (Array.isArray(value) ? value : [value]),
      z.array(text.transform(withoutPrefix)),
    ).nullish(),
    count: countRange.default({ min: 1 }),
    memory: sizeRange.nullish(),
    total_memory: sizeRange.nullish(),
    compute_capability: field(readCapability).nullish(),
  }),
);

export const disk = shorthand(
  (value) => (isMapping(value) || Array.isArray(value) ? value : { size: value }),
  object({ size: sizeRange }),
);

export const resources = object({
  cpu: cpu.default({ count: { min: 2 } }),
  memory: sizeRange.default({ min: 8 }),
  shm_size: size.nullish(),
  gpu: gpu.nullable().default({ count: { min: 0 } }),
  disk: disk.nullable().default({ size: { min: 100 } }),
});

export type Resources = z.output<typeof resources>;
export type Cpu = z.output<typeof cpu>;
export type Gpu = z.output<typeof gpu>;

/** What holds where a file says nothing of resources. */
export const DEFAULT_RESOURCES: Resources = resources.parse({});

// Private: ranges

function range(item: Field<number>, examples: string): Field<Bounds> {
  const bounds: Field<Bounds> = object({ min: item.nullish(), max: item.nullish() });
  return shorthand(
    (value) => expandRange(value, examples),
    withRules(bounds, ({ min, max }, say) => {
      if (min === null && max === null)
        say([], 'the range has neither a beginning nor an end', `Write ${examples}.`);
      if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return;
      say([], `the range ends (${max}) before it begins (${min})`, 'Put the smaller value first.');
    }),
  );
}

function expandRange(value: Yaml, examples: string): Yaml | Wrong {
  if (isMapping(value)) return { min: value.min ?? null, max: value.max ?? null, ...value };
  if (Array.isArray(value)) return wrong('a range is expected, not a list', `Write ${examples}.`);
  if (typeof value !== 'string' || !value.includes('..')) return { min: value, max: value };
  const ends = value.replaceAll(' ', '').split('..');
  if (ends.length !== 2) return wrong(`${shown(value)} is not a range`, `Write ${examples}.`);
  return { min: ends[0] || null, max: ends[1] || null };
}

// Private: CPU

function expandCpu(value: Yaml): Yaml | Wrong {
  if (isMapping(value)) {
    const keys = Object.keys(value);
    return keys.length > 0 && keys.every((key) => key === 'min' || key === 'max') ? { count: value } : value;
  }
  if (typeof value !== 'bigint' && typeof value !== 'string') {
    return wrong(`${describe(value)} is not a number of CPUs`, CPU_FIX);
  }
  return tokens(String(value), 'CPUs', CPU_FIX, (token) =>
    token.includes('..') || /^\d+$/.test(token) ? ['count', token] : ['arch', token],
  );
}

const CPU_FIX = 'Write a count (`4`, `4..`) or `arm:4..`.';

function readArch(value: Yaml): 'x86' | 'arm' | Wrong {
  const name = typeof value === 'string' ? value.toLowerCase() : '';
  if (name === 'x86' || name === 'arm') return name;
  const meant = /^(?:amd64|x86[-_]64|x64)$/.test(name)
    ? 'x86'
    : /^(?:arm64|aarch64)$/.test(name)
      ? 'arm'
      : null;
  const fix = meant === null ? 'Write `x86` or `arm`.' : `Write \`${meant}\`.`;
  return wrong(`${describe(value)} is not a CPU architecture`, fix);
}

// Private: GPU

function expandGpu(value: Yaml): Yaml | Wrong {
  if (isMapping(value)) return value;
  const spelled = typeof value === 'boolean' ? (value ? 'True' : 'False') : value;
  if (typeof spelled !== 'bigint' && typeof spelled !== 'string') {
    return wrong(`${describe(value)} is not a GPU`, GPU_FIX);
  }
  const spec = tokens(String(spelled), 'GPU', GPU_FIX, gpuToken);
  if (!isMapping(spec) || typeof spec.name !== 'string') return spec;
  const names = spec.name.split(',');
  if (names.includes(''))
    return wrong(`${shown(String(spelled))} has an empty GPU name`, 'Remove the extra comma.');
  return { ...spec, name: names };
}

const GPU_FIX = 'Write for example `A100`, `24GB`, `H100:8`, `A100:80GB:2` or `amd:MI300X:8`.';

function gpuToken(token: string): readonly [string, string] {
  if (vendorOf(token) !== undefined) return ['vendor', token];
  if (/^\p{L}/u.test(token)) return ['name', token];
  return [/\p{L}/u.test(token) ? 'memory' : 'count', token];
}

function vendorOf(name: string): (typeof VENDORS)[number] | undefined {
  const lower = name.toLowerCase();
  if (lower === 'tpu') return 'google';
  if (lower === 'tt') return 'tenstorrent';
  return VENDORS.find((vendor) => vendor === lower);
}

function readVendor(value: Yaml): (typeof VENDORS)[number] | Wrong {
  const vendor = typeof value === 'string' ? vendorOf(value) : undefined;
  return vendor ?? wrong(`${describe(value)} is not a GPU vendor`, `Write ${alternatives(VENDORS)}.`);
}

function withoutPrefix(name: string): string {
  return name.startsWith('tpu-') ? name.slice(4) : name;
}

function readCapability(value: Yaml): readonly number[] | Wrong {
  const spelled = typeof value === 'number' ? numberText(value) : value;
  const parts =
    typeof spelled === 'string' ? spelled.trim().split('.') : Array.isArray(spelled) ? spelled : [];
  const numbers = parts.map((part) => (/^-?\d+$/.test(String(part)) ? Number(part) : Number.NaN));
  if (numbers.length === 2 && numbers.every(Number.isInteger)) return numbers;
  return wrong(`${describe(value)} is not a compute capability`, 'Write it with a point, for example `8.0`.');
}

/** Reads `a:b:c`, each part of another kind. */
function tokens(
  value: string,
  what: string,
  fix: string,
  kindOf: (token: string) => readonly [string, string],
): Yaml | Wrong {
  const spec: { [kind: string]: string } = {};
  for (const token of value.replaceAll(' ', '').split(':')) {
    if (token === '') return wrong(`${shown(value)} has an empty part`, `Remove the extra colon. ${fix}`);
    const [kind, spelled] = kindOf(token);
    if (spec[kind] !== undefined) return wrong(`${shown(value)} gives the ${kind} of ${what} twice`, fix);
    spec[kind] = spelled;
  }
  return spec;
}
