// Asks what backends would sell for every group of many services, and what that comes to.
import type { Around } from '../schemas/around.ts';
import type { DesiredService, Placement, ProcessSpec, ServiceSpec } from '../schemas/desired.ts';
import { Failure } from '../schemas/errors.ts';
import type { FleetSpec } from '../schemas/fleet.ts';
import { canonical } from '../schemas/json.ts';
import type { Market } from '../schemas/offer.ts';
import type { AroundContext } from './plan/around-changes.ts';
import type { MarketOf } from './plan/diff.ts';
import { unitOf } from './plan/fleet/price.ts';
import { changedPrice, groupPlanOf } from './plan/price.ts';
import { type Lasting, marketFor, marketOfFleet, type Standing, type Supply } from './supply.ts';

/** What a process is made of may tell what machine it needs. */
export type Ask = (
  placement: Placement,
  process: Pick<ProcessSpec, 'image' | 'docker' | 'privileged' | 'volumes'>,
) => Market | Promise<Market>;

/** Asks once for each different question. */
export function askOnce(ask: Ask): Ask {
  const answers = new Map<string, ReturnType<Ask>>();
  return (placement, process) => {
    const { image, docker, privileged, volumes } = process;
    // Of an image it matters that there is one, not which.
    const key = canonical({ placement, isDefault: image === null, docker, privileged, volumes });
    const answer = answers.get(key) ?? ask(placement, process);
    answers.set(key, answer);
    return answer;
  };
}

export async function askMarkets(
  services: ReadonlyMap<string, Pick<DesiredService, 'spec'>>,
  ask: Ask,
  supply: Supply,
): Promise<MarketOf> {
  const groups = [...services].flatMap(([service, { spec }]) =>
    spec.groups.map((group) => ({ service, group, spec })),
  );
  const answers = await Promise.all(
    groups.map(async ({ service, group, spec }) => {
      const market = await marketFor(group, spec, ask, supply);
      return [keyOf(service, group.name), market] as const;
    }),
  );
  const byGroup = new Map(answers);
  return (service, group) => byGroup.get(keyOf(service, group));
}

/** What one machine of a fleet would cost. Throws where that cannot be said. */
export async function priceOfMachine(spec: FleetSpec, ask: Ask, supply: Lasting): Promise<number> {
  const market = await marketOfFleet(spec, ask, supply);
  const [failure] = market.failures;
  if (failure) throw new Failure('transient', `${failure.backend} cannot say its prices: ${failure.message}`);
  const price = unitOf(market);
  if (price === null) throw new Failure('no-capacity', `fleet ${spec.name}: nothing is for sale for it`);
  return price;
}

/** What a plan goes by for what is around services; fleets that keep machines, or have some at first, are asked for. */
export async function aroundContext(
  { around: known, states }: Standing,
  wanted: Around,
  ask: Ask,
  lasting: Lasting,
): Promise<AroundContext> {
  const fleets = [...wanted.values()].flatMap(({ spec }) =>
    'nodes' in spec && spec.refusal === null && spec.nodes.target > 0 ? [spec] : [],
  );
  const answers = fleets.map(async (spec) => [spec.name, await marketOfFleet(spec, ask, lasting)] as const);
  const markets = new Map(await Promise.all(answers));
  return { known, wanted, states, marketOf: (fleet) => markets.get(fleet) };
}

/** What a service would cost by itself, by what is sold now. Throws where that cannot be said for all of it. */
export async function priceOfSpec(
  spec: ServiceSpec,
  ask: Ask,
  supply: Supply,
): Promise<{ readonly steadyMax: number }> {
  const markets = await Promise.all(spec.groups.map((group) => marketFor(group, spec, ask, supply)));
  const [failure] = markets.flatMap(({ failures }) => failures);
  if (failure) throw new Failure('transient', `${failure.backend} cannot say its prices: ${failure.message}`);
  const groups = spec.groups.map((group, index) => groupPlanOf(group, markets[index]));
  const unsold = groups.find(({ pricePerReplica }) => pricePerReplica === null);
  if (unsold) throw new Failure('no-capacity', `${spec.name}: nothing is for sale that it could run on`);
  return changedPrice({ spec, shapes: {} }, undefined, groups);
}

// Private

function keyOf(service: string, group: string): string {
  return JSON.stringify([service, group]);
}
