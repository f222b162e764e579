// Finds out what services cost where a budget has to be judged: what runs by what is paid for it, what does not run yet
// by what it would be sold for now.
import type { DesiredRecord, ServiceSpec } from '../schemas/desired.ts';
import { asFailure } from '../schemas/errors.ts';
import type { FleetSpec } from '../schemas/fleet.ts';
import { nameAround } from '../schemas/keys.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import { occupancyIn } from './plan/around-changes.ts';
import type { CostsNeeded } from './plan/budget.ts';
import { type Cost, type Costs, NO_COSTS } from './plan/cost.ts';
import { demandOf } from './plan/fleet/kept.ts';
import type { Store } from './store/store.ts';
import type { Standing } from './supply.ts';

/** What a service would cost at its highest count, by what is sold now. A failure means that nobody knows. */
export type PriceOf = (spec: ServiceSpec, standing: Standing) => Promise<{ readonly steadyMax: number }>;

/** What one machine of a fleet would cost. A failure means that nobody knows. */
export type PriceOfMachine = (spec: FleetSpec) => Promise<number>;

export interface CostOptions {
  readonly project: string;
  readonly store: Pick<Store, 'list'>;
  readonly priceOf: PriceOf;
  readonly priceOfMachine: PriceOfMachine;
  /** As the files ask for it. */
  readonly standing: () => Promise<Standing>;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  readonly next: ReadonlyMap<string, DesiredRecord>;
}

/** Asks nobody where nothing is needed. */
export async function readCosts(options: CostOptions, needed: CostsNeeded): Promise<Costs> {
  if (needed.now.length + needed.wanted.length === 0 && !needed.kept) return NO_COSTS;
  const states = needed.now.length > 0 ? await readStates(options) : new Map<string, ServiceState>();
  const standing = await options.standing();
  const ask = (spec: ServiceSpec | undefined) =>
    spec ? costOf(async () => (await options.priceOf(spec, standing)).steadyMax) : NO_FILE;
  const now = needed.now.map(async (name) => {
    const spec = options.known.get(name)?.service?.spec;
    const paid = spec ? paidFor(spec, states.get(name)) : null;
    return [name, paid ?? (await ask(spec))] as const;
  });
  const wanted = needed.wanted.map(
    async (name) => [name, await ask(options.next.get(name)?.service?.spec)] as const,
  );
  return {
    now: new Map(await Promise.all(now)),
    wanted: new Map(await Promise.all(wanted)),
    ...(needed.kept ? { kept: await keptCost(options, standing) } : {}),
  };
}

// Private

async function readStates({ store, project }: CostOptions): Promise<Map<string, ServiceState>> {
  const records = (await store.list(project)).filter(({ service, state }) => service !== '' && state);
  return new Map(records.map(({ service, state }) => [service, state as ServiceState]));
}

/** By the dearest replica that runs of each group; null where one has none. */
function paidFor(spec: ServiceSpec, state: ServiceState | undefined): Cost | null {
  let perHour = 0;
  for (const { name, replicas } of spec.groups) {
    const prices = (state?.replicas ?? [])
      .filter(({ group }) => group === name)
      .map(({ offer }) => offer.price);
    if (prices.length === 0) return null;
    perHour += Math.max(...prices) * replicas.max;
  }
  return { kind: 'known', perHour };
}

const NO_FILE: Cost = { kind: 'unknown', reason: 'there is no file that says what it needs' };

async function costOf(perHour: () => Promise<number>): Promise<Cost> {
  try {
    return { kind: 'known', perHour: await perHour() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: 'unknown', reason: asFailure(error).message };
  }
}

/** Of machines that fleets keep when every service that names them has all the replicas that it may have. */
async function keptCost({ next, priceOfMachine }: CostOptions, { around }: Standing): Promise<Cost> {
  const specs = [...next.values()].flatMap(({ service }) => service?.spec ?? []);
  const demands = specs.flatMap((spec) => demandOf(spec, ({ replicas }) => replicas.max));
  const spares = [...occupancyIn(around, demands)].filter(([, { spare }]) => spare > 0);
  return costOf(async () => {
    const costs = spares.map(async ([name, { spare }]) => {
      const spec = around.get(nameAround('fleet', name))?.spec;
      return spec && 'nodes' in spec ? spare * (await priceOfMachine(spec)) : 0;
    });
    return (await Promise.all(costs)).reduce((total, cost) => total + cost, 0);
  });
}
