// Profile fields: where a service may run, for how long and at which price; and `.dstack/profiles.yml`, which gives
// them for a whole folder.
import { z } from 'zod';
import type { Problem } from './errors.ts';
import {
  choose,
  describe,
  type Field,
  field,
  isWrong,
  object,
  reading,
  shorthand,
  withRules,
  wrong,
} from './fields.ts';
import { readDocument } from './findings.ts';
import { cron } from './grammar/cron.ts';
import { inOrder, shown } from './problems.ts';
import { about, named } from './spelling.ts';
import {
  bool,
  choice,
  duration,
  idleDuration,
  integer,
  number,
  offDuration,
  positive,
  readDuration,
  readText,
  sized,
  text,
} from './values.ts';
import { parseYaml } from './yaml.ts';
import { isMapping, type Yaml } from './yaml-value.ts';

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
  named(
    'reference',
    'Something of this project or, with `project`, of another.',
    object({
      project: about(text.nullish(), 'The other project.', 'shared'),
      name: about(text, 'Its name there.', 'big-pool'),
    }),
  ),
  { title: '`name` or `project/name`', type: ['string', 'number'], pattern: '^[^/]+(?:/[^/]+)?$' },
);

export const tags = reading<{ readonly [key: string]: string }>(
  (value, say) => {
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
  },
  {
    title: 'tags',
    type: 'object',
    propertyNames: { pattern: '^[-_a-zA-Z0-9]{1,60}$' },
    additionalProperties: { type: 'string', pattern: '^[a-zA-Z0-9 .:/=_+@-]{0,256}$' },
  },
);

export const spotPolicy = choice(['spot', 'on-demand', 'auto']);

const retryShape = named(
  'retry',
  'When and for how long something is tried again.',
  object({
    on_events: about(
      z.array(choice(RETRY_EVENTS)).nullish(),
      'After what it is tried again.',
      ['no-capacity'],
      ['no-capacity', 'interruption', 'error'],
    ),
    duration: about(duration.nullish(), 'For how long.', '4h', '1h'),
  }),
);

export type Retry = boolean | z.output<typeof retryShape>;

const retryRules = withRules(retryShape as Field<z.output<typeof retryShape>>, (value, say) => {
  if (value.on_events?.length === 0)
    say(['on_events'], 'the list is empty', 'Name an event, or remove the line.');
  if ((value.duration ?? 0) < 0) say(['duration'], 'a duration cannot be negative', 'Write 0 or more.');
});

const retry: Field<Retry> = choose(
  (value): Field<Retry> => (isMapping(value) ? retryRules : bool),
  [bool, retryRules],
);

const utilization = named(
  'utilization_policy',
  'Ends a service of which one GPU had less to do than this for all of the time, until its file changes or its schedule starts it again. Where the machine cannot tell, nothing is ended.',
  object({
    min_gpu_utilization: about(integer(0, 100), 'The least use of each GPU, in percent.', 10),
    time_window: about(
      field((value) => {
        const seconds = readDuration(value);
        if (isWrong(seconds) || (seconds >= 300 && seconds <= 3600)) return seconds;
        return wrong('the window is not between 5m and 1h', 'Write `5m` to `1h`.');
      }, duration),
      'For how long it may be below that: 5 minutes to 1 hour.',
      '30m',
    ),
  }),
);

const schedule = named(
  'schedule',
  'When something is started.',
  object({
    cron: about(
      shorthand((value) => (Array.isArray(value) ? value : [value]), atLeastOne(cron, 'expression'), cron),
      'One expression or several: minute, hour, day of month, month, day of week, in UTC. The earliest counts.',
      '0 8 * * mon-fri',
    ),
  }),
);

const backendOptions = named(
  'backend_options',
  'Options that only one backend knows.',
  object({
    type: about(choice(['vastai']).default('vastai'), 'The backend.', 'vastai', 'vastai'),
    offer_order: about(choice(['score', 'price']).nullish(), 'What comes first among offers.', 'price'),
    min_reliability: about(number(0, 1).nullish(), 'The least reliability of a host, 0 to 1.', 0.95, 0.9),
    min_score: about(integer(0).nullish(), 'The least score of a host.', 100),
  }),
);

const byName = named(
  'instance_name',
  'A machine by its name.',
  object({ name: about(sized(1, 1000), 'Its name.', 'gpu-pool-0') }),
);
const byHost = named(
  'instance_host',
  'A machine by its host name.',
  object({ hostname: about(sized(1, 1000), 'Its host name.', '10.0.0.5') }),
);
const byFleet = named(
  'instance_of_fleet',
  'A machine by its place in a fleet.',
  object({
    fleet: about(reference, 'The fleet.', 'gpu-pool'),
    instance: about(integer(0), 'Its number in it.', 0),
  }),
);

const instanceSelector = choose<object>(
  (value) => {
    if (typeof value === 'string') return shorthand((name) => ({ name }), byName, []);
    if (isMapping(value) && 'fleet' in value) {
      return byFleet;
    }
    if (isMapping(value) && 'hostname' in value) return byHost;
    return byName;
  },
  [sized(1, 1000), byName, byHost, byFleet],
);

/** The fields that a profile may give, and any run may write itself. */
export const profileShape = {
  backends: about(
    z.array(choice(BACKENDS)).nullish(),
    'Where it may run; anywhere if not given. `local`, `ssh` and `seeweb` are additions of trueup.',
    ['aws', 'gcp'],
  ),
  regions: about(z.array(text).nullish(), 'The regions it may run in.', ['eu-west-1']),
  availability_zones: about(z.array(text).nullish(), 'The zones it may run in.', ['eu-west-1a']),
  instance_types: about(z.array(text).nullish(), 'The types of machine it may run on.', ['p5.48xlarge']),
  reservation: about(text.nullish(), 'The reserved capacity to use.', 'cr-0123456789'),
  spot_policy: about(
    spotPolicy.nullish(),
    'Whether machines may be taken away at any time, for less money.',
    'auto',
    'on-demand',
  ),
  retry: about(
    retry.nullish(),
    'Whether a lost or unplaced replica is tried again. A service is always healed; as a mapping it limits when and for how long.',
    { on_events: ['no-capacity', 'interruption'], duration: '4h' },
    false,
  ),
  max_duration: about(offDuration.nullish(), 'The longest a run may take.', '8h', 'off'),
  stop_duration: about(offDuration.nullish(), 'How long a process has from SIGTERM to SIGKILL.', '5m', '10s'),
  max_price: about(positive.nullish(), 'The highest price of a machine, in USD per hour.', 2.5),
  creation_policy: about(
    choice(['reuse', 'reuse-or-create']).nullish(),
    'Whether new machines may be made, or only idle ones of fleets be used.',
    'reuse',
    'reuse-or-create',
  ),
  idle_duration: about(
    idleDuration.nullish(),
    'How long a machine that was made for this is kept when idle, for whoever needs one like it. Not written: given back at once, or in a fleet after 5m.',
    '1h',
    '5m',
  ),
  utilization_policy: about(
    utilization.nullish(),
    'Ends what does not use its GPUs, where the machine can tell how busy they are.',
    {
      min_gpu_utilization: 10,
      time_window: '30m',
    },
  ),
  startup_order: about(
    choice(['any', 'master-first', 'workers-first']).nullish(),
    'In which order the nodes of a task begin; means nothing to a service.',
    'master-first',
    'any',
  ),
  stop_criteria: about(
    choice(['all-done', 'master-done']).nullish(),
    'When a task of several nodes is done; means nothing to a service.',
    'master-done',
    'all-done',
  ),
  schedule: about(schedule.nullish(), 'When it is started, in UTC.', { cron: '0 8 * * mon-fri' }),
  fleets: about(z.array(reference).nullish(), 'The fleets it may run in.', ['gpu-pool', 'shared/big-pool']),
  instances: about(
    atLeastOne(instanceSelector, 'instance').nullish(),
    'The very machines it may run on. Has no effect yet.',
    [{ fleet: 'gpu-pool', instance: 0 }],
  ),
  tags: about(tags.nullish(), 'Labels of what is made in the cloud.', { team: 'search' }),
  backend_options: about(
    z
      .array(backendOptions)
      .refine((options) => new Set(options.map(({ type }) => type)).size === options.length, {
        message: 'a backend has options twice',
        params: { fix: 'Put its options into one entry.' },
      })
      .nullish(),
    'Options that only one backend knows.',
    [{ type: 'vastai', min_reliability: 0.95 }],
  ),
};

export const PROFILE_FIELDS = Object.keys(profileShape);

const profile = named(
  'profile',
  'One profile: any of these fields, which hold for files that do not write them.',
  object({
    name: about(text.default(''), 'What it is called.', 'team'),
    default: about(bool.default(false), 'Whether it is the one that holds.', true, false),
    ...profileShape,
  }),
);

export const profilesFile = named(
  'profiles',
  '`.dstack/profiles.yml`: fields that hold for a whole folder.',
  object({
    profiles: about(z.array(profile), 'The profiles; the first with `default: true` holds.', [
      { name: 'team', default: true, regions: ['eu-west-1'] },
    ]),
  }),
);

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
