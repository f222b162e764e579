// The machines of the fake cloud, without any trouble on the way to them. What there is at any moment is a function of
// what was done and of `now()`.
import { createHash } from 'node:crypto';
import type { Endpoint, Instance, ProcessOwner, ProcessStatus, Tags } from '../../schemas/actual.ts';
import { Failure } from '../../schemas/errors.ts';
import type { Availability, Offer } from '../../schemas/offer.ts';
import type { Disk } from '../../schemas/volume.ts';
import type { CreateRequest, DiskRequest, LogLine, ProcessRequest } from '../backend.ts';
import { createDisks } from './disks.ts';
import {
  type Behaviour,
  endpointOf,
  isHealthy,
  logAt,
  ORDINARY,
  processAt,
  type Run,
  type State,
  turningPoints,
} from './machine.ts';
import { sameOffer } from './market.ts';

/** A machine that was ever made: what a bill would list. */
export interface Machine {
  readonly id: string;
  readonly tags: Tags;
  /** Whose process was last run on it; null: nobody's. */
  readonly runs: ProcessRequest['replica'] | null;
  readonly offer: Offer;
  readonly createdAt: number;
  /** null while it is there. */
  readonly endedAt: number | null;
}

export interface CloudOptions {
  /** Epoch ms; never goes back. */
  readonly now: () => number;
  readonly name?: string;
  /** From `create` to running; a process can be run only then. */
  readonly bootMs?: number | ((request: CreateRequest) => number);
  /** From `terminate` until the machine is not found. */
  readonly endMs?: number;
  /** How long a new machine is missing in `list`. */
  readonly listLagMs?: number;
  /** How many machines of an offer there are; absent: enough. */
  readonly capacity?: (offer: Offer) => number;
  /** How many machines there are in all; absent: enough. */
  readonly total?: number;
  /** Other people's machines, there from the beginning: they take no capacity. */
  readonly residents?: readonly CreateRequest[];
  /** Of the process of a replica; absent: it listens after a second. `isWarm`: the machine has its image already. */
  readonly behaviour?: (replica: ProcessRequest['replica'], isWarm: boolean) => Partial<Behaviour>;
  /** From the order of a volume until it is ready. */
  readonly diskMs?: number;
  /** First number of the addresses of its machines, so that those of two clouds differ. */
  readonly network?: number;
}

export type Cloud = ReturnType<typeof createCloud>;

export function createCloud(options: CloudOptions) {
  const { now, name = 'fake', listLagMs = 0, network = 10 } = options;
  const { capacity = () => Number.POSITIVE_INFINITY, total = Number.POSITIVE_INFINITY } = options;
  const states = new Map<string, State>();
  const byAddress = new Map<string, State>();
  const residents = new Set<string>();
  const disks = createDisks({ ...options, name });
  const past: Machine[] = [];
  let made = 0;
  /** Rises with everything that is done; what only time does is in the turning points. */
  let version = 0;
  let turn = { version: -1, at: null as number | null };

  const isThere = ({ goneAt }: State) => goneAt === null || now() < goneAt;
  const there = (): State[] => {
    for (const state of states.values()) {
      if (isThere(state)) continue;
      states.delete(state.id);
      byAddress.delete(state.address);
      past.push(asMachine(state));
    }
    return [...states.values()];
  };
  const find = (id: string): State | null => {
    const state = states.get(id);
    return state !== undefined && isThere(state) ? state : null;
  };
  const must = (id: string): State => {
    const state = find(id);
    if (state === null) throw new Failure('not-found', `${name}: there is no instance ${id}`);
    return state;
  };
  /** Where what runs is meant by the tags; null: it is not there, or somebody else's is. */
  const reach = ({ id, tags }: Addressed): State | null => {
    const state = find(id);
    const isWhole = state?.tags.replica === tags.replica;
    return state && (isWhole || (state.run !== null && isOf(state.run, tags))) ? state : null;
  };
  const change = (id: string): State => {
    version += 1;
    return must(id);
  };
  const isSoldOut = (offer: Offer): boolean => {
    const taken = there().filter(({ id }) => !residents.has(id));
    return (
      taken.length >= total || taken.filter((each) => sameOffer(each.offer, offer)).length >= capacity(offer)
    );
  };
  const statusOf = ({ goneAt, readyAt }: State): Instance['status'] =>
    goneAt !== null ? 'stopping' : now() < readyAt ? 'provisioning' : 'running';
  const describe = (state: State): Instance => {
    const { id, tags, createdAt } = state;
    const { region, instance, price } = state.offer;
    const status = statusOf(state);
    return { id, backend: name, region, instance, status, tags, pricePerHour: price, createdAt };
  };
  const build = (id: string, request: CreateRequest): State => {
    const { tags, offer } = request;
    const { bootMs = 0 } = options;
    return {
      id,
      tags,
      offer,
      createdAt: now(),
      readyAt: now() + (typeof bootMs === 'number' ? bootMs : bootMs(request)),
      goneAt: null,
      address: addressOf(network, made++),
      run: null,
      images: new Set(),
    };
  };
  const requireFree = (volume: string, { id, offer }: State): void => {
    const disk = disks.find(volume);
    if (disk === null || disk.region !== offer.region)
      throw new Failure('invalid', `${name}: there is no volume ${volume} in ${offer.region}`);
    const holder = there().find(
      (each) => each.id !== id && each.run?.request.volumes?.some((held) => held.id === volume),
    );
    if (holder) throw new Failure('transient', `${name}: volume ${volume} is attached to ${holder.id}`);
  };
  const at = (endpoint: Endpoint): State | null => {
    const state = endpoint.kind === 'tcp' ? byAddress.get(endpoint.host) : undefined;
    return state !== undefined && isThere(state) ? state : null;
  };

  for (const request of options.residents ?? []) {
    const state: State = { ...build(idOf(request.tags), request), readyAt: now() };
    residents.add(state.id);
    states.set(state.id, state);
  }

  return {
    name,
    disks,
    makeDisk(request: DiskRequest): Disk {
      version += 1;
      return disks.make(request);
    },
    there,
    find,
    describe,
    version: () => version,
    describeIfThere(id: string): Instance | null {
      const state = find(id);
      return state === null ? null : describe(state);
    },
    availability: (offer: Offer): Availability => (isSoldOut(offer) ? 'not-available' : offer.availability),
    make(request: CreateRequest): State {
      const { tags, offer } = request;
      const present = find(idOf(tags));
      if (present !== null) return present;
      if (isSoldOut(offer))
        throw new Failure('no-capacity', `${name}: no ${offer.instance} in ${offer.region} is left`);
      there();
      const state = build(idOf(tags), request);
      states.set(state.id, state);
      byAddress.set(state.address, state);
      version += 1;
      return state;
    },
    listed: (owner: string): readonly Instance[] =>
      there()
        .filter(({ tags, createdAt }) => tags.owner === owner && now() >= createdAt + listLagMs)
        .map(describe),
    end(id: string, ms: number): void {
      const state = change(id);
      state.goneAt = Math.min(state.goneAt ?? Number.POSITIVE_INFINITY, now() + ms);
    },
    start({ id }: Addressed, request: ProcessRequest): void {
      const state = change(id);
      if (state.run !== null && isOf(state.run, request.replica)) return;
      if (state.run !== null)
        throw new Failure('transient', `${name}: ${state.run.request.replica.replica} is still on ${id}`);
      if (now() < state.readyAt) throw new Failure('transient', `${name}: ${id} does not answer yet`);
      for (const { id: volume } of request.volumes ?? []) requireFree(volume, state);
      const image = request.spec.image ?? '';
      const behaviour = { ...ORDINARY, ...options.behaviour?.(request.replica, state.images.has(image)) };
      state.images.add(image);
      state.run = { request, behaviour, at: now(), stopAt: null, crash: null };
    },
    status(instance: Addressed): ProcessStatus {
      const state = reach(instance);
      return state === null ? { kind: 'absent' } : processAt(state, now());
    },
    stop(instance: Addressed): void {
      const run = reach(instance)?.run ?? null;
      if (run === null) return;
      version += 1;
      run.stopAt ??= now();
    },
    clear(instance: Addressed): void {
      const state = reach(instance);
      change(instance.id);
      if (state !== null && processAt(state, now()).kind === 'exited') state.run = null;
    },
    retag(id: string, tags: Partial<Tags>): void {
      const before = change(id);
      const state = { ...before, tags: { ...before.tags, ...tags } };
      states.set(id, state);
      byAddress.set(state.address, state);
    },
    crash(id: string, code: number | null): void {
      const { run } = change(id);
      if (run !== null) run.crash ??= { at: now(), code };
    },
    endpoint(instance: Addressed): Endpoint | null {
      const state = reach(instance);
      return state?.run ? endpointOf(state) : null;
    },
    lines(instance: Addressed): readonly LogLine[] {
      const state = reach(instance);
      return state === null ? [] : logAt(state, now());
    },
    healthy(endpoint: Endpoint): boolean {
      const state = at(endpoint);
      return state !== null && isHealthy(state, now());
    },
    processAt(endpoint: Endpoint): ProcessStatus {
      const state = at(endpoint);
      return state === null ? { kind: 'absent' } : processAt(state, now());
    },
    live: (): readonly Machine[] => there().map((state) => ({ ...asMachine(state), endedAt: null })),
    ended(from: number): readonly Machine[] {
      there();
      return past.slice(from);
    },
    nextChangeAt(): number | null {
      const isFresh = turn.version === version && (turn.at === null || turn.at > now());
      if (isFresh) return turn.at;
      const points = [
        ...there().flatMap((state) => turningPoints(state, listLagMs, now())),
        disks.nextChangeAt() ?? Number.POSITIVE_INFINITY,
      ];
      const next = points
        .filter((point) => point > now())
        .reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
      turn = { version, at: Number.isFinite(next) ? next : null };
      return turn.at;
    },
  };
}

// Private

/** A machine, and whose process is meant; the machine's own tags mean any. */
type Addressed = Pick<Instance, 'id' | 'tags'>;

function isOf({ request }: Run, { replica, attempt }: ProcessOwner): boolean {
  return request.replica.replica === replica && request.replica.attempt === attempt;
}

function asMachine({ id, tags, run, offer, createdAt, goneAt }: State): Machine {
  return { id, tags, runs: run?.request.replica ?? null, offer, createdAt, endedAt: goneAt };
}

function addressOf(network: number, number: number): string {
  return `${network}.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** Equal requests have equal ids: what makes `create` safe to repeat. */
function idOf({ owner, project, replica, attempt }: Tags): string {
  const hash = createHash('sha256').update(JSON.stringify([owner, project, replica, attempt]));
  return `${replica}-${hash.digest('hex').slice(0, 8)}`;
}
