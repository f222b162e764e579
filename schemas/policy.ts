// `trueup.yml`: how services are rolled out and what may be removed. Everything in it is optional.
import { z } from 'zod';
import type { RolloutPolicy } from './desired.ts';
import type { Problem } from './errors.ts';
import { choose, type Field, object, type Say, withRules } from './fields.ts';
import { readDocument } from './findings.ts';
import { inOrder } from './problems.ts';
import { bool, choice, duration, integer, text } from './values.ts';
import { isMapping, parseYaml } from './yaml.ts';

const rolloutShape = object({
  surge: integer(0, 1000).nullish(),
  unavailable: integer(0, 1000).nullish(),
  drain: duration.nullish(),
  deadlines: object({ start: duration.nullish(), ready: duration.nullish() }).nullish(),
  on_failure: choice(['rollback', 'hold']).nullish(),
  quarantine_for: duration.nullish(),
  liveness: duration.nullish(),
});

type Rollout = z.output<typeof rolloutShape>;

/** Durations that may be 0; the others would fail every rollout. */
const MAY_BE_ZERO: readonly string[] = ['drain', 'quarantine_for'];

const rollout: Field<Rollout> = withRules(rolloutShape as Field<Rollout>, (value, say) => {
  const { start, ready } = value.deadlines ?? {};
  const given = { drain: value.drain, quarantine_for: value.quarantine_for, liveness: value.liveness };
  for (const [key, seconds] of Object.entries(given)) checkDuration([key], seconds);
  for (const [key, seconds] of Object.entries({ start, ready })) checkDuration(['deadlines', key], seconds);

  function checkDuration(path: readonly string[], seconds: number | null | undefined): void {
    const least = MAY_BE_ZERO.includes(path.at(-1) ?? '') ? 0 : 1;
    if (typeof seconds === 'number' && seconds < least)
      say(path, `the duration is below ${least}s`, `Write \`${least}s\` or more.`);
  }
});

const deletionBudget = object({
  services: integer(0, Number.MAX_SAFE_INTEGER).nullish(),
  percent: integer(0, 100).nullish(),
});

const allowed = object({ allow: z.array(text) });

const policyShape = object({
  rollout: rollout.nullish(),
  services: z.record(z.string(), object({ rollout: rollout.nullish() })).nullish(),
  prune: choose<boolean | { allow: string[] }>(
    (value) => (isMapping(value) ? allowed : bool),
    [bool, allowed],
  ).nullish(),
  deletion_budget: choose<z.output<typeof deletionBudget>>(
    (value) =>
      isMapping(value)
        ? deletionBudget
        : integer(0, Number.MAX_SAFE_INTEGER).transform((services) => ({ services })),
    [integer(0, Number.MAX_SAFE_INTEGER), deletionBudget],
  ).nullish(),
});

type PolicyFile = z.output<typeof policyShape>;

const policyFile: Field<PolicyFile> = withRules(policyShape as Field<PolicyFile>, (file, say) => {
  progressRule(file.rollout, undefined, ['rollout'], say);
  for (const [name, own] of Object.entries(file.services ?? {})) {
    if (own?.rollout) progressRule(own.rollout, file.rollout, ['services', name, 'rollout'], say);
  }
});

/** What the whole folder agreed on. */
export interface Policy {
  readonly rollout: Rollout;
  readonly services: { readonly [name: string]: Rollout };
  /** Whether a service whose file is gone is removed; or which ones may be, whatever the budget says. */
  readonly prune: boolean | { readonly allow: readonly string[] };
  /** At most this many removals per commit: the greater of the two. */
  readonly deletionBudget: { readonly services: number; readonly percent: number };
}

export const DEFAULT_POLICY: Policy = {
  rollout: {},
  services: {},
  prune: true,
  deletionBudget: { services: 3, percent: 20 },
};

/** Reads `trueup.yml`; null: there is none. With problems of severity error the policy is the default one. */
export function parsePolicy(file: { readonly path: string; readonly text: string } | null): {
  readonly policy: Policy;
  readonly problems: readonly Problem[];
} {
  if (file === null || isBlank(file.text)) return { policy: DEFAULT_POLICY, problems: [] };
  const document = parseYaml(file.text);
  const read = document.value === undefined ? undefined : readDocument(document, policyFile);
  const findings = inOrder([...document.findings, ...(read?.findings ?? [])]);
  const problems = findings.map((finding) => ({ file: file.path, ...finding }));
  return { policy: read?.data === undefined ? DEFAULT_POLICY : policyOf(read.data), problems };
}

/** How one service is rolled out: its own words, else the folder's, else the defaults. */
export function rolloutPolicy(policy: Policy, service: string, hasModel: boolean): RolloutPolicy {
  const own = Object.hasOwn(policy.services, service) ? policy.services[service] : undefined;
  const pick = <K extends keyof Rollout>(key: K): Rollout[K] => own?.[key] ?? policy.rollout[key];
  const deadline = (key: 'start' | 'ready'): number =>
    own?.deadlines?.[key] ?? policy.rollout.deadlines?.[key] ?? DEFAULTS[key];
  return {
    surge: pick('surge') ?? 1,
    unavailable: pick('unavailable') ?? 0,
    drainMs: (pick('drain') ?? (hasModel ? DEFAULTS.modelDrain : DEFAULTS.drain)) * 1000,
    startMs: deadline('start') * 1000,
    readyMs: deadline('ready') * 1000,
    onFailure: pick('on_failure') ?? 'rollback',
    quarantineMs: (pick('quarantine_for') ?? DEFAULTS.quarantine) * 1000,
    livenessMs: (pick('liveness') ?? DEFAULTS.liveness) * 1000,
  };
}

// Private

/** Seconds. A model's answer streams for minutes, so its replicas drain longer. */
const DEFAULTS = {
  drain: 60,
  modelDrain: 300,
  start: 600,
  ready: 600,
  quarantine: 86_400,
  liveness: 300,
} as const;

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

function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(?:#.*)?$/.test(line));
}

function policyOf(file: PolicyFile): Policy {
  const services = Object.entries(file.services ?? {}).map(
    ([name, own]) => [name, own.rollout ?? {}] as const,
  );
  const budget = file.deletion_budget;
  return {
    rollout: file.rollout ?? {},
    services: Object.fromEntries(services),
    prune: file.prune ?? true,
    deletionBudget: budget
      ? { services: budget.services ?? 0, percent: ('percent' in budget && budget.percent) || 0 }
      : DEFAULT_POLICY.deletionBudget,
  };
}
