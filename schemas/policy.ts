// What `trueup.yml` means: how services are rolled out, what may be changed when, for how much, and what may be removed.
import type { RolloutPolicy } from './desired.ts';
import type { Problem } from './errors.ts';
import { locate, readDocument } from './findings.ts';
import { type PolicyFile, policyFile, policyRemarks, type Rollout } from './policy-file.ts';
import { type Mention, mentionedIn } from './policy-names.ts';
import { inOrder } from './problems.ts';
import { namesService, type Window } from './windows.ts';
import { parseYaml } from './yaml.ts';

export interface ServicePolicy {
  readonly rollout: Rollout;
  /** null: as the folder says. */
  readonly suspend: boolean | null;
  /** USD per hour; null: no limit of its own. */
  readonly budget: number | null;
}

/** What the whole folder agreed on. Stored with the project, so that members are only ever added. */
export interface Policy {
  readonly rollout: Rollout;
  readonly services: { readonly [name: string]: ServicePolicy };
  /** Names of services, or patterns with `*`, that are left as they are; `['*']`: all. */
  readonly suspended: readonly string[];
  /** Whether a service whose file is gone is removed; or which ones may be, whatever the budget says. */
  readonly prune: boolean | { readonly allow: readonly string[] };
  /** Removals per commit: at most the greater of the first two, and at most what costs this (USD per hour; null: any). */
  readonly deletionBudget: {
    readonly services: number;
    readonly percent: number;
    readonly perHour: number | null;
  };
  readonly windows: readonly Window[];
  /** USD per hour for all services together; null: no limit. */
  readonly budget: number | null;
}

export const DEFAULT_POLICY: Policy = {
  rollout: {},
  services: {},
  suspended: [],
  prune: true,
  deletionBudget: { services: 3, percent: 20, perHour: null },
  windows: [],
  budget: null,
};

/** Reads `trueup.yml`; null: there is none. With problems of severity error the policy is the default one. */
export function parsePolicy(file: { readonly path: string; readonly text: string } | null): {
  readonly policy: Policy;
  readonly problems: readonly Problem[];
  readonly mentions: readonly Mention[];
} {
  if (file === null || isBlank(file.text)) return { policy: DEFAULT_POLICY, problems: [], mentions: [] };
  const document = parseYaml(file.text);
  const read = document.value === undefined ? undefined : readDocument(document, policyFile);
  const remarks = read?.data === undefined ? [] : policyRemarks(read.data);
  const warnings = remarks.map((remark) => locate(remark, document.place, 'warning'));
  const findings = inOrder([...document.findings, ...(read?.findings ?? []), ...warnings]);
  const problems = findings.map((finding) => ({ file: file.path, ...finding }));
  if (read?.data === undefined) return { policy: DEFAULT_POLICY, problems, mentions: [] };
  const mentions = mentionedIn(read.data).map(({ name, path }): Mention => {
    const at = locate(
      { path, message: '', fix: '', atKey: path[0] === 'services' },
      document.place,
      'warning',
    );
    return { file: file.path, line: at.line, column: at.column, path: at.path, name };
  });
  return { policy: policyOf(read.data), problems, mentions };
}

/** How one service is rolled out: its own words, else the folder's, else the defaults. */
export function rolloutPolicy(policy: Policy, service: string, hasModel: boolean): RolloutPolicy {
  const own = ownOf(policy, service)?.rollout;
  const pick = <K extends keyof Rollout>(key: K): Rollout[K] => own?.[key] ?? policy.rollout[key];
  const written = (key: 'provision' | 'pull' | 'start' | 'ready') =>
    own?.deadlines?.[key] ?? policy.rollout.deadlines?.[key];
  const deadline = (key: 'start' | 'ready'): number => written(key) ?? DEFAULTS[key];
  const [provision, pull] = [written('provision'), written('pull')];
  return {
    surge: pick('surge') ?? 1,
    unavailable: pick('unavailable') ?? 0,
    drainMs: (pick('drain') ?? (hasModel ? DEFAULTS.modelDrain : DEFAULTS.drain)) * 1000,
    ...(provision && { provisionMs: provision * 1000 }),
    ...(pull && { pullMs: pull * 1000 }),
    startMs: deadline('start') * 1000,
    readyMs: deadline('ready') * 1000,
    bakeMs: (pick('bake') ?? DEFAULTS.bake) * 1000,
    onFailure: pick('on_failure') ?? 'rollback',
    quarantineMs: (pick('quarantine_for') ?? DEFAULTS.quarantine) * 1000,
    livenessMs: (pick('liveness') ?? DEFAULTS.liveness) * 1000,
  };
}

/** The most a service may cost by itself, in USD per hour; null: no limit but the folder's. */
export function budgetOf(policy: Policy, service: string): number | null {
  return ownOf(policy, service)?.budget ?? null;
}

export function isSuspended(policy: Policy, service: string): boolean {
  return ownOf(policy, service)?.suspend ?? namesService(policy.suspended, service);
}

// Private

/** Seconds. A model's answer streams for minutes, so its replicas drain longer. */
const DEFAULTS = {
  drain: 60,
  modelDrain: 300,
  start: 600,
  ready: 600,
  bake: 300,
  quarantine: 86_400,
  liveness: 300,
} as const;

function ownOf({ services }: Policy, name: string): ServicePolicy | undefined {
  return Object.hasOwn(services, name) ? services[name] : undefined;
}

function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(?:#.*)?$/.test(line));
}

function policyOf(file: PolicyFile): Policy {
  const services = Object.entries(file.services ?? {}).map(([name, own]) => {
    const { rollout, suspend, budget } = own;
    const policy: ServicePolicy = {
      rollout: rollout ?? {},
      suspend: suspend ?? null,
      budget: budget?.per_hour ?? null,
    };
    return [name, policy] as const;
  });
  return {
    rollout: file.rollout ?? {},
    services: Object.fromEntries(services),
    suspended: suspendedOf(file),
    prune: file.prune ?? true,
    deletionBudget: deletionBudgetOf(file.deletion_budget),
    windows: (file.windows ?? []).map(({ duration, services: names, ...window }) => ({
      ...window,
      durationMs: duration * 1000,
      services: names ?? null,
    })),
    budget: file.budget?.per_hour ?? null,
  };
}

function suspendedOf({ suspend }: PolicyFile): readonly string[] {
  if (!suspend) return [];
  return suspend === true ? ['*'] : suspend.services;
}

/** Who says only what removals may cost keeps the usual number of them. */
function deletionBudgetOf(file: PolicyFile['deletion_budget']): Policy['deletionBudget'] {
  const usual = DEFAULT_POLICY.deletionBudget;
  if (!file) return usual;
  const perHour = file.per_hour ?? null;
  const isCounted = file.services != null || file.percent != null;
  return isCounted
    ? { services: file.services ?? 0, percent: file.percent ?? 0, perHour }
    : { ...usual, perHour };
}
