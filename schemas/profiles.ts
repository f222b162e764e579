// Profile fields: where a service may run, for how long and at which price; and `.dstack/profiles.yml`, which gives
// them for a whole folder.
import { z } from 'zod';
import type { Problem } from './errors.ts';
import {
  bool,
  choice,
  choose,
  describe,
  duration,
  type Field,
  field,
  idleDuration,
  integer,
  isWrong,
  number,
  object,
  offDuration,
  positive,
  readDuration,
  reading,
  readText,
  shorthand,
  sized,
  text,
  withRules,
  wrong,
} from './fields.ts';
import { readDocument } from './findings.ts';
import { cron } from './grammar/cron.ts';
import { inOrder, shown } from './problems.ts';
import { isMapping, parseYaml, type Yaml } from './yaml.ts';

export const BACKENDS = [
  'amddevcloud',
  'aws',
  'azure',
  'cloudrift',
  'crusoe',
  'cudo',
  'datacrunch',
  'digitalocean',
  'dstack',
  'gcp',
  'hotaisle',
  'jarvislabs',
  'kubernetes',
  'lambda',
  'nebius',
  'oci',
  'remote',
  'runpod',
  'slurm',
  'tensordock',
  'vastai',
  'verda',
  'vultr',
  // Ours, which the configuration language does not have:
  'local',
  'ssh',
  'seeweb',
] as const;

export const RETRY_EVENTS = ['no-capacity', 'interruption', 'error'] as const;

/** `name` or `project/name`. */
export interface Reference {
  readonly project?: string | null | undefined;
  readonly name: string;
}

export const reference: Field<Reference> = shorthand(
  (value) => {
    const spelled = readText(value);
    return isWrong(spelled) ? value : expandReference(spelled);
  },
  object({ project: text.nullish(), name: text }),
);

export const tags = reading<{ readonly [key: string]: string }>((value, say) => {
  if (!isMapping(value)) {
    say([], `tags are expected, not ${describe(value)}`, 'Write `key: value` lines.');
    return undefined;
  }
  for (const [key, tag] of Object.entries(value)) {
    if (!/^[-_a-zA-Z0-9]{1,60}$/.test(key)) {
      say([key], `${shown(key)} is not a tag key`, 'Use at most 60 letters, digits, `-` and `_`.');
    } else if (typeof tag !== 'string')
      say([key], `a tag is text, not ${describe(tag)}`, 'Put it in quotes.');
    else if (!/^[a-zA-Z0-9 .:/=_\-+@]{0,256}$/.test(tag)) {
      say(
        [key],
        `${shown(tag)} is not a tag value`,
        'Use at most 256 letters, digits, blanks and `.:/=_-+@`.',
      );
    }
  }
  return value as { readonly [key: string]: string };
});

export const spotPolicy = choice(['spot', 'on-demand', 'auto']);

const retryShape = object({
  on_events: z.array(choice(RETRY_EVENTS)).nullish(),
  duration: duration.nullish(),
});

export type Retry = boolean | z.output<typeof retryShape>;

const retryRules = withRules(retryShape as Field<z.output<typeof retryShape>>, (value, say) => {
  if (value.on_events?.length === 0)
    say(['on_events'], 'the list is empty', 'Name an event, or remove the line.');
  if ((value.duration ?? 0) < 0) say(['duration'], 'a duration cannot be negative', 'Write 0 or more.');
});

const retry: Field<Retry> = choose((value): Field<Retry> => (isMapping(value) ? retryRules : bool));

const utilization = object({
  min_gpu_utilization: integer(0, 100),
  time_window: field((value) => {
    const seconds = readDuration(value);
    if (isWrong(seconds) || (seconds >= 300 && seconds <= 3600)) return seconds;
    return wrong('the window is not between 5m and 1h', 'Write `5m` to `1h`.');
  }),
});

const schedule = object({
  cron: shorthand((value) => (Array.isArray(value) ? value : [value]), atLeastOne(cron, 'expression')),
});

const backendOptions = object({
  type: choice(['vastai']).default('vastai'),
  offer_order: choice(['score', 'price']).nullish(),
  min_reliability: number(0, 1).nullish(),
  min_score: integer(0, Number.MAX_SAFE_INTEGER).nullish(),
});

const instanceSelector = choose<object>((value) => {
  if (typeof value === 'string') return shorthand((name) => ({ name }), object({ name: sized(1, 1000) }));
  if (isMapping(value) && 'fleet' in value) {
    return object({ fleet: reference, instance: integer(0, Number.MAX_SAFE_INTEGER) });
  }
  if (isMapping(value) && 'hostname' in value) return object({ hostname: sized(1, 1000) });
  return object({ name: sized(1, 1000) });
});

/** The fields that a profile may give, and any run may write itself. */
export const profileShape = {
  backends: z.array(choice(BACKENDS)).nullish(),
  regions: z.array(text).nullish(),
  availability_zones: z.array(text).nullish(),
  instance_types: z.array(text).nullish(),
  reservation: text.nullish(),
  spot_policy: spotPolicy.nullish(),
  retry: retry.nullish(),
  max_duration: offDuration.nullish(),
  stop_duration: offDuration.nullish(),
  max_price: positive.nullish(),
  creation_policy: choice(['reuse', 'reuse-or-create']).nullish(),
  idle_duration: idleDuration.nullish(),
  utilization_policy: utilization.nullish(),
  startup_order: choice(['any', 'master-first', 'workers-first']).nullish(),
  stop_criteria: choice(['all-done', 'master-done']).nullish(),
  schedule: schedule.nullish(),
  fleets: z.array(reference).nullish(),
  instances: atLeastOne(instanceSelector, 'instance').nullish(),
  tags: tags.nullish(),
  backend_options: z
    .array(backendOptions)
    .refine((options) => new Set(options.map(({ type }) => type)).size === options.length, {
      message: 'a backend has options twice',
      params: { fix: 'Put its options into one entry.' },
    })
    .nullish(),
};

export const PROFILE_FIELDS = Object.keys(profileShape);

const profile = object({ name: text.default(''), default: bool.default(false), ...profileShape });

export const profilesFile = object({ profiles: z.array(profile) });

/** Profile fields that hold where a configuration says nothing. */
export type ProfileFields = { readonly [key: string]: unknown };

export interface Profiles {
  /** The one marked `default: true`; null when none is. */
  readonly default: ProfileFields | null;
}

/** Reads a folder's `.dstack/profiles.yml`; null: there is none. */
export function parseProfiles(file: { readonly path: string; readonly text: string } | null): {
  readonly profiles: Profiles | null;
  readonly problems: readonly Problem[];
} {
  if (file === null) return { profiles: null, problems: [] };
  const document = parseYaml(file.text);
  const read = document.value === undefined ? undefined : readDocument(document, profilesFile);
  const findings = inOrder([...document.findings, ...(read?.findings ?? [])]);
  const problems = findings.map((finding) => ({ file: file.path, ...finding }));
  const chosen = read?.data?.profiles.find((candidate) => candidate.default);
  if (chosen === undefined) return { profiles: null, problems };
  const { name: _name, default: _default, ...fields } = chosen;
  return { profiles: { default: fields }, problems };
}

/** A configuration with the fields of a profile where it has none of its own; whole fields, nothing is mixed. */
export function withProfile<T extends { readonly [key: string]: unknown }>(
  configuration: T,
  profiles: Profiles | null,
): T {
  const given = Object.entries(profiles?.default ?? {}).filter(
    ([field, value]) => present(value) && !present(configuration[field]),
  );
  return given.length === 0 ? configuration : { ...configuration, ...Object.fromEntries(given) };
}

// Private

function atLeastOne<T>(item: Field<T>, what: string): Field<T[]> {
  return z.array(item).refine((items) => items.length > 0, {
    message: 'the list is empty',
    params: { fix: `Write an ${what}, or remove the line.` },
  });
}

function expandReference(value: string): Yaml | ReturnType<typeof wrong> {
  const parts = value.split('/');
  if (parts.includes('') || parts.length > 2) {
    return wrong(`${shown(value)} is not a name`, 'Write `name` or `project/name`.');
  }
  const [first = '', second] = parts;
  return second === undefined ? { name: first } : { project: first, name: second };
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}
