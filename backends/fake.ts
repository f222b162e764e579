// A cloud in memory, on the caller's clock: latency, capacity, lost machines, and faults on demand or by chance (seeded).
// It has no timers: what there is at any moment is a function of `now()`, so a simulation may jump in time. After a
// jump, `tick` tells watchers and those who follow logs.
import { createHash } from 'node:crypto';
import type { Endpoint, Instance, Tags } from '../schemas/actual.ts';
import { Failure } from '../schemas/errors.ts';
import type { Offer } from '../schemas/offer.ts';
import type { Backend, Capabilities, CreateRequest, LogLine, ProcessRequest, Transport } from './backend.ts';
import {
  type Behaviour,
  endpointOf,
  isHealthy,
  logAt,
  ORDINARY,
  processAt,
  type State,
  turningPoints,
} from './fake/machine.ts';
import { byPrice, fits, sameOffer } from './fake/market.ts';
import { createTrouble, type Fault } from './fake/trouble.ts';

export type { Behaviour } from './fake/machine.ts';
export type { Fault } from './fake/trouble.ts';

export interface FakeOptions {
  readonly seed: number;
  /** Epoch ms; never goes back. */
  readonly now: () => number;
  readonly offers: readonly Offer[];
  readonly name?: string;
  /** From `create` to running; a process can be run only then. */
  readonly bootMs?: number;
  /** From `terminate` until the machine is not found. */
  readonly endMs?: number;
  /** How long a new machine is missing in `list`. */
  readonly listLagMs?: number;
  /** How many machines of an offer there are; absent: enough. */
  readonly capacity?: (offer: Offer) => number;
  /** By the tags, thus by shape; absent: it listens after a second. */
  readonly behaviour?: (tags: Tags) => Partial<Behaviour>;
  readonly capabilities?: Partial<Capabilities>;
}

/** A machine that was ever made: what a bill would list. */
export interface Machine {
  readonly id: string;
  readonly tags: Tags;
  readonly offer: Offer;
  readonly createdAt: number;
  /** null while it is there. */
  readonly endedAt: number | null;
}

export interface Fake extends Backend {
  inject(fault: Fault): void;
  /** From now on each call fails as `transient` with this probability, half of them after the effect. */
  unreliable(probability: number): void;
  /** The machine is gone, as a reclaimed spot machine is. */
  lose(id: string): void;
  /** The process ends by itself now. `code` null: nobody saw how, as after a power cut. */
  crash(id: string, code: number | null): void;
  /** Whether a probe of what listens at `endpoint` would succeed now. */
  healthy(endpoint: Endpoint): boolean;
  machines(): readonly Machine[];
  /** When the next thing happens by itself; null: nothing will. */
  nextChangeAt(): number | null;
  /** Tells watchers and followers what has changed since the last time. */
  tick(): void;
}

export function openFake(options: FakeOptions): Fake {
  const cloud = createCloud(options);
  const { attempt, ...trouble } = createTrouble(options.seed, options.now);
  const audience = createAudience(cloud);
  return {
    name: cloud.name,
    capabilities: { ...EVERYTHING, ...options.capabilities },
    refuses: () => null,
    offers: (placement) =>
      attempt('offers', () => options.offers.filter((each) => fits(each, placement)).sort(byPrice)),
    create: (request) => attempt('create', () => cloud.describe(cloud.make(request))),
    get: (id) => attempt('get', () => cloud.describeIfThere(id)),
    list: (owner) => attempt('list', () => cloud.listed(owner)),
    terminate: (id) => attempt('terminate', () => cloud.end(id, options.endMs ?? 0)),
    transport: ({ id }) => ({
      run: (request) => attempt('run', () => cloud.start(id, request)),
      status: () => attempt('status', () => cloud.status(id)),
      stop: () => attempt('stop', () => cloud.stop(id)),
      endpoint: () => cloud.endpoint(id),
      logs: (how) => audience.follow(id, how),
    }),
    watch: audience.watch,
    close: async () => audience.dismiss(),
    ...trouble,
    lose: (id) => cloud.end(id, 0),
    crash: cloud.crash,
    healthy: cloud.healthy,
    machines: cloud.machines,
    nextChangeAt: cloud.nextChangeAt,
    tick: audience.tick,
  };
}

// Private

const EVERYTHING: Capabilities = {
  spot: true,
  volumes: true,
  containers: true,
  processes: true,
  privileged: true,
};

type Cloud = ReturnType<typeof createCloud>;

/** The machines, without any trouble on the way to them. */
function createCloud(options: FakeOptions) {
  const {
    now,
    name = 'fake',
    bootMs = 0,
    listLagMs = 0,
    capacity = () => Number.POSITIVE_INFINITY,
  } = options;
  /** All that ever were. */
  const states: State[] = [];

  const isThere = ({ goneAt }: State) => goneAt === null || now() < goneAt;
  const there = () => states.filter(isThere);
  const find = (id: string) => there().find((state) => state.id === id) ?? null;
  const must = (id: string): State => {
    const state = find(id);
    if (state === null) throw new Failure('not-found', `${name}: there is no instance ${id}`);
    return state;
  };
  const statusOf = ({ goneAt, readyAt }: State): Instance['status'] =>
    goneAt !== null ? 'stopping' : now() < readyAt ? 'provisioning' : 'running';
  const describe = (state: State): Instance => {
    const { id, tags, offer, createdAt } = state;
    const { region, instance, price } = offer;
    return {
      id,
      backend: name,
      region,
      instance,
      status: statusOf(state),
      tags,
      pricePerHour: price,
      createdAt,
    };
  };
  const build = (id: string, { tags, offer }: CreateRequest): State => {
    const behaviour = { ...ORDINARY, ...options.behaviour?.(tags) };
    const [createdAt, readyAt] = [now(), now() + bootMs];
    return {
      id,
      tags,
      offer,
      behaviour,
      createdAt,
      readyAt,
      goneAt: null,
      address: addressOf(states.length),
      run: null,
    };
  };

  return {
    name,
    there,
    find,
    describe,
    describeIfThere(id: string): Instance | null {
      const state = find(id);
      return state === null ? null : describe(state);
    },
    make(request: CreateRequest): State {
      const { tags, offer } = request;
      const present = find(idOf(tags));
      if (present !== null) return present;
      if (there().filter((each) => sameOffer(each.offer, offer)).length >= capacity(offer)) {
        throw new Failure('no-capacity', `${name}: no ${offer.instance} in ${offer.region} is left`);
      }
      const state = build(idOf(tags), request);
      states.push(state);
      return state;
    },
    listed: (owner: string): readonly Instance[] =>
      there()
        .filter(({ tags, createdAt }) => tags.owner === owner && now() >= createdAt + listLagMs)
        .map(describe),
    end(id: string, ms: number): void {
      const state = must(id);
      state.goneAt = Math.min(state.goneAt ?? Number.POSITIVE_INFINITY, now() + ms);
    },
    start(id: string, request: ProcessRequest): void {
      const state = must(id);
      if (state.run !== null) return;
      if (now() < state.readyAt) throw new Failure('transient', `${name}: ${id} does not answer yet`);
      state.run = { request, at: now(), stopAt: null, crash: null };
    },
    status(id: string) {
      const state = find(id);
      return state === null ? ({ kind: 'absent' } as const) : processAt(state, now());
    },
    stop(id: string): void {
      const run = find(id)?.run ?? null;
      if (run !== null) run.stopAt ??= now();
    },
    crash(id: string, code: number | null): void {
      const { run } = must(id);
      if (run !== null) run.crash ??= { at: now(), code };
    },
    endpoint(id: string): Endpoint | null {
      const state = find(id);
      return state?.run ? endpointOf(state) : null;
    },
    lines(id: string): readonly LogLine[] {
      const state = find(id);
      return state === null ? [] : logAt(state, now());
    },
    healthy: (endpoint: Endpoint): boolean =>
      there().some(
        (state) => endpoint.kind === 'tcp' && endpoint.host === state.address && isHealthy(state, now()),
      ),
    machines: (): readonly Machine[] =>
      states.map((state) => {
        const { id, tags, offer, createdAt, goneAt } = state;
        return { id, tags, offer, createdAt, endedAt: isThere(state) ? null : goneAt };
      }),
    nextChangeAt(): number | null {
      const times = states.flatMap((state) => turningPoints(state, listLagMs)).filter((at) => at > now());
      return times.length === 0 ? null : Math.min(...times);
    },
  };
}

/** Who watches and who follows logs: told by `tick` only. */
function createAudience({ there, find, describe, status, lines }: Cloud) {
  const watchers = new Set<(tags: Tags) => void>();
  const followers = new Set<() => void>();
  let seen = new Map<string, { readonly tags: Tags; readonly summary: string }>();

  const nextTick = (signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        followers.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      followers.add(done);
      signal?.addEventListener('abort', done);
    });
  const look = () => {
    const entries = there().map((state) => {
      const summary = JSON.stringify([describe(state).status, status(state.id)]);
      return [state.id, { tags: state.tags, summary }] as const;
    });
    return new Map(entries);
  };

  return {
    watch(changed: (tags: Tags) => void): () => void {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    async *follow(
      id: string,
      { tail, follow, signal }: Parameters<Transport['logs']>[0],
    ): AsyncGenerator<LogLine> {
      const first = lines(id);
      let shown = first.length;
      yield* first.slice(Math.max(0, shown - tail));
      while (follow && !signal?.aborted && find(id) !== null) {
        const all = lines(id);
        yield* all.slice(shown);
        shown = all.length;
        await nextTick(signal);
      }
    },
    tick(): void {
      const before = seen;
      seen = look();
      for (const id of new Set([...before.keys(), ...seen.keys()])) {
        const tags = (seen.get(id) ?? before.get(id))?.tags;
        const same = before.get(id)?.summary === seen.get(id)?.summary;
        if (tags !== undefined && !same) for (const changed of watchers) changed(tags);
      }
      for (const wake of [...followers]) wake();
    },
    dismiss: () => watchers.clear(),
  };
}

function addressOf(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** Equal requests have equal ids: what makes `create` safe to repeat. */
function idOf({ owner, project, replica, attempt }: Tags): string {
  const hash = createHash('sha256').update(JSON.stringify([owner, project, replica, attempt]));
  return `${replica}-${hash.digest('hex').slice(0, 8)}`;
}
