// What a run looked like from outside, kept as it happens: how each replica went, and the least and the most there were.
import type { Machine } from '../../backends/fake/cloud.ts';
import type { FleetState } from '../../schemas/fleet.ts';
import { aroundOf } from '../../schemas/keys.ts';
import type { Replica, ReplicaPhase, ServiceState } from '../../schemas/rollout.ts';
import { wantedTotal } from '../plan/status.ts';
import { OWNER } from './daemon.ts';

/** `lost`: the record has it as serving, but nothing answers there. */
export type LanePhase = ReplicaPhase | 'lost';

/** A stretch of a replica's life. Times in ms from the beginning. */
export interface Stretch {
  readonly phase: LanePhase;
  readonly from: number;
  to: number;
}

export interface Lane {
  readonly service: string;
  readonly replica: string;
  readonly number: number;
  readonly group: string;
  /** The deployment it was made for. */
  readonly deployment: number;
  readonly stretches: readonly Stretch[];
}

/** A stretch of the life of a fleet's machine: who had it, and what became of it. */
export interface MachineStretch {
  readonly phase: 'creating' | 'used' | 'idle' | 'ending';
  /** Whose it was, or was to be; null: nobody's. */
  readonly guest: string | null;
  readonly from: number;
  to: number;
}

export interface MachineLane {
  readonly fleet: string;
  readonly machine: string;
  readonly number: number;
  readonly stretches: readonly MachineStretch[];
}

export interface Extremes {
  /** Ready at the same time, since the service first was complete; null: it never was. */
  readonly minReady: number | null;
  /** Live instances at the same time. */
  readonly maxLive: number;
  readonly live: number;
}

export interface Recorder {
  /** At a moment, `atMs` from the beginning; `machines`: those that are there. */
  look(
    atMs: number,
    records: {
      readonly states: ReadonlyMap<string, ServiceState>;
      readonly fleets: ReadonlyMap<string, FleetState>;
    },
    machines: readonly Machine[],
  ): void;
  lanes(): readonly Lane[];
  /** Of fleets. */
  machines(): readonly MachineLane[];
  of(service: string): Extremes;
  /** Over all services. */
  maxLive(): number;
  services(): readonly string[];
}

export function createRecorder(isServing: (replica: Replica) => boolean): Recorder {
  const lanes = new Map<string, Lane & { stretches: Stretch[] }>();
  const machineLanes = new Map<string, MachineLane & { stretches: MachineStretch[] }>();
  const extremes = new Map<string, { minReady: number | null; maxLive: number; live: number }>();
  let maxLive = 0;

  const extremesOf = (service: string) => {
    const found = extremes.get(service) ?? { minReady: null, maxLive: 0, live: 0 };
    extremes.set(service, found);
    return found;
  };
  const draw = (atMs: number, service: string, replica: Replica): void => {
    const { name, number, group, deployment } = replica;
    const key = `${service} ${name}`;
    const lane = lanes.get(key) ?? { service, replica: name, number, group, deployment, stretches: [] };
    lanes.set(key, lane);
    const phase = SERVING.has(replica.phase) && !isServing(replica) ? 'lost' : replica.phase;
    const last = lane.stretches.at(-1);
    if (last?.phase === phase) last.to = atMs;
    else {
      if (last) last.to = atMs;
      lane.stretches.push({ phase, from: atMs, to: atMs });
    }
  };
  const drawMachine = (atMs: number, fleet: string, machine: FleetState['machines'][number]): void => {
    const { name, number } = machine;
    const lane = machineLanes.get(name) ?? { fleet, machine: name, number, stretches: [] };
    machineLanes.set(name, lane);
    const [phase, guest] = [lookOf(machine), machine.guest?.replica ?? null];
    const last = lane.stretches.at(-1);
    if (last) last.to = atMs;
    if (last?.phase !== phase || last.guest !== guest)
      lane.stretches.push({ phase, guest, from: atMs, to: atMs });
  };
  const noteReady = (state: ServiceState): void => {
    const target = state.deployments.find(({ number }) => number === state.target);
    const own = extremesOf(state.service);
    if (!target) return;
    const ready = state.replicas.filter((replica) => replica.phase === 'ready' && isServing(replica)).length;
    if (own.minReady !== null) own.minReady = Math.min(own.minReady, ready);
    else if (ready > 0 && ready >= wantedTotal(state, target)) own.minReady = ready;
  };

  return {
    look(atMs, { states, fleets }, machines) {
      for (const state of states.values()) {
        for (const replica of state.replicas) draw(atMs, state.service, replica);
        noteReady(state);
      }
      for (const { fleet, machines: own } of fleets.values())
        for (const machine of own) drawMachine(atMs, fleet, machine);
      const live = machines.filter(({ tags }) => tags.owner === OWNER);
      maxLive = Math.max(maxLive, live.length);
      const guests = new Map([...fleets.values()].flatMap(guestsOf));
      const byService = Map.groupBy(live, ({ tags }) =>
        aroundOf(tags.service) ? (guests.get(tags.replica) ?? '') : tags.service,
      );
      byService.delete('');
      for (const service of new Set([...states.keys(), ...extremes.keys(), ...byService.keys()])) {
        const own = extremesOf(service);
        own.live = byService.get(service)?.length ?? 0;
        own.maxLive = Math.max(own.maxLive, own.live);
      }
    },
    lanes: () => [...lanes.values()],
    machines: () => [...machineLanes.values()],
    of: extremesOf,
    maxLive: () => maxLive,
    services: () => [...extremes.keys()],
  };
}

// Private

function lookOf({ phase, guest }: FleetState['machines'][number]): MachineStretch['phase'] {
  if (phase === 'ready') return guest ? 'used' : 'idle';
  return phase === 'creating' ? 'creating' : 'ending';
}

/** Whose machine it is now, by its name. */
function guestsOf({ machines }: FleetState): [machine: string, service: string][] {
  return machines.flatMap(({ name, guest }) => (guest ? [[name, guest.service]] : []));
}

const SERVING: ReadonlySet<ReplicaPhase> = new Set(['ready', 'unready']);
