// A network volume: a disk of a cloud that outlives machines. It is made and found again, never deleted and never changed:
// what is on it is worth more than any file that names it.
import type { Problem } from './errors.ts';
import type { Waiting } from './rollout.ts';

export interface VolumeSpec {
  readonly name: string;
  readonly backend: string;
  /** '': its backend has none. */
  readonly region: string;
  /** null: any in the region. */
  readonly zone: string | null;
  /** Of a new one. */
  readonly sizeGib: number;
  /** The id of one that is there already; null: it is made. */
  readonly existing: string | null;
  /** Why none can be had by it; null: one can. */
  readonly refusal: string | null;
}

/** What the store keeps of a volume from the side of git, under the key `<project>/volume:<name>`. */
export interface DesiredVolume {
  /** Path in the repository. */
  readonly file: string;
  readonly commit: string;
  /** The last good one. */
  readonly spec: VolumeSpec;
  /** What is wrong with the newest version of its file. */
  readonly problems: readonly Problem[];
}

/** creating: asked for, or looked for · ready: there · lost: it was there, and is gone with all that was on it */
export type VolumePhase = 'creating' | 'ready' | 'lost';

/** The stored record of one volume; read and written whole by the holder of its key's lease. */
export interface VolumeState {
  readonly format: 1;
  readonly project: string;
  readonly volume: string;
  /** As it was asked for when it was made: what a file says later makes no other of it. */
  readonly spec: VolumeSpec;
  /** Of the commit that asked for it. */
  readonly commit: string;
  readonly phase: VolumePhase;
  /** The cloud's id; null until it has answered. */
  readonly id: string | null;
  /** Where it turned out to be. */
  readonly zone: string | null;
  /** Failed tries in a row, and when the next may be made (epoch ms). */
  readonly tries: number;
  readonly retryAt: number;
  readonly detail: string;
  readonly observedAt: number;
  readonly waiting: readonly Waiting[];
}

/** A volume as a cloud has it. */
export interface Disk {
  readonly id: string;
  readonly region: string;
  readonly zone: string | null;
  readonly sizeGib: number;
  readonly status: 'creating' | 'ready';
  /** null: it was made by somebody else. */
  readonly tags: { readonly owner: string; readonly project: string; readonly volume: string } | null;
}

/** Of a replica: a volume and where the process finds it. */
export interface Mounted {
  readonly volume: string;
  readonly id: string;
  readonly path: string;
}
