// The whole of a scenario file, as it may be written.
import { z } from 'zod';
import {
  choose,
  describe,
  type Field,
  field,
  object,
  type Say,
  shorthand,
  withRules,
  wrong,
} from '../../../schemas/fields.ts';
import { about, named, type Spelling } from '../../../schemas/spelling.ts';
import { bool, choice, integer, text } from '../../../schemas/values.ts';
import { isMapping, type Yaml } from '../../../schemas/yaml-value.ts';
import { backends } from './backends.ts';
import { type Expectation, expectations } from './expectations.ts';
import { parseSelector, replicas } from './replicas.ts';
import { instant, jsonOf, rate, time } from './values.ts';
import { checkWindow } from './window.ts';

const mapping: Field<{ readonly [key: string]: unknown }> = field(
  (value) =>
    isMapping(value)
      ? (jsonOf(value) as object & { readonly [key: string]: unknown })
      : wrong(`a mapping is expected, not ${describe(value)}`, 'Write `key: value` lines.'),
  { title: 'mapping', type: 'object' },
);

/** A file as text, or as the YAML it holds. */
const fileContent: Field<string | object> = field(
  (value) => {
    if (typeof value === 'string') return value;
    if (isMapping(value)) return jsonOf(value) as object;
    return wrong(
      `text is expected, not ${describe(value)}`,
      'Write the text after `|`, indented, or the YAML itself.',
    );
  },
  { title: 'text or mapping', type: ['string', 'object'] },
);

export const commit = named(
  'commit',
  'What somebody pushes. Files stay from one commit to the next until they are removed.',
  object({
    at: about(time.nullish(), 'When; commits are numbered from 1 in the order of time.', '5m', '0s'),
    name: about(text.nullish(), 'A name to speak of it by, as in `web@NAME`.', 'v2'),
    message: about(text.nullish(), 'Its subject.', 'a larger model'),
    author: about(text.nullish(), 'Who made it.', 'ada', 'somebody'),
    folder: about(
      text.nullish(),
      'The repository is now what this folder holds; relative to the scenario file, and not outside of its folder.',
      './v2',
    ),
    files: about(
      z.record(z.string(), fileContent).nullish(),
      'Files added or written anew: their text, or the YAML they hold.',
      { 'web.dstack.yml': '…' },
    ),
    remove: about(oneOrMore(text).nullish(), 'Files removed.', ['old.dstack.yml']),
  }),
);

export type CommitShape = z.output<typeof commit>;

const flowShape = object({
  from: about(time.nullish(), 'When it begins.', '2m', '0s'),
  to: about(time.nullish(), 'When it ends; else when the next entry begins, or at the end.', '10m'),
  rps: about(rate, 'Requests per second; `10..100` rises in a straight line.', '10..100'),
  time: about(time.nullish(), 'How long a request takes.', '2s', '100ms'),
});

export const flow = named(
  'traffic',
  'Requests to a service over a stretch of time.',
  withRules(flowShape as Field<z.output<typeof flowShape>>, checkWindow),
);

export type FlowShape = z.output<typeof flow>;

export const crash = named(
  'crash',
  'The reconciler dies.',
  object({
    at: about(time, 'When.', '3m'),
    down: about(time.nullish(), 'How long until it is started again.', '1m', '5s'),
    database: about(
      choice(['kept', 'lost']).nullish(),
      'With `lost` it starts again on an empty database, and knows what runs by its tags alone.',
      'lost',
      'kept',
    ),
  }),
);

export type CrashShape = z.output<typeof crash>;
export const EVERY_STEP = 'every-step';

const oneCrash: Field<CrashShape> = shorthand((value) => (isMapping(value) ? value : { at: value }), crash, {
  title: 'time',
  type: ['string', 'number'],
});

const crashes: Field<typeof EVERY_STEP | CrashShape[]> = choose<typeof EVERY_STEP | CrashShape[]>(
  (value) => {
    if (Array.isArray(value)) return z.array(oneCrash);
    if (typeof value !== 'string' || /^\d/.test(value))
      return oneCrash.transform((one) => [one]) as Field<CrashShape[]>;
    return /^every[-_ ]step$/.test(value)
      ? (field(() => EVERY_STEP, {}) as Field<typeof EVERY_STEP>)
      : wrong(`${describe(value)} says no time`, 'Write times, as `[3m]`, or `every-step`.');
  },
  [{ title: '`every-step`', const: EVERY_STEP }, z.array(oneCrash)],
);

export const reconciler = named(
  'reconciler',
  'The reconciler itself.',
  object({
    crashes: about(
      crashes.nullish(),
      'When it dies: a list of times, or `every-step`: it dies at every single step of every pass, once in each situation, and starts again at once.',
      ['3m', { at: '9m', down: '1m' }],
    ),
    poll: about(time.nullish(), 'How often the repository is asked.', '10s', '30s'),
    webhook: about(
      bool.nullish(),
      'It is told of commits at once. With `false` it finds them when it polls.',
      false,
      true,
    ),
  }),
);

export const scenario = named(
  'scenario',
  'A whole file.',
  withRules(
    object({
      name: about(text.nullish(), 'What it is called.', 'a bad revision'),
      description: about(text.nullish(), 'What it is about; for people.', 'What happens when …'),
      seed: about(
        integer(0, 0xffff_ffff).nullish(),
        'Of everything that is left to chance. `--seed` goes before it.',
        7,
        1,
      ),
      start: about(
        instant.nullish(),
        'What the clock shows at the beginning, in quotes; schedules and windows go by it.',
        '2026-01-05T09:00:00Z',
        '2026-01-05T00:00:00Z',
      ),
      duration: about(
        time.nullish(),
        'How long it goes; else until 15 minutes after the last thing that is written to happen.',
        '30m',
      ),
      backends: about(backends.nullish(), 'The clouds, by name; else one named `cloud`.', {
        aws: { boot: '60s' },
      }),
      commits: about(oneOrMore(commit), 'What is pushed, and when.', [{ at: '0s', folder: './v1' }]),
      policy: about(mapping.nullish(), 'The `trueup.yml` of every commit that has none of its own.', {
        rollout: { surge: 2 },
      }),
      replicas: about(replicas.nullish(), 'How replicas behave, by service, group, commit, number.', {
        'web@2': { never_ready: true },
      }),
      traffic: about(
        z
          .record(
            z.string(),
            shorthand(flowList, z.array(flow), [{ title: 'rate', type: ['number', 'string'] }, flow]),
          )
          .nullish(),
        'Requests, by service: a rate, an entry, or a list of entries.',
        { web: { rps: 20, time: '200ms' } },
      ),
      reconciler: about(reconciler.nullish(), 'The reconciler itself.', { crashes: ['3m'] }),
      secrets: about(z.record(z.string(), text).nullish(), 'The secrets of the server, by name.', {
        HF_TOKEN: 'hf_…',
      }),
      expect: about(
        expectations.nullish(),
        'What must have come of it, at the end or at times. If it has not, the command ends with 1.',
        { requests: { failed: 0 } },
      ),
    }) as Field<ScenarioShape>,
    checkScenario,
  ),
);

export interface ScenarioShape {
  readonly name?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly seed?: number | null | undefined;
  readonly start?: number | null | undefined;
  readonly duration?: number | null | undefined;
  readonly backends?: z.output<typeof backends> | null | undefined;
  readonly commits: readonly CommitShape[];
  readonly policy?: { readonly [key: string]: unknown } | null | undefined;
  readonly replicas?: z.output<typeof replicas> | null | undefined;
  readonly traffic?: { readonly [service: string]: readonly FlowShape[] } | null | undefined;
  readonly reconciler?: z.output<typeof reconciler> | null | undefined;
  readonly secrets?: { readonly [name: string]: string } | null | undefined;
  readonly expect?: readonly Expectation[] | null | undefined;
}

// Private

/** A list, or its only item by itself. */
function oneOrMore<T>(item: Field<T>): Field<T[]> {
  return shorthand((value) => (Array.isArray(value) ? value : [value]), z.array(item), item as Spelling);
}

function flowList(value: Yaml): Yaml {
  const list = Array.isArray(value) ? value : [value];
  return list.map((each) => (isMapping(each) ? each : { rps: each }));
}

const BACKEND_NAME = /^[A-Za-z][\w.-]{0,40}$/;

function checkScenario(file: Partial<ScenarioShape>, say: Say): void {
  for (const name of Object.keys(file.backends ?? {}))
    if (!BACKEND_NAME.test(name))
      say(
        ['backends', name],
        `\`${name}\` is not a name of a backend`,
        'Use up to 41 letters, digits, `-`, `_` and `.`.',
      );
  for (const key of Object.keys(file.replicas ?? {}))
    if (parseSelector(key) === null)
      say(
        ['replicas', key],
        `\`${key}\` does not say which replicas`,
        'Write `service`, `service@2`, `service/group` or `service#3`.',
      );
  for (const [index, commit] of (file.commits ?? []).entries())
    if (commit && commit.folder == null && commit.files == null && commit.remove == null)
      say(['commits', index], 'this commit changes nothing', 'Give it `files`, `folder` or `remove`.');
  if (file.commits?.length === 0) say(['commits'], 'there is no commit', 'Add one.');
}
