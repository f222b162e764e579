// What a machine must have: ranges, sizes, CPUs and GPUs, in short and long spelling.
import { z } from 'zod';
import { describe, type Field, field, object, shorthand, type Wrong, withRules, wrong } from './fields.ts';
import { numberText } from './grammar/scalars.ts';
import { alternatives, shown } from './problems.ts';
import { about, named, type Spelling } from './spelling.ts';
import { meantSize, parseInteger, parseSize } from './units.ts';
import { integer, readNumber, TEXT, text } from './values.ts';
import { isMapping, type Yaml } from './yaml-value.ts';

/** Both ends included; an end that is not there is open. A bare value is exact: `8` is 8..8. */
export interface Bounds {
  readonly min?: number | null | undefined;
  readonly max?: number | null | undefined;
}

export const VENDORS = ['nvidia', 'amd', 'google', 'intel', 'tenstorrent'] as const;

const SIZE_TEXT = '^ *[-+]?[0-9._eE]+ *(?:[mMgGtT] *[bB])? *$';

/** GiB. */
export const size: Field<number> = field(
  (value) => {
    const read = typeof value === 'string' ? parseSize(value) : readNumber(value);
    if (read !== undefined) return read;
    const meant = typeof value === 'string' ? meantSize(value) : null;
    const example = meant === null ? 'for example `16GB`' : `here \`${meant}\``;
    return wrong(`${describe(value)} is not a size`, `Write a number with MB, GB or TB, ${example}.`);
  },
  { title: 'size', anyOf: [{ type: 'number' }, { type: 'string', pattern: SIZE_TEXT }] },
);

const count = integer(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
export const countRange = range(count, '`2`, `2..8` or `2..`', {
  title: 'number or range',
  anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[-+ 0-9_.]+$' }],
});
export const sizeRange = range(size, '`16GB`, `16GB..80GB` or `16GB..`', {
  title: 'size or range of sizes',
  anyOf: [{ type: 'number' }, { type: 'string', pattern: '^[-+ 0-9._eEmMgGtTbB]+$' }],
});

const ARCH = { title: '`x86` or `arm`', type: 'string', pattern: '^(?:[xX]86|[aA][rR][mM])$' };
const VENDOR = { title: 'vendor', type: 'string', pattern: '^[a-zA-Z]+$', examples: VENDORS };
const CAPABILITY = {
  title: '`8.0`',
  anyOf: [
    { type: 'number' },
    { type: 'string', pattern: '^\\s*-?\\d+\\.-?\\d+\\s*$' },
    { type: 'array', minItems: 2, maxItems: 2 },
  ],
};
const GPU_SPELLING = {
  title: '`A100`, `24GB`, `A100:80GB:2`',
  anyOf: [{ type: ['integer', 'boolean'] }, { type: 'string', pattern: '^[^:]+(?::[^:]+){0,3}$' }],
};

export const cpu = shorthand(
  expandCpu,
  named(
    'cpu',
    'Processors, written out.',
    object({
      arch: about(field(readArch, ARCH).nullish(), 'The architecture.', 'arm'),
      count: about(countRange.default({ min: 2 }), 'How many; a bare number is exact.', '4..', '2..'),
    }),
  ),
  [{ title: '`4`, `4..8` or `arm:4..`', anyOf: [{ type: 'integer' }, { type: 'string' }] }, countRange],
);

export const gpu = shorthand(
  expandGpu,
  named(
    'gpu',
    'Accelerators, written out.',
    object({
      vendor: about(
        field(readVendor, VENDOR).nullish(),
        'Who made it: nvidia, amd, google (or tpu), intel, tenstorrent (or tt).',
        'amd',
      ),
      name: about(
        shorthand(
          (value) => (Array.isArray(value) ? value : [value]),
          z.array(text.transform(withoutPrefix)),
          TEXT,
        ).nullish(),
        'Any one of these models.',
        ['A100', 'H100'],
      ),
      count: about(
        countRange.default({ min: 1 }),
        'How many in one machine; a bare number is exact.',
        '2..8',
        '1..',
      ),
      memory: about(sizeRange.nullish(), 'The memory of each.', '40GB..'),
      total_memory: about(sizeRange.nullish(), 'The memory of all together.', '160GB..'),
      compute_capability: about(
        field(readCapability, CAPABILITY).nullish(),
        'The least compute capability (NVIDIA).',
        '8.0',
      ),
    }),
  ),
  GPU_SPELLING,
);

export const disk = shorthand(
  (value) => (isMapping(value) || Array.isArray(value) ? value : { size: value }),
  named('disk', 'Disk space, written out.', object({ size: about(sizeRange, 'How much.', '200GB..') })),
  sizeRange,
);

export const resources = named(
  'resources',
  'What a machine must have. In ranges `8` is exactly 8, `8..` at least 8, `2..8` from 2 to 8.',
  object({
    cpu: about(
      cpu.default({ count: { min: 2 } }),
      'Processors: a count, a range, `x86` or `arm`.',
      'arm:8..',
      '2..',
    ),
    memory: about(
      sizeRange.default({ min: 8 }),
      'Main memory. A bare size is exact, so write the two points.',
      '32GB..',
      '8GB..',
    ),
    shm_size: about(size.nullish(), 'Shared memory of the container.', '16GB'),
    gpu: about(
      gpu.nullable().default({ count: { min: 0 } }),
      'Accelerators: vendor, names, memory and count, in any order, separated by colons.',
      'A100:40GB..:2',
      '0..',
    ),
    disk: about(disk.nullable().default({ size: { min: 100 } }), 'Disk space.', '200GB..', '100GB..'),
  }),
);

export type Resources = z.output<typeof resources>;
export type Cpu = z.output<typeof cpu>;
export type Gpu = z.output<typeof gpu>;

/** What holds where a file says nothing of resources. */
export const DEFAULT_RESOURCES: Resources = resources.parse({});

// Private: ranges

function range(item: Field<number>, examples: string, short: Spelling): Field<Bounds> {
  const bounds: Field<Bounds> = object({
    min: about(item.nullish(), 'At least this.'),
    max: about(item.nullish(), 'At most this.'),
  });
  return shorthand(
    (value) => expandRange(value, examples),
    withRules(bounds, ({ min, max }, say) => {
      if (min === null && max === null)
        say([], 'the range has neither a beginning nor an end', `Write ${examples}.`);
      if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return;
      say([], `the range ends (${max}) before it begins (${min})`, 'Put the smaller value first.');
    }),
    short,
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
  const spec = tokens(String(spelled), 'GPUs', GPU_FIX, gpuToken);
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
  const numbers = parts.map(capabilityPart);
  if (numbers.length === 2 && numbers.every(Number.isInteger)) return numbers;
  return wrong(`${describe(value)} is not a compute capability`, 'Write it with a point, for example `8.0`.');
}

/** Half of a compute capability. Python's `int` reads it in the reference, which drops what is behind the point of a float. */
function capabilityPart(part: Yaml): number {
  return (
    (typeof part === 'string' ? parseInteger(part) : Math.trunc(readNumber(part) ?? Number.NaN)) ?? Number.NaN
  );
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
