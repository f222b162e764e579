// `type: service`: what is served, how it is reached, and how many replicas of what.
import { z } from 'zod';
import {
  byTag,
  choose,
  describe,
  type Field,
  isWrong,
  object,
  shorthand,
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
import { about, named } from './spelling.ts';
import {
  bool,
  choice,
  duration,
  INT64,
  integer,
  matching,
  number,
  positive,
  readBool,
  readText,
  text,
  textWhere,
} from './values.ts';
import { isMapping } from './yaml-value.ts';

export const DEFAULT_SCALING = { window: 60, scale_up_delay: 300, scale_down_delay: 600 } as const;

const WINDOWS = [30, 60, 300];

const scaling = named(
  'scaling',
  'When there are more or fewer replicas.',
  object({
    metric: about(choice(['rps']), 'What is measured: requests per second.', 'rps'),
    target: about(positive, 'How much of it one replica should have.', 10),
    window: about(
      duration
        .refine((seconds) => seconds === undefined || WINDOWS.includes(seconds), {
          message: 'the window is not one of 30s, 60s and 300s',
          params: { fix: 'Write `30s`, `60s` or `5m`.' },
        })
        .nullish(),
      'Over how long it is measured: 30s, 60s or 5m.',
      '30s',
      '60s',
    ),
    scale_up_delay: about(
      duration.default(DEFAULT_SCALING.scale_up_delay),
      'How long to wait after a change before there are more.',
      '1m',
      '5m',
    ),
    scale_down_delay: about(
      duration.default(DEFAULT_SCALING.scale_down_delay),
      'How long to wait after a change before there are fewer; before there are none, after the last request as well.',
      '30m',
      '10m',
    ),
  }),
);

export type Scaling = z.output<typeof scaling>;

/** How many replicas: both ends known. */
const replicaCount: Field<Bounds> = withRules(countRange, ({ min, max }, say) => {
  if (max === null) say([], 'the range has no upper end', 'Write for example `1..4`.');
  if (typeof min === 'number' && min < 0) say([], 'there cannot be less than 0 replicas', 'Write 0 or more.');
}).transform((bounds) => (bounds === undefined ? bounds : { ...bounds, min: bounds.min ?? 0 }));

const openaiModel = named(
  'model',
  'A model behind an OpenAI-compatible server.',
  object({
    type: about(choice(['chat']).default('chat'), 'What it is for.', 'chat', 'chat'),
    name: about(text, 'The name that clients ask for.', 'meta-llama/Llama-3.1-8B-Instruct'),
    format: about(choice(['openai']), 'What the replica speaks.', 'openai'),
    prefix: about(text.default('/v1'), 'Where it speaks it.', '/v1', '/v1'),
  }),
);

const tgiModel = named(
  'model_tgi',
  'A model behind a text-generation-inference server.',
  object({
    type: about(choice(['chat']).default('chat'), 'What it is for.', 'chat', 'chat'),
    name: about(text, 'The name that clients ask for.', 'meta-llama/Llama-3.1-8B-Instruct'),
    format: about(choice(['tgi']), 'What the replica speaks.', 'tgi'),
    chat_template: about(text.nullish(), 'How messages become one text (Jinja).'),
    eos_token: about(text.nullish(), 'What ends a text.', '</s>'),
  }),
);

export type Model = z.output<typeof openaiModel> | z.output<typeof tgiModel>;

const model: Field<Model> = shorthand<Model>(
  (value) => (typeof value === 'string' ? { name: value, format: 'openai' } : value),
  byTag<Model>('format', { openai: openaiModel, tgi: tgiModel }),
  { title: 'name', type: 'string' },
);

/** A proxy counts requests per minute, in whole numbers of 64 bits. */
const rate: Field<number> = number(0, INT64 / 60).refine((value) => value === undefined || value >= 1 / 60, {
  message: 'this is less than one request a minute',
  params: { fix: 'Write at least 0.017.' },
});

const rateLimit = named(
  'rate_limit',
  'How many requests are let through.',
  object({
    prefix: about(
      textWhere(
        (value) => {
          if (value.length > 4094)
            return wrong('the prefix is longer than 4094 characters', 'Make it shorter.');
          if (/^\/[^\s\\{}]*$/.test(value)) return value;
          return wrong(
            `${shown(value)} is not a path prefix`,
            'Begin it with `/`; leave out blanks, `\\`, `{` and `}`.',
          );
        },
        { title: 'path prefix', type: 'string', maxLength: 4094, pattern: '^/[^\\s\\\\{}]*$' },
      ).default('/'),
      'The paths it holds for; the longest prefix wins.',
      '/v1/',
      '/',
    ),
    key: about(
      byTag<{ type: 'ip_address' } | { type: 'header'; header: string }>('type', {
        ip_address: named(
          'rate_limit_by_address',
          'Counted by the address of the client.',
          object({ type: about(choice(['ip_address']), 'The kind of key.') }),
        ),
        header: named(
          'rate_limit_by_header',
          'Counted by the value of a header.',
          object({
            type: about(choice(['header']), 'The kind of key.'),
            header: about(
              matching(/^[a-zA-Z0-9-_]{1,500}$/, 'a header name', 'Use letters, digits, `-` and `_`.'),
              'The name of the header.',
              'Authorization',
            ),
          }),
        ),
      }).default({ type: 'ip_address' }),
      'Whose requests are counted together.',
      { type: 'header', header: 'Authorization' },
      { type: 'ip_address' },
    ),
    rps: about(rate, 'Requests per second.', 5),
    burst: about(integer(0, INT64).default(0), 'How many more may come at once.', 10, 0),
  }),
);

const router = named(
  'router',
  'The router of the other groups.',
  object({
    type: about(choice(['sglang', 'dynamo']).default('sglang'), 'Its kind.', 'dynamo', 'sglang'),
  }),
);

const groupShape = {
  name: about(
    matching(GROUP_NAME, 'a group name', 'Use at most 40 lower-case letters, digits and `-`.').nullish(),
    'What it is called; its position if not given.',
    'prefill',
  ),
  scaling: about(scaling.nullish(), 'When there are more or fewer; needs a range of replicas.', {
    metric: 'rps',
    target: 10,
  }),
  resources: about(
    resources.default(DEFAULT_RESOURCES),
    'What each of its machines must have; not inherited from the service.',
    { gpu: 'H100:8' },
  ),
  spot_policy: about(spotPolicy.nullish(), 'As in the service.', 'auto', 'on-demand'),
  reservation: about(text.nullish(), 'As in the service.', 'cr-0123456789'),
  commands: about(commands.default([]), 'What its replicas run.', ['python serve.py --prefill']),
  image: about(text.nullish(), 'As in the service.', 'lmsysorg/sglang:latest'),
  python: about(python.nullish(), 'As in the service.', '3.12'),
  nvcc: about(bool.nullish(), 'As in the service.', true, false),
  docker: about(bool.nullish(), 'As in the service.', true, false),
  privileged: about(bool.nullish(), 'As in the service.', true, false),
  router: about(router.nullish(), 'Makes its one replica the router of the other groups.', {
    type: 'sglang',
  }),
};

// `count` is the older name of a group's `replicas`; where both are written, it says nothing.
const olderGroup = named(
  'group_older',
  'A group in the older spelling.',
  object({ ...groupShape, count: about(replicaCount, 'How many replicas.', 2) }),
);
const newerGroup = named(
  'group',
  'Replicas of one kind.',
  object({
    ...groupShape,
    replicas: about(replicaCount, 'How many replicas: a number or, with `scaling`, a range.', 2),
    count: about(z.unknown().optional(), 'The older name of `replicas`, which wins.'),
  }),
).transform(({ replicas, ...rest }) => ({ ...rest, count: replicas }));

export type Group = z.output<typeof olderGroup>;

const group: Field<Group> = choose(
  (value): Field<Group> => {
    return isMapping(value) && 'count' in value && !('replicas' in value) ? olderGroup : newerGroup;
  },
  [newerGroup, olderGroup],
);

/** Groups have names: their own, else their position. */
const groups: Field<Group[]> = z
  .array(group)
  .transform((list) => list.map((item, index) => ({ ...item, name: item?.name ?? String(index) })));

const gateway: Field<boolean | Reference> = choose(
  (value): Field<boolean | Reference> | Wrong => {
    if (!isWrong(readBool(value))) return bool;
    if (isMapping(value) || !isWrong(readText(value))) return reference;
    return wrong(`${describe(value)} is not a gateway`, 'Write `true`, `false` or the name of one.');
  },
  [bool, reference],
);

const serviceShape = named(
  'service',
  'Something that answers requests: it is kept running and reachable.',
  object({
    ...runShape,
    type: about(choice(['service']), 'Makes it a service.', 'service'),
    port: about(
      servicePort,
      'The port that each replica listens on. Of a pair only the second number, the one in the container, means something.',
      8000,
    ),
    gateway: about(
      gateway.nullish(),
      'The gateway it is reached through: a name, `true` for the default one, `false` for none. Has no effect yet.',
      'edge',
    ),
    strip_prefix: about(
      bool.default(true),
      'Whether the path of the proxy is taken off before a replica sees it.',
      false,
      true,
    ),
    model: about(
      model.nullish(),
      'The model it serves, by the name that clients ask for.',
      'meta-llama/Llama-3.1-8B-Instruct',
    ),
    https: about(
      choose<boolean | 'auto'>(
        (value) => (value === 'auto' ? choice(['auto']) : bool),
        [bool, choice(['auto'])],
      ).nullish(),
      'Whether its address is https; `auto` where the gateway has a certificate.',
      'auto',
      true,
    ),
    auth: about(bool.default(true), 'Whether a token is needed to reach it.', false, true),
    commands: about(
      commands.default([]),
      'What each replica runs, one after the other in one shell. It needs these or `image`.',
      ['pip install -r requirements.txt', 'python serve.py'],
    ),
    scaling: about(scaling.nullish(), 'When there are more or fewer replicas; needs a range of them.', {
      metric: 'rps',
      target: 10,
    }),
    rate_limits: about(
      z.array(rateLimit).default([]),
      'How many requests are let through. Has no effect yet.',
      [{ prefix: '/', rps: 5, burst: 10 }],
    ),
    probes: about(
      z.array(probe).nullish(),
      'When a replica is ready. Without any its open port is enough, and with an OpenAI model one small chat; `[]` asks nothing of either.',
      [{ type: 'http', url: '/health' }],
    ),
    replicas: about(
      choose<Bounds | Group[]>(
        (value): Field<Bounds | Group[]> => (Array.isArray(value) ? groups : replicaCount),
        [replicaCount, groups],
      ).nullish(),
      'How many replicas: a number or, with `scaling`, a range. A list is the older spelling of `groups`.',
      '1..4',
      1,
    ),
    groups: about(
      groups.nullish(),
      'Replicas of several kinds, in place of `replicas`, `commands` and `scaling`.',
      [{ name: 'web', replicas: 2, commands: ['python serve.py'] }],
    ),
  }),
);

export type Service = z.output<typeof serviceShape>;

export const service: Field<Service> = withRules(serviceShape as Field<Service>, serviceRules);

/** A service with its groups under the older of their names, which is the one of the normal form. */
export function normalService({ groups: named, ...rest }: Service): Omit<Service, 'groups'> {
  return named ? { ...rest, replicas: named } : rest;
}
