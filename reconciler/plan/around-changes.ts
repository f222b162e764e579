// What a commit would change around its services: fleets and volumes, each in words and, where machines are kept that no
// service uses, at its price. Pure.
import type { Around, AroundStates, DesiredAround } from '../../schemas/around.ts';
import type { DesiredFleet, FleetSpec, FleetState } from '../../schemas/fleet.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { Market } from '../../schemas/offer.ts';
import type { AroundChange } from '../../schemas/plan.ts';
import type { DesiredVolume, VolumeState } from '../../schemas/volume.ts';
import {
  aroundText,
  idleText,
  keptText,
  mostText,
  periodText,
  placeText,
  volumeText,
} from './around-text.ts';
import { type Demand, type Occupancy, occupancyOf } from './fleet/kept.ts';
import { fleetPrice, takenPrice } from './fleet/price.ts';
import { isSameValue } from './same.ts';

export interface AroundContext {
  /** In force. */
  readonly known: Around;
  readonly wanted: Around;
  readonly states: AroundStates;
  /** What machines of a fleet could be bought for; undefined: nobody was asked. */
  readonly marketOf: (fleet: string) => Market | undefined;
}

/** Of all services as they will be: at the counts that they begin with, and at their highest. */
export interface Demands {
  readonly steady: readonly Demand[];
  readonly most: readonly Demand[];
  /** Of replicas that are to be created. */
  readonly fresh: readonly Demand[];
}

/** By the names of keys. */
export function aroundChangesOf(
  context: AroundContext,
  demands: Pick<Demands, 'steady' | 'most'>,
): AroundChange[] {
  const { known, wanted, states } = context;
  const names = [...new Set([...known.keys(), ...wanted.keys()])].toSorted();
  const [steady, most] = [occupancyIn(wanted, demands.steady), occupancyIn(wanted, demands.most)];
  return names.flatMap((key): AroundChange[] => {
    const { kind, name = '' } = aroundOf(key) ?? {};
    const [was, is, state] = [known.get(key) ?? null, wanted.get(key) ?? null, states.get(key) ?? null];
    if (kind === undefined) return [];
    if (kind === 'volume') {
      const volume = { was, is, state } as Volume;
      return [{ kind, name, ...volumeChange(volume) }];
    }
    const fleet = { was, is, state } as Fleet;
    const price = fleetPrice(fleet, context.marketOf(name), steady.get(name), most.get(name));
    return [{ kind, name, ...fleetChange(fleet), price }];
  });
}

/** What both the price of a fleet and those of services have at the peak. */
export function countedTwice({ states }: AroundContext, { fresh }: Pick<Demands, 'fresh'>): number {
  return takenPrice(
    [...states.values()].filter((state) => 'machines' in state),
    fresh,
  );
}

/** How many machines each fleet would have for these replicas. */
export function occupancyIn(around: Around, demands: readonly Demand[]): ReadonlyMap<string, Occupancy> {
  const fleets = [...around.values()].flatMap(({ spec }) =>
    'nodes' in spec && spec.refusal === null ? [spec] : [],
  );
  return occupancyOf(new Map(fleets.map(({ name, nodes }) => [name, nodes])), demands);
}

// Private

type What = Pick<AroundChange, 'change' | 'text'>;

interface Fleet {
  readonly was: DesiredFleet | null;
  /** null: its file is gone. */
  readonly is: DesiredFleet | null;
  readonly state: FleetState | null;
}

interface Volume {
  readonly was: DesiredVolume | null;
  readonly is: DesiredVolume | null;
  readonly state: VolumeState | null;
}

const UNCHANGED: What = { change: 'keep', text: 'unchanged' };

function brokenText(desired: DesiredAround): string {
  return `${desired.file} has errors: it stays as it is`;
}

function hasErrors({ problems }: DesiredAround): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

function fleetChange({ was, is, state }: Fleet): What {
  if (!is) return { change: 'delete', text: leavingText(was, state) };
  if (hasErrors(is)) return { change: 'keep', text: brokenText(is) };
  const refusal = is.spec.refusal === null ? '' : `: ${is.spec.refusal}`;
  if (!was) return { change: 'create', text: refusal ? `no machine can be had${refusal}` : aroundText(is) };
  if (isSameValue(was.spec, is.spec)) return UNCHANGED;
  return {
    change: 'update',
    text: refusal ? `no machine can be had${refusal}` : differenceText(was.spec, is.spec),
  };
}

function leavingText(was: DesiredFleet | null, state: FleetState | null): string {
  const why = was?.file === '' ? 'no service leaves it machines any more' : 'its file is gone';
  const machines = state?.machines.length ?? 0;
  if (machines === 0) return `${why}; it has no machines`;
  const whose = [...new Set(state?.machines.flatMap(({ guest }) => guest?.replica || []))];
  const end = `${why}; its ${machines === 1 ? 'machine ends' : `${machines} machines end`}`;
  return whose.length > 0 ? `${end} once nobody uses them any more (now ${whose.join(', ')})` : end;
}

function differenceText(was: FleetSpec, is: FleetSpec): string {
  const isOther = !isSameValue(was.placement, is.placement) || was.refusal !== is.refusal;
  const { nodes, idleMs } = is;
  return [
    ...(was.nodes.min === nodes.min ? [] : [`${keptText(nodes.min)} (now ${was.nodes.min})`]),
    ...(was.nodes.max === nodes.max ? [] : [`${mostText(nodes.max)} (now ${was.nodes.max ?? 'any number'})`]),
    ...(was.idleMs === idleMs ? [] : [`${idleText(idleMs)} (now ${periodText(was.idleMs)})`]),
    ...(isOther ? ['other machines: those that do not fit are given back once nobody uses them'] : []),
  ].join('; ');
}

function volumeChange({ was, is, state }: Volume): What {
  if (!is) return volumeLeft(was, state);
  if (hasErrors(is)) return { change: 'keep', text: brokenText(is) };
  if (!was) return { change: 'create', text: newVolumeText(is) };
  const asked = state?.spec ?? was.spec;
  if (isSameValue(asked, is.spec)) return UNCHANGED;
  // As the decision has it (`volume.ts`): nothing is made yet, or what was is lost.
  const isOpen =
    state === null || state.phase === 'lost' || (state.phase === 'creating' && state.id === null);
  if (isOpen) return { change: 'update', text: `${volumeText(is.spec)} (now ${volumeText(asked)})` };
  return {
    change: 'keep',
    text: `it stays as it is, in ${placeText(asked)}: a volume is never changed in place. Give a new one another name`,
  };
}

/** Only what was never made is forgotten. */
function volumeLeft(was: DesiredVolume | null, state: VolumeState | null): What {
  const isMade = state !== null && (state.id !== null || state.spec.existing !== null);
  if (was && !isMade) return { change: 'delete', text: 'its file is gone; it was not made yet' };
  return {
    change: 'keep',
    text: 'its file is gone; the volume stays, with what is on it: only a person deletes it, where it is',
  };
}

function newVolumeText(desired: DesiredVolume): string {
  const { refusal, existing } = desired.spec;
  if (refusal !== null) return `it cannot be had: ${refusal}`;
  return existing === null ? aroundText(desired) : `${aroundText(desired)}, which is there already`;
}
