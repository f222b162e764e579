// How a run ended for what is around its services: fleets with their machines, volumes with who holds them.
import type { AroundView } from '../../schemas/api-around.ts';
import { aroundReadings } from '../read-around.ts';
import type { KeyRecord } from '../store/store.ts';
import { seconds } from './story.ts';
import type { WaitSummary } from './summary.ts';

export interface FleetSummary {
  /** Whatever state they are in. */
  readonly machines: number;
  readonly used: number;
  readonly idle: number;
  /** At least so many are kept. */
  readonly kept: number;
  readonly waiting?: readonly WaitSummary[];
}

export interface VolumeSummary {
  readonly phase: string;
  /** The replicas whose machines have it. */
  readonly heldBy: readonly string[];
  readonly waiting?: readonly WaitSummary[];
}

export interface AroundSummary {
  /** Absent: there are none. */
  readonly fleets?: { readonly [name: string]: FleetSummary };
  readonly volumes?: { readonly [name: string]: VolumeSummary };
}

/** `start`: epoch ms of the beginning. */
export function aroundSummary(
  around: readonly KeyRecord[],
  services: readonly KeyRecord[],
  start: number,
): AroundSummary {
  const views = aroundReadings(around, services, (ms) => new Date(ms).toISOString()).map(({ view }) => view);
  const since = (time: string) => seconds(Date.parse(time) - start);
  const fleets = views.flatMap((view) =>
    view.kind === 'fleet' ? [[view.name, fleetOf(view, since)] as const] : [],
  );
  const volumes = views.flatMap((view) =>
    view.kind === 'volume' ? [[view.name, volumeOf(view, since)] as const] : [],
  );
  return {
    ...(fleets.length > 0 ? { fleets: Object.fromEntries(fleets) } : {}),
    ...(volumes.length > 0 ? { volumes: Object.fromEntries(volumes) } : {}),
  };
}

// Private

type Since = (time: string) => number;

function fleetOf(view: AroundView & { readonly kind: 'fleet' }, since: Since): FleetSummary {
  const { machines, nodes } = view;
  return {
    machines: machines.length,
    used: machines.filter(({ guest }) => guest !== null).length,
    idle: machines.filter(({ guest, phase }) => guest === null && phase === 'ready').length,
    kept: nodes.min,
    ...waitingOf(view, since),
  };
}

function volumeOf(view: AroundView & { readonly kind: 'volume' }, since: Since): VolumeSummary {
  const { phase, heldBy } = view;
  return { phase, heldBy: heldBy.map(({ replica }) => replica), ...waitingOf(view, since) };
}

function waitingOf({ waiting }: AroundView, since: Since): { readonly waiting?: readonly WaitSummary[] } {
  if (!waiting) return {};
  return {
    waiting: waiting.map(({ since: from, until, ...rest }) => ({
      ...rest,
      since: since(from),
      until: until === null ? null : since(until),
    })),
  };
}
