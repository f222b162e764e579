// Judges what changes cost: one that makes a service, or all together, dearer than the budget waits; one that saves
// never does. What nobody knows the price of waits too, where there is a budget.
import { budgetOf, type Policy } from '../../schemas/policy.ts';
import type { Policies, Rename } from '../../schemas/project.ts';
import { type Ask, isCostly, type Records } from './asks.ts';
import { type Cost, type Costs, costIn, dollars } from './cost.ts';

export interface BudgetInput {
  readonly known: Records;
  readonly policies: Policies;
  readonly costs: Costs;
  readonly renames: readonly Rename[];
  /** Services that go, and cost nothing from then on. */
  readonly removed: readonly string[];
}

export interface CostsNeeded {
  readonly now: readonly string[];
  readonly wanted: readonly string[];
  /** What fleets keep counts, too. */
  readonly kept: boolean;
}

/** Whose costs have to be known to judge these changes: none where there is no budget. */
export function costsNeeded(known: Records, asks: readonly Ask[], { before, own }: Policies): CostsNeeded {
  const judges = [before, own];
  const isLimited = (name: string) => judges.some((policy) => budgetOf(policy, name) !== null);
  const isShared = judges.some(({ budget }) => budget !== null);
  const wanted = asks.filter((ask) => isCostly(ask) && (isShared || isLimited(ask.name)));
  const names = wanted.map(({ name }) => name);
  const removals = judges.some(({ deletionBudget }) => deletionBudget.perHour !== null)
    ? asks.filter(({ service }) => service === null).map(({ name }) => name)
    : [];
  const running = [...known].filter(([, { service }]) => service !== null).map(([name]) => name);
  const isAll = isShared && wanted.length > 0;
  return { now: isAll ? running : [...names, ...removals], wanted: names, kept: isAll };
}

/**
 * Why each change waits that is too dear, by name. One after the other, those that save first, then those that have
 * waited longest: each is judged with what the ones before it cost. `mayGo` tells whether a change goes once it can be
 * paid; one that does not leaves the money to the others.
 */
export function tooDear(
  asks: readonly Ask[],
  input: BudgetInput,
  mayGo: (ask: Ask) => boolean,
): ReadonlyMap<string, string> {
  const priced = asks.filter(isCostly).map((ask) => pricedAsk(ask, input));
  const held = new Map<string, string>();
  let total = totalNow(input);
  for (const each of priced.toSorted(inTurn)) {
    const why = objection(each, total, input);
    if (why !== null) held.set(each.ask.name, why);
    else if (mayGo(each.ask)) total = sum(total, difference(each));
  }
  return held;
}

// Private

interface Priced {
  readonly ask: Ask;
  readonly now: Cost;
  readonly wanted: Cost;
}

const NOTHING: Cost = { kind: 'known', perHour: 0 };

/** A renamed service takes the place of the old one, which costs what it saves. */
function pricedAsk(ask: Ask, { costs, renames }: BudgetInput): Priced {
  const former = renames.find(({ to }) => to === ask.name)?.from;
  const isThere = ask.inForce !== null;
  const now = isThere ? costIn(costs.now, ask.name) : former ? costIn(costs.now, former) : NOTHING;
  return { ask, now, wanted: costIn(costs.wanted, ask.name) };
}

/** Of all that is in force and stays, and of what fleets keep beside; a renamed service is counted once. */
function totalNow({ known, costs, removed, renames }: BudgetInput): Cost {
  const isCounted = (name: string) => {
    const successor = renames.find(({ from }) => from === name)?.to;
    return !removed.includes(name) && !(successor && known.get(successor)?.service);
  };
  const names = [...known].filter(([name, { service }]) => service !== null && isCounted(name));
  return names.reduce<Cost>((total, [name]) => sum(total, costIn(costs.now, name)), costs.kept ?? NOTHING);
}

function inTurn(a: Priced, b: Priced): number {
  const rank = (each: Priced) => (isSaving(each) ? 0 : each.ask.isNew ? 2 : 1);
  return rank(a) - rank(b) || (a.ask.name < b.ask.name ? -1 : 1);
}

function isSaving({ now, wanted }: Priced): boolean {
  return now.kind === 'known' && wanted.kind === 'known' && wanted.perHour <= now.perHour;
}

function objection(each: Priced, total: Cost, { policies, costs: { kept } }: BudgetInput): string | null {
  const { ask, now, wanted } = each;
  const { name } = ask;
  const own = least(ask, policies, (policy) => budgetOf(policy, name));
  const shared = least(ask, policies, ({ budget }) => budget);
  if ((own === null && shared === null) || isSaving(each)) return null;
  if (wanted.kind === 'unknown') return `its price is unknown, and there is a budget: ${wanted.reason}`;
  if (own !== null && wanted.perHour > own)
    return `${figures(wanted.perHour, own, now)}. ${wayOut(`services.${name}.budget`)}`;
  if (shared === null) return null;
  const after = sum(total, difference(each));
  if (after.kind === 'unknown')
    return `what all services cost is unknown, and there is a budget: ${after.reason}`;
  if (after.perHour <= shared) return null;
  return `all services together${keptText(kept)}: ${figures(after.perHour, shared, total)}. ${wayOut('budget')}`;
}

function keptText(kept: Cost | undefined): string {
  const isSaid = kept?.kind === 'known' && kept.perHour > 0;
  return isSaid ? `, with ${dollars(kept.perHour)} for machines that fleets keep beside` : '';
}

/** By the policies that count for a change: of one that this commit brought, what held before it counts as well. */
function least({ isNew }: Ask, { before, own }: Policies, of: (policy: Policy) => number | null) {
  const limits = (isNew ? [before, own] : [own]).map(of).filter((limit) => limit !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

function figures(wanted: number, allowed: number, now: Cost): string {
  const today = now.kind === 'known' ? `${dollars(now.perHour)} now` : 'now unknown';
  return `${dollars(wanted)} wanted, ${dollars(allowed)} allowed, ${today}`;
}

function wayOut(key: string): string {
  return `Make it cheaper, or raise \`${key}\` in trueup.yml in a commit of its own`;
}

function difference({ now, wanted }: Priced): Cost {
  if (wanted.kind === 'unknown') return wanted;
  return now.kind === 'unknown' ? now : { kind: 'known', perHour: wanted.perHour - now.perHour };
}

function sum(a: Cost, b: Cost): Cost {
  if (a.kind === 'unknown') return a;
  return b.kind === 'unknown' ? b : { kind: 'known', perHour: a.perHour + b.perHour };
}
