// `type: service`: what is served, how it is reached, and how many replicas of what.
import { z } from 'zod';
import {
  bool,
  byTag,
  choice,
  choose,
  describe,
  duration,
  type Field,
  integer,
  isWrong,
  matching,
  number,
  object,
  positive,
  readBool,
  readText,
  shorthand,
  text,
  textWhere,
  type Wrong,
  withRules,
  wrong,
} from './fields.ts';
import { servicePort } from './grammar/ports.ts';
import { probe } from './probes.ts';
import { shown } from './problems.ts';
import { type Reference, reference, spotPolicy } from './profiles.ts';
import { type Bounds, countRange, DEFAULT_RESOURCES, resources } from './resources.ts';
import { commands, GROUP_NAME, python, runShape } from './run.ts';
import { serviceRules } from './service-rules.ts';
import { isMapping } from './yaml.ts';

export const DEFAULT_SCALING = { window: 60, scale_up_delay: 300, scale_down_delay: 600 } as const;

const WINDOWS = [30, 60, 300];

const scaling = object({
  metric: choice(['rps']),
  target: positive,
  window: duration
    .refine((seconds) => seconds === undefined || WINDOWS.includes(seconds), {
      message: 'the window is not one of 30s, 60s and 300s',
      params: { fix: 'Write `30s`, `60s` or `5m`.' },
    })
    .nullish(),
  scale_up_delay: duration.default(DEFAULT_SCALING.scale_up_delay),
  scale_down_delay: duration.default(DEFAULT_SCALING.scale_down_delay),
});

export type Scaling = z.output<typeof scaling>;

/** How many replicas: both ends known. */
const replicaCount: Field<Bounds> = withRules(countRange, ({ min, max }, say) => {
  if (max === null) say([], 'the range has no upper end', 'Write for example `1..4`.');
  if (typeof min === 'number' && min < 0) say([], 'there cannot be less than 0 replicas', 'Write 0 or more.');
}).transform((bounds) => (bounds === undefined ? bounds : { ...bounds, min: bounds.min ?? 0 }));

const openaiModel = object({
  type: choice(['chat']).default('chat'),
  name: text,
  format: choice(['openai']),
  prefix: text.default('/v1'),
});

const tgiModel = object({
  type: choice(['chat']).default('chat'),
  name: text,
  format: choice(['tgi']),
  chat_template: text.nullish(),
  eos_token: text.nullish(),
});

export type Model = z.output<typeof openaiModel> | z.output<typeof tgiModel>;

const model: Field<Model> = shorthand<Model>(
  (value) => (typeof value === 'string' ? { name: value, format: 'openai' } : value),
  byTag<Model>('format', { openai: openaiModel, tgi: tgiModel }),
);

const rateLimit = object({
  prefix: textWhere((value) => {
    if (value.length > 4094) return wrong('the prefix is longer than 4094 characters', 'Make it shorter.');
    if (/^\/[^\s\\{}]*$/.test(value)) return value;
    return wrong(
      `${shown(value)} is not a path prefix`,
      'Begin it with `/`; leave out blanks, `\\`, `{` and `}`.',
    );
  }).default('/'),
  key: byTag<{ type: 'ip_address' } | { type: 'header'; header: string }>('type', {
    ip_address: object({ type: choice(['ip_address']) }),
    header: object({
      type: choice(['header']),
      header: matching(/^[a-zA-Z0-9-_]{1,500}$/, 'a header name', 'Use letters, digits, `-` and `_`.'),
    }),
  }).default({ type: 'ip_address' }),
  rps: number(1 / 60, Math.floor(Number.MAX_SAFE_INTEGER / 60)),
  burst: integer(0, Number.MAX_SAFE_INTEGER).default(0),
});

const router = object({ type: choice(['sglang', 'dynamo']).default('sglang') });

const groupShape = {
  name: matching(GROUP_NAME, 'a group name', 'Use at most 40 lower-case letters, digits and `-`.').nullish(),
  scaling: scaling.nullish(),
  resources: resources.default(DEFAULT_RESOURCES),
  spot_policy: spotPolicy.nullish(),
  reservation: text.nullish(),
  commands: commands.default([]),
  image: text.nullish(),
  python: python.nullish(),
  nvcc: bool.nullish(),
  docker: bool.nullish(),
  privileged: bool.nullish(),
  router: router.nullish(),
};

// `count` is the older name of a group's `replicas`; where both are written, it says nothing.
const olderGroup = object({ ...groupShape, count: replicaCount });
const newerGroup = object({ ...groupShape, replicas: replicaCount, count: z.unknown().optional() }).transform(
  ({ replicas, ...rest }) => ({ ...rest, count: replicas }),
);

export type Group = z.output<typeof olderGroup>;

const group: Field<Group> = choose((value): Field<Group> => {
  return isMapping(value) && 'count' in value && !('replicas' in value) ? olderGroup : newerGroup;
});

/** Groups have names: their own, else their position. */
const groups: Field<Group[]> = z
  .array(group)
  .transform((list) => list.map((item, index) => ({ ...item, name: item?.name ?? String(index) })));

const gateway: Field<boolean | Reference> = choose((value): Field<boolean | Reference> | Wrong => {
  if (!isWrong(readBool(value))) return bool;
  if (isMapping(value) || !isWrong(readText(value))) return reference;
  return wrong(`${describe(value)} is not a gateway`, 'Write `true`, `false` or the name of one.');
});

const serviceShape = object({
  ...runShape,
  type: choice(['service']),
  port: servicePort,
  gateway: gateway.nullish(),
  strip_prefix: bool.default(true),
  model: model.nullish(),
  https: choose<boolean | 'auto'>((value) => (value === 'auto' ? choice(['auto']) : bool)).nullish(),
  auth: bool.default(true),
  commands: commands.default([]),
  scaling: scaling.nullish(),
  rate_limits: z.array(rateLimit).default([]),
  probes: z.array(probe).nullish(),
  replicas: choose<Bounds | Group[]>(
    (value): Field<Bounds | Group[]> => (Array.isArray(value) ? groups : replicaCount),
  ).nullish(),
  groups: groups.nullish(),
});

export type Service = z.output<typeof serviceShape>;

export const service: Field<Service> = withRules(serviceShape as Field<Service>, serviceRules);

/** A service with its groups under the older of their names, which is the one of the normal form. */
export function normalService({ groups: named, ...rest }: Service): Omit<Service, 'groups'> {
  return named ? { ...rest, replicas: named } : rest;
}
