// What services cost, as far as that is known: nothing is ever guessed.

/** USD per hour at the highest count; or why nobody can say. */
export type Cost =
  | { readonly kind: 'known'; readonly perHour: number }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface Costs {
  /** Of what is in force. */
  readonly now: ReadonlyMap<string, Cost>;
  /** Of what is asked for. */
  readonly wanted: ReadonlyMap<string, Cost>;
  /** Of machines that fleets keep beyond what services use at their highest counts. Absent: none, or nobody asked. */
  readonly kept?: Cost;
}

export const NO_COSTS: Costs = { now: new Map(), wanted: new Map() };

export function costIn(costs: ReadonlyMap<string, Cost>, service: string): Cost {
  return costs.get(service) ?? { kind: 'unknown', reason: `nobody was asked what ${service} costs` };
}

/** `$12.40/h` */
export function dollars(perHour: number): string {
  return `$${perHour.toFixed(2)}/h`;
}
