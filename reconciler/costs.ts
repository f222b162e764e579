// Finds out what services cost where a budget has to be judged: what runs by what is paid for it, what does not run yet
// by what it would be sold for now.
import type { DesiredRecord, ServiceSpec } from '../schemas/desired.ts';
import { asFailure } from '../schemas/errors.ts';
import type { ServiceState } from '../schemas/rollout.ts';
import type { Cost, Costs } from './plan/cost.ts';
import type { Store } from './store/store.ts';

/** What a service would cost at its highest count, by what is sold now. A failure means that nobody knows. */
export type PriceOf = (spec: ServiceSpec) => Promise<{ readonly steadyMax: number }>;

export interface CostOptions {
  readonly project: string;
  readonly store: Pick<Store, 'list'>;
  readonly priceOf: PriceOf;
  readonly known: ReadonlyMap<string, DesiredRecord>;
  readonly next: ReadonlyMap<string, DesiredRecord>;
}

/** Asks nobody where nothing is needed. */
export async function readCosts(
  options: CostOptions,
  needed: { readonly now: readonly string[]; readonly wanted: readonly string[] },
): Promise<Costs> {
  const states = needed.now.length > 0 ? await readStates(options) : new Map<string, ServiceState>();
  const ask = (spec: ServiceSpec | undefined) => askFor(options.priceOf, spec);
  const now = needed.now.map(async (name) => {
    const spec = options.known.get(name)?.service?.spec;
    const paid = spec ? paidFor(spec, states.get(name)) : null;
    return [name, paid ?? (await ask(spec))] as const;
  });
  const wanted = needed.wanted.map(
    async (name) => [name, await ask(options.next.get(name)?.service?.spec)] as const,
  );
  return { now: new Map(await Promise.all(now)), wanted: new Map(await Promise.all(wanted)) };
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

async function askFor(priceOf: PriceOf, spec: ServiceSpec | undefined): Promise<Cost> {
  if (!spec) return { kind: 'unknown', reason: 'there is no file that says what it needs' };
  try {
    return { kind: 'known', perHour: (await priceOf(spec)).steadyMax };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: 'unknown', reason: asFailure(error).message };
  }
}
