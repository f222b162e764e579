// A fleet: machines that outlive what runs on them. The machine is the fleet's, the process on it the service's. A
// service asks by naming the fleet in its replica's offer; the fleet answers in its own record. So each record has one
// writer, and everybody reads the others'.
import type { Placement } from './desired.ts';
import type { Problem } from './errors.ts';
import type { Offer } from './offer.ts';
import type { SetAside, Waiting } from './rollout.ts';

/** What services with an `idle_duration` and no `fleets` share; no file may declare a fleet of this name. */
export const IDLE_POOL = 'idle';

/** How long a machine that was made for a service of a fleet is kept once it is idle, where the service does not say. */
export const RUN_IDLE_MS = 300_000;
export const FLEET_IDLE_MS = 259_200_000;

export interface FleetSpec {
  readonly name: string;
  readonly nodes: {
    /** Kept, whether or not anybody uses them. */
    readonly min: number;
    /** As many are made at first. */
    readonly target: number;
    /** null: as many as are asked for. */
    readonly max: number | null;
  };
  /** What each machine must have, and where it may be. */
  readonly placement: Placement;
  /** How long an idle machine is kept beyond `nodes.min`; null: for ever. */
  readonly idleMs: number | null;
  /** Why no machine can be had by it here; null: they can. */
  readonly refusal: string | null;
}

/** What the store keeps of a fleet from the side of git, under the key `<project>/fleet:<name>`. */
export interface DesiredFleet {
  /** Path in the repository; '': no file declares it. */
  readonly file: string;
  readonly commit: string;
  /** The last good one. */
  readonly spec: FleetSpec;
  /** What is wrong with the newest version of its file. */
  readonly problems: readonly Problem[];
}

/** The replica that has a machine, or asks for one. */
export interface Guest {
  readonly service: string;
  readonly replica: string;
  readonly attempt: number;
}

/**
 * creating: asked for · ready: there, for whoever asks, or used · clearing: what ran on it is ended and removed ·
 * ending: it is being given back
 */
export type MachinePhase = 'creating' | 'ready' | 'clearing' | 'ending';

export interface Machine {
  /** `<fleet>-m<number>`: never the name of a replica, which ends with a number alone. */
  readonly name: string;
  readonly number: number;
  readonly attempt: number;
  readonly phase: MachinePhase;
  readonly offer: Offer;
  /** The instance's id; null until the backend has answered `create`. */
  readonly instance: string | null;
  /** Who has it; null: nobody. */
  readonly guest: Guest | null;
  /** How long it is kept once it is idle, where that is less than the fleet's file says now; null: as that says. */
  readonly keepMs: number | null;
  /** Since when nobody has had it (epoch ms); null: it is used, or not there yet. */
  readonly idleSince: number | null;
  /** Observed ms in its present phase. */
  readonly stageMs: number;
  /** Why it ends; '' while it is wanted. */
  readonly leaving: string;
  readonly createdAt: number;
  /** Failed tries of its present step in a row, and when the next may be made (epoch ms). */
  readonly tries: number;
  readonly retryAt: number;
  readonly detail: string;
}

/** A machine that a guest cannot have. Kept until it does not ask any more. */
export interface Refusal extends Guest {
  readonly kind: 'no-capacity' | 'quota' | 'unauthorized' | 'invalid';
  readonly message: string;
}

/** The stored record of one fleet; read and written whole by the holder of its key's lease. */
export interface FleetState {
  readonly format: 1;
  readonly project: string;
  readonly fleet: string;
  readonly lastMachine: number;
  /** The first attempt of every machine: higher than any that a lost database may have known. */
  readonly firstAttempt: number;
  /** As many as `nodes.target` were asked for, at first. */
  readonly isBegun: boolean;
  readonly machines: readonly Machine[];
  readonly refusals: readonly Refusal[];
  readonly setAside: readonly SetAside[];
  /** When the last pass looked. */
  readonly observedAt: number;
  readonly waiting: readonly Waiting[];
}
