// What fleets keep beyond what services use: who is where is not known ahead, so replicas fill the fleets that they may
// run in one after the other, first up to what each keeps anyway.
import type { ServiceSpec } from '../../../schemas/desired.ts';
import { fleetsAsked } from './asked.ts';

export interface Capacity {
  readonly min: number;
  /** null: as many as are asked for. */
  readonly max: number | null;
}

/** Replicas that may run in any of these fleets. */
export interface Demand {
  readonly fleets: readonly string[];
  readonly count: number;
}

export interface Occupancy {
  readonly used: number;
  /** Kept, and used by nobody. */
  readonly spare: number;
}

export function demandOf(
  spec: ServiceSpec,
  countOf: (group: ServiceSpec['groups'][number]) => number,
): Demand[] {
  return spec.groups.flatMap((group) => {
    const fleets = fleetsAsked(group.placement, spec);
    return fleets ? [{ fleets, count: countOf(group) }] : [];
  });
}

export function occupancyOf(
  capacities: ReadonlyMap<string, Capacity>,
  demands: readonly Demand[],
): ReadonlyMap<string, Occupancy> {
  const used = new Map([...capacities.keys()].map((name) => [name, 0]));
  for (const { fleets, count } of demands) {
    const named = fleets.filter((name) => capacities.has(name));
    const left = named.reduce((rest, name) => rest - take(name, rest, capacities.get(name)?.min ?? 0), count);
    named.reduce(
      (rest, name) => rest - take(name, rest, capacities.get(name)?.max ?? Number.POSITIVE_INFINITY),
      left,
    );
  }
  return new Map(
    [...capacities].map(([name, { min }]) => {
      const count = used.get(name) ?? 0;
      return [name, { used: count, spare: Math.max(0, min - count) }];
    }),
  );

  function take(name: string, count: number, limit: number): number {
    const before = used.get(name) ?? 0;
    const taken = Math.min(count, Math.max(0, limit - before));
    used.set(name, before + taken);
    return taken;
  }
}
