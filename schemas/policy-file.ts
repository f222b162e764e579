// The shape of `trueup.yml`: its keys, what each is for, and what is wrong with a value. What the keys mean together is
// in `policy.ts`.
import { z } from 'zod';
import { nextFire } from './cron.ts';
import { choose, type Field, object, type Say, shorthand, withRules, wrong } from './fields.ts';
import type { Remark } from './findings.ts';
import { cron, hasNumericWeekday } from './grammar/cron.ts';
import { closest } from './problems.ts';
import { about, named } from './spelling.ts';
import { bool, choice, duration, integer, number, text, textWhere } from './values.ts';
import { isMapping } from './yaml-value.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const nameList = z.array(text);

const deadlines = named(
  'deadlines',
  'How long a replica may take for each stage before it is replaced. Only time in which it was watched counts.',
  object({
    provision: about(
      duration.nullish(),
      'Until there is a machine that takes a process. One that takes longer is given back and another offer is tried; the revision is not blamed. Without it, `10m`; more where a backend is known to be slow, as `30m` on `lambda` and `20m` on `runpod`, `kubernetes` and `slurm`.',
      '30m',
    ),
    pull: about(duration.nullish(), 'Until its image is there. Treated like `provision`.', '2h', '1h'),
    start: about(duration.nullish(), "From the process's start until its port is open.", '20m', '10m'),
    ready: about(duration.nullish(), 'From then until every probe has passed often enough.', '5m', '10m'),
  }),
);

const rolloutShape = named(
  'rollout',
  'How a service goes from one deployment to the next. Each key counts by itself: a service that sets one has the rest from the folder.',
  object({
    surge: about(integer(0, 1000).nullish(), 'Replicas above the wanted count while rolling out.', 2, 1),
    unavailable: about(
      integer(0, 1000).nullish(),
      'Replicas that may be missing below the wanted count while rolling out; of a service that gets another name, of both names together.',
      1,
      0,
    ),
    drain: about(
      duration.nullish(),
      'How long requests in flight may take to finish on a replica that leaves. Without it, `5m` for services with `model`.',
      '2m',
      '60s',
    ),
    deadlines: about(deadlines.nullish(), 'How long the stages of a new replica may take.', {
      start: '20m',
    }),
    bake: about(
      duration.nullish(),
      'How long a deployment is still tried when its rollout is done. If three of its replicas end in that time, each soon after it was ready, or two fail their probes for as long as `liveness` allows, the rollout has failed after all. It lasts until one replica of each group has held out for all of it. `0s`: not at all.',
      '15m',
      '5m',
    ),
    on_failure: about(
      choice(['rollback', 'hold']).nullish(),
      'What happens when a rollout fails: the last good deployment is restored, or the candidates stay where they are.',
      'hold',
      'rollback',
    ),
    quarantine_for: about(
      duration.nullish(),
      'How long a revision that failed is not tried again, unless its file, policy or a secret changes.',
      '1h',
      '24h',
    ),
    liveness: about(
      duration.nullish(),
      'How long a replica that was ready may fail its probes before it is replaced.',
      '2m',
      '5m',
    ),
  }),
);

export type Rollout = z.output<typeof rolloutShape>;

/** Durations that may be 0; the others would fail every rollout. */
const MAY_BE_ZERO: readonly string[] = ['drain', 'bake', 'quarantine_for'];

const rollout: Field<Rollout> = withRules(rolloutShape as Field<Rollout>, (value, say) => {
  const { provision, pull, start, ready } = value.deadlines ?? {};
  const { drain, bake, quarantine_for, liveness } = value;
  const given = { drain, bake, quarantine_for, liveness };
  for (const [key, seconds] of Object.entries(given)) atLeast(secondsOf(key), [key], seconds, say);
  for (const [key, seconds] of Object.entries({ provision, pull, start, ready }))
    atLeast(1, ['deadlines', key], seconds, say);
});

const budgetShape = named(
  'budget',
  'The most that may be spent.',
  object({ per_hour: about(number(0, MOST), 'USD per hour.', 12.5) }),
);

const budget: Field<z.output<typeof budgetShape>> = shorthand(
  (value) => (isMapping(value) ? value : { per_hour: value }),
  budgetShape,
  number(0, MOST),
);

const deletionBudgetShape = named(
  'deletion_budget',
  'How much one commit may remove: the greater of `services` and `percent` (where only one is written, that one), as long as it costs no more than `per_hour`.',
  object({
    services: about(integer(0, MOST).nullish(), 'So many services.', 5, 3),
    percent: about(integer(0, 100).nullish(), 'So many percent of the services there were before.', 10, 20),
    per_hour: about(
      number(0, MOST).nullish(),
      'The most that all of them may cost together, in USD per hour. Any amount, if not given.',
      20,
    ),
  }),
);

const deletionBudget = shorthand<z.output<typeof deletionBudgetShape>>(
  (value) => (isMapping(value) ? value : { services: value }),
  deletionBudgetShape,
  integer(0, MOST),
);

const suspendShape = named(
  'suspend',
  'Which services are left as they are.',
  object({ services: about(nameList, 'Their names; `*` stands for any text.', ['web', 'batch-*']) }),
);

const pruneShape = named(
  'prune',
  'Which services may be removed, however many they are.',
  object({ allow: about(nameList, 'Their names.', ['old-web']) }),
);

const timezone = textWhere(
  (value) => {
    if (isTimezone(value)) return value;
    const near = closest(value, Intl.supportedValuesOf('timeZone'));
    const fix = near ? `Did you mean \`${near}\`?` : 'Write a name like `UTC` or `Europe/Berlin`.';
    return wrong(`\`${value}\` is not a time zone`, fix);
  },
  { title: 'time zone', type: 'string' },
);

/** Any year serves to tell whether an expression ever fires. */
const SOME_YEAR = 1_704_067_200_000;

const firing = cron.refine((expression) => !expression || nextFire(expression, SOME_YEAR) !== null, {
  message: 'this never comes',
  params: { fix: 'Write a day that exists.' },
});

const schedule = shorthand<string[]>(
  (value) => (Array.isArray(value) ? value : [value]),
  z.array(firing).refine((expressions) => expressions.length > 0, {
    message: 'the list is empty',
    params: { fix: 'Write an expression.' },
  }),
  cron,
);

const windowShape = named(
  'window',
  'A time in which changes may, or may not, be applied.',
  object({
    schedule: about(
      schedule,
      'When it begins: one cron expression or several. Where both a day of the month and a weekday are given, both must hold.',
      '0 22 * * mon-fri',
    ),
    duration: about(duration, 'How long it lasts.', '4h'),
    kind: about(
      choice(['allow', 'deny']).default('allow'),
      'Whether changes are applied in it (and, with no other `allow` open, only in it), or not. `deny` wins.',
      'deny',
      'allow',
    ),
    timezone: about(timezone.default('UTC'), 'The time zone of `schedule`.', 'Europe/Berlin', 'UTC'),
    services: about(
      nameList.nullish(),
      'The services it is for: names, in which `*` stands for any text. All, if not given.',
      ['web', 'batch-*'],
    ),
  }),
);

type WindowFile = z.output<typeof windowShape>;

const window: Field<WindowFile> = withRules(windowShape as Field<WindowFile>, (value, say) => {
  atLeast(60, ['duration'], value.duration, say);
});

const service = named(
  'policy_of_service',
  'What holds for one service. It goes before what holds for the folder.',
  object({
    rollout: about(rollout.nullish(), 'How it is rolled out.', { surge: 2 }),
    suspend: about(bool.nullish(), 'Whether it is left as it is.', true, false),
    budget: about(budget.nullish(), 'The most it may cost, in USD per hour.', 4),
  }),
);

const policyShape = named(
  'policy',
  '`trueup.yml`: how the services of the watched folder are rolled out, and what may change when, and for how much. Every key is optional.',
  object({
    rollout: about(rollout.nullish(), 'How services are rolled out.', { surge: 2, drain: '2m' }),
    services: about(
      z.record(z.string(), service).nullish(),
      'What holds for single services, by their names.',
      { web: { rollout: { surge: 2 }, budget: 4 } },
    ),
    suspend: about(
      choose<boolean | z.output<typeof suspendShape>>(
        (value) => (isMapping(value) ? suspendShape : bool),
        [bool, suspendShape],
      ).nullish(),
      'Leaves all services, or some, as they are: nothing new is rolled out and nothing is removed; what runs goes on and is healed.',
      { services: ['batch-*'] },
      false,
    ),
    prune: about(
      choose<boolean | z.output<typeof pruneShape>>(
        (value) => (isMapping(value) ? pruneShape : bool),
        [bool, pruneShape],
      ).nullish(),
      'Whether a service is removed when its file is gone; or which ones may be, whatever `deletion_budget` says.',
      { allow: ['old-web'] },
      true,
    ),
    deletion_budget: about(
      deletionBudget.nullish(),
      'How many services one commit may remove. Beyond it, none of them is: they wait until `prune` names them or their files are back.',
      { services: 5, percent: 10 },
      { services: 3, percent: 20 },
    ),
    windows: about(
      z.array(window).nullish(),
      'When changes are applied. Outside they wait; a rollout that has begun goes on, and healing always does.',
      [{ schedule: '0 22 * * mon-fri', duration: '4h', timezone: 'Europe/Berlin' }],
    ),
    budget: about(
      budget.nullish(),
      'The most that all services may cost together, in USD per hour. A change that would cost more waits; one that saves never does.',
      12.5,
    ),
  }),
);

export type PolicyFile = z.output<typeof policyShape>;

export const policyFile: Field<PolicyFile> = withRules(policyShape as Field<PolicyFile>, (file, say) => {
  progressRule(file.rollout, undefined, ['rollout'], say);
  for (const [name, own] of Object.entries(file.services ?? {})) {
    if (own?.rollout) progressRule(own.rollout, file.rollout, ['services', name, 'rollout'], say);
  }
});

/** What is allowed but may be meant otherwise. */
export function policyRemarks({ windows }: PolicyFile): Remark[] {
  return (windows ?? []).flatMap((each, index) =>
    each.schedule.flatMap((expression, at) =>
      hasNumericWeekday(expression)
        ? [
            {
              path: ['windows', index, 'schedule', at],
              message: 'weekday numbers count from Sunday (0) here, but from Monday (0) in dstack',
              fix: 'Write names: `mon`, `tue` ...',
            },
          ]
        : [],
    ),
  );
}

// Private

function secondsOf(key: string): number {
  return MAY_BE_ZERO.includes(key) ? 0 : 1;
}

function atLeast(least: number, path: readonly string[], seconds: number | null | undefined, say: Say): void {
  if (typeof seconds === 'number' && seconds < least)
    say(path, `the duration is below ${least}s`, `Write \`${least}s\` or more.`);
}

/** With neither a replica more nor one less, nothing could ever be replaced. */
function progressRule(
  own: Rollout | null | undefined,
  shared: Rollout | null | undefined,
  path: readonly string[],
  say: Say,
): void {
  const surge = own?.surge ?? shared?.surge ?? 1;
  const unavailable = own?.unavailable ?? shared?.unavailable ?? 0;
  if (surge > 0 || unavailable > 0) return;
  const written = own?.surge === 0 ? 'surge' : 'unavailable';
  const message = 'with `surge` and `unavailable` at 0 no replica could ever be replaced';
  say([...path, written], message, 'Set one of them to 1 or more.');
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
