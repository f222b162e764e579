// The pass of one volume.
import type { Backend } from '../backends/backend.ts';
import { asFailure, Failure } from '../schemas/errors.ts';
import { aroundOf } from '../schemas/keys.ts';
import type { DesiredVolume, Disk, VolumeState } from '../schemas/volume.ts';
import { type Kind, type PassDeps, runPass } from './pass.ts';
import { isSameValue } from './plan/same.ts';
import {
  checkVolume,
  type DiskFact,
  decideVolume,
  foldDisk,
  foldDiskFailure,
  type VolumeInput,
  type VolumeStep,
} from './plan/volume.ts';
import type { Claim, KeyRecord, Settlement } from './store/store.ts';

export interface VolumePassDeps extends PassDeps {
  readonly owner: string;
  readonly backends: ReadonlyMap<string, Backend>;
  /** Keys of services that wait for what is around them. */
  readonly waiting: () => readonly string[];
}

/** Does one pass; the settlement it returns has yet to be written, and gives the lease back. */
export function passVolume(deps: VolumePassDeps, claim: Claim): Promise<Settlement> {
  return runPass(deps, kindOf(deps), claim);
}

// Private

function kindOf(deps: VolumePassDeps): Kind<VolumeInput, VolumeState, VolumeStep> {
  return {
    observe: (claim, at) => observe(deps, claim.record, at),
    stateOf: ({ state }) => state,
    decide: decideVolume,
    check: checkVolume,
    async execute(_, state) {
      const disk = await disksOf(deps, state).create(requestOf(deps, state));
      return (after) => foldDisk(after, disk);
    },
    fail: (_, state, _step, failure, now) => foldDiskFailure(state, failure, now),
    isSame: (before, after) => {
      if (before === null || after === null) return before === after;
      return isSameValue({ ...before, observedAt: 0 }, { ...after, observedAt: 0 });
    },
    hasMoved: (before, after) => before?.phase !== after.phase || before.id !== after.id,
    alongside: (before, after) => (before?.phase === after?.phase ? {} : { wakes: deps.waiting() }),
    note: () => {},
  };
}

async function observe(deps: VolumePassDeps, record: KeyRecord, at: () => number): Promise<VolumeInput> {
  const { project, service } = record;
  const volume = aroundOf(service)?.name ?? '';
  const desired = record.desired as DesiredVolume | null;
  const state = record.state as VolumeState | null;
  const disk = await factOf(deps, project, volume, desired, state);
  return { project, volume, desired, state, disk, now: at() };
}

async function factOf(
  deps: VolumePassDeps,
  project: string,
  volume: string,
  desired: DesiredVolume | null,
  state: VolumeState | null,
): Promise<DiskFact> {
  // What was never made is looked for where the newest file has it.
  const spec = state?.id ? state.spec : (desired?.spec ?? state?.spec);
  if (!spec) return { kind: 'missing' };
  try {
    const disks = disksOf(deps, { spec });
    const id = state?.id ?? spec.existing;
    const disk = id ? await disks.get(id) : await found(deps, disks, project, volume);
    return disk ? { kind: 'present', disk } : { kind: 'missing' };
  } catch (error) {
    return { kind: 'unknown', reason: asFailure(error).message };
  }
}

/** The answer to `create` may have been lost, or the database with the id. */
async function found(
  { owner }: VolumePassDeps,
  disks: NonNullable<Backend['disks']>,
  project: string,
  volume: string,
): Promise<Disk | null> {
  const all = await disks.list(owner);
  return all.find(({ tags }) => tags?.project === project && tags.volume === volume) ?? null;
}

function disksOf(
  { backends }: VolumePassDeps,
  { spec }: Pick<VolumeState, 'spec'>,
): NonNullable<Backend['disks']> {
  const backend = backends.get(spec.backend);
  if (!backend)
    throw new Failure('transient', `backend ${spec.backend} is not configured: no volume can be had there`);
  if (!backend.disks) throw new Failure('transient', `backend ${spec.backend} has no volumes`);
  return backend.disks;
}

function requestOf({ owner }: VolumePassDeps, { project, volume, spec }: VolumeState) {
  const { region, zone, sizeGib } = spec;
  return { tags: { owner, project, volume }, region, zone, sizeGib };
}
