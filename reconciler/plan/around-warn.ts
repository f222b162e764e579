// What a reader of a plan must see of fleets: machines that nobody sells, and money that a budget does not hold back.

import type { FleetState } from '../../schemas/fleet.ts';
import { nameAround } from '../../schemas/keys.ts';
import type { AroundChange, PlanWarning, Price } from '../../schemas/plan.ts';
import type { AroundContext } from './around-changes.ts';
import { dollars } from './cost.ts';
import { isStaying } from './fleet/lend.ts';
import { unitOf } from './fleet/price.ts';

/** `total`: of the whole plan. */
export function aroundWarnings(
  changes: readonly AroundChange[],
  context: AroundContext,
  total: Price,
  budget: number | null,
): PlanWarning[] {
  return [...changes.flatMap((change) => unsold(change, context)), ...overBudget(changes, total, budget)];
}

// Private

function unsold(
  { kind, name, change }: AroundChange,
  { wanted, states, marketOf }: AroundContext,
): PlanWarning[] {
  const key = nameAround(kind, name);
  const spec = wanted.get(key)?.spec;
  if (!spec || !('nodes' in spec) || change === 'delete' || change === 'keep') return [];
  const state = (states.get(key) ?? null) as FleetState | null;
  const kept = state?.isBegun ? spec.nodes.min : spec.nodes.target;
  const lack = kept - (state?.machines.filter(isStaying).length ?? 0);
  const market = marketOf(name);
  if (lack <= 0 || !market || unitOf(market) !== null) return [];
  const machines = `${lack} machine${lack === 1 ? '' : 's'}`;
  const message = `no offer matches what it asks for, so ${machines} of it will be missing`;
  return [{ kind: 'no-offer', service: key, message, fix: 'Ask for less, or allow more backends.' }];
}

/** Where fleets come to keep more than before, and all together costs more than allowed. */
function overBudget(changes: readonly AroundChange[], total: Price, budget: number | null): PlanWarning[] {
  const sum = (of: (price: Price) => number) =>
    changes.reduce((all, { price }) => all + (price ? of(price) : 0), 0);
  const kept = sum(({ steady }) => steady);
  if (budget === null || kept <= sum(({ now }) => now) || total.steadyMax <= budget) return [];
  const message = `fleets keep machines for ${dollars(kept)} beside what services use, which makes ${dollars(total.steadyMax)} in all; ${dollars(budget)} are allowed`;
  const fix = 'Keep fewer (`nodes`), or raise `budget` in trueup.yml: it holds back services, but no fleet.';
  return [{ kind: 'over-budget', service: '', message, fix }];
}
