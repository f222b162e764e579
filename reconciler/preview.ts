// What of a plan would have to wait, judged by the very rules that admit a commit: budgets, windows, approval, suspension.
import type { DesiredRecord } from '../schemas/desired.ts';
import type { Hold, PlanWarning } from '../schemas/plan.ts';
import { DEFAULT_POLICY } from '../schemas/policy.ts';
import type { ProjectState } from '../schemas/project.ts';
import { readCosts } from './costs.ts';
import { type Ask, priceOfSpec } from './markets.ts';
import { type Admission, type AdmitInput, admit, costsOf, countedBefore, policiesFor } from './plan/admit.ts';
import type { PlanContext } from './plan/diff.ts';
import { policyChanges } from './plan/loosened.ts';
import type { Store } from './store/store.ts';
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
  /** Whether commits wait to be approved. */
  readonly isGated: boolean;
  readonly now: number;
}

export async function previewOf(
  options: PreviewOptions,
): Promise<Pick<PlanContext, 'holdOf' | 'policyWarnings'>> {
  const { state, known, found, isGated, now } = options;
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
  const priceOf: Parameters<typeof readCosts>[0]['priceOf'] = (spec) => priceOfSpec(spec, options.ask);
  const costs = await readCosts({ ...options, priceOf, next: question.next }, costsOf(question));
  const admission = admit({ ...question, costs });
  return {
    holdOf: (service) => holdOf(admission, service) ?? (isGated ? APPROVAL : undefined),
    policyWarnings: [
      ...(state?.policies ? policyChanges(state.policies.own, question.policies.own) : []),
      ...admission.warnings,
      ...budgetWarnings(admission),
    ],
  };
}

// Private

/** Stands for the commit that files are not yet. */
const FILES = '';

const APPROVAL: Hold = { reason: 'approval', detail: 'somebody has to approve it', until: null };

/** As if the files were the newest commit. What does not parse stays as it is. */
function askedRecords(
  known: ReadonlyMap<string, DesiredRecord>,
  { desired, unread }: WantedServices,
): Map<string, DesiredRecord> {
  const next = new Map<string, DesiredRecord>();
  for (const name of unread) {
    const record = known.get(name);
    if (record && !record.removed) next.set(name, record);
  }
  for (const [name, service] of desired) next.set(name, { service, removed: false, problems: [] });
  return next;
}

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
