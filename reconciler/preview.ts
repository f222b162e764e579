// What of a plan would have to wait, judged by the very rules that admit a commit: budgets, windows, approval, suspension.
import type { DesiredRecord, ServiceSpec } from '../schemas/desired.ts';
import type { FleetSpec } from '../schemas/fleet.ts';
import type { Hold, PlanWarning } from '../schemas/plan.ts';
import { DEFAULT_POLICY } from '../schemas/policy.ts';
import type { ProjectState } from '../schemas/project.ts';
import { readCosts } from './costs.ts';
import { type Ask, priceOfMachine, priceOfSpec } from './markets.ts';
import { type Admission, type AdmitInput, admit, costsOf, countedBefore, policiesFor } from './plan/admit.ts';
import type { PlanContext } from './plan/diff.ts';
import { policyChanges } from './plan/loosened.ts';
import type { Store } from './store/store.ts';
import type { Supply } from './supply.ts';
import type { WantedServices } from './wanted.ts';

export interface PreviewOptions {
  readonly project: string;
  /** What is judged; null: files that are no commit yet. */
  readonly commit: string | null;
  readonly store: Pick<Store, 'list'>;
  readonly state:
    | (Pick<ProjectState, 'applied' | 'policies' | 'renames'> &
        Partial<Pick<ProjectState, 'commit' | 'servicesBefore'>>)
    | null;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  readonly found: WantedServices;
  readonly ask: Ask;
  /** With what the files ask for around services. */
  readonly supply: Supply;
  /** Whether commits wait to be approved. */
  readonly isGated: boolean;
  readonly now: number;
}

export async function previewOf(
  options: PreviewOptions,
): Promise<Pick<PlanContext, 'holdOf' | 'policyWarnings' | 'budget' | 'renames'>> {
  const { state, known, found, ask, supply, isGated, now } = options;
  const commit = options.commit ?? FILES;
  const question: Omit<AdmitInput, 'costs'> = {
    commit,
    known,
    next: askedRecords(known, found),
    policies: policiesFor(state ?? {}, commit, found.policy ?? DEFAULT_POLICY, true),
    isReadable: found.policy !== null,
    // What is to be approved has to be seen with all that would hold it back afterwards.
    isApproved: true,
    renames: state?.renames ?? [],
    isServing: () => false,
    servicesBefore: countedBefore(state, options.commit),
    now,
  };
  const prices = {
    priceOf: (spec: ServiceSpec) => priceOfSpec(spec, ask, supply),
    priceOfMachine: (spec: FleetSpec) => priceOfMachine(spec, ask, supply),
    standing: async () => supply,
  };
  const costs = await readCosts({ ...options, ...prices, next: question.next }, costsOf(question));
  const admission = admit({ ...question, costs });
  return {
    renames: admission.renames,
    holdOf: (service) => holdOf(admission, service) ?? (isGated ? APPROVAL : undefined),
    policyWarnings: [
      ...(state?.policies ? policyChanges(state.policies.own, question.policies.own) : []),
      ...admission.warnings,
      ...budgetWarnings(admission),
    ],
    budget: leastOf([question.policies.before.budget, question.policies.own.budget]),
  };
}

/** As if the files were the newest commit. What does not parse stays as it is. */
export function askedRecords(
  known: ReadonlyMap<string, DesiredRecord>,
  { desired, unread }: Pick<WantedServices, 'desired' | 'unread'>,
): Map<string, DesiredRecord> {
  const next = new Map<string, DesiredRecord>();
  for (const name of unread) {
    const record = known.get(name);
    if (record && !record.removed) next.set(name, record);
  }
  for (const [name, service] of desired) next.set(name, { service, removed: false, problems: [] });
  return next;
}

// Private

function leastOf(limits: readonly (number | null)[]): number | null {
  const known = limits.filter((limit) => limit !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Stands for the commit that files are not yet. */
const FILES = '';

const APPROVAL: Hold = { reason: 'approval', detail: 'somebody has to approve it', until: null };

function holdOf({ waiting }: Admission, service: string): Hold | undefined {
  const pending = waiting.get(service);
  if (!pending) return undefined;
  const { reason, detail, until } = pending;
  return { reason, detail, until: until === null ? null : new Date(until).toISOString() };
}

function budgetWarnings({ waiting }: Admission): PlanWarning[] {
  return [...waiting]
    .filter(([, { reason }]) => reason === 'budget')
    .map(([service, { detail }]) => {
      const [message = detail, ...fix] = detail.split(/(?<=[a-z0-9])\. (?=[A-Z])/);
      return { kind: 'over-budget', service, message, fix: fix.length > 0 ? `${fix.join('. ')}.` : '' };
    });
}
