// A cloud in memory, on the caller's clock: latency, capacity, lost machines, and faults on demand, in windows of time,
// or by chance (seeded). It has no timers: what there is at any moment is a function of `now()`, so a simulation may
// jump in time. After a jump, `tick` tells watchers and those who follow logs.
import type { Endpoint, ProcessStatus, Tags } from '../schemas/actual.ts';
import type { Placement } from '../schemas/desired.ts';
import type { Offer } from '../schemas/offer.ts';
import type { Backend, Capabilities } from './backend.ts';
import { createAudience } from './fake/audience.ts';
import { type CloudOptions, createCloud, type Machine } from './fake/cloud.ts';
import { byPrice, fits } from './fake/market.ts';
import { createTrouble, type Fault, type FaultWindow } from './fake/trouble.ts';

export interface FakeOptions extends CloudOptions {
  readonly seed: number;
  readonly offers: readonly Offer[];
  readonly capabilities?: Partial<Capabilities>;
  readonly windows?: readonly FaultWindow[];
  /** How a slow call waits; needed for windows that are `slow`. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Offers say what is sold out; else only `create` finds out. */
  readonly isFrank?: boolean;
}

export interface Fake extends Backend {
  inject(fault: Fault): void;
  /** From now on each call fails as `transient` with this probability, half of them after the effect. */
  unreliable(probability: number): void;
  /** Whatever was injected, or made unreliable, is over. */
  calm(): void;
  /** Inside a window of `partition`: nothing of it can be reached. */
  isCutOff(): boolean;
  /** The machine is gone, as a reclaimed spot machine is: now, or after `noticeMs`. */
  lose(id: string, noticeMs?: number): void;
  /** The process ends by itself now. `code` null: nobody saw how, as after a power cut. */
  crash(id: string, code: number | null): void;
  /** A volume is gone, and what was on it. */
  loseDisk(id: string): void;
  /** Somebody edits the tags of a machine. */
  retag(id: string, tags: Partial<Tags>): void;
  /** Whether a probe of what listens at `endpoint` would succeed now. */
  healthy(endpoint: Endpoint): boolean;
  /** What a connection to `endpoint` would find now. */
  processAt(endpoint: Endpoint): ProcessStatus;
  /** All that ever were: first those that are gone. */
  machines(): readonly Machine[];
  /** Those that are there. */
  live(): readonly Machine[];
  /** Those that are gone, in that order, but for the first `from`. */
  ended(from: number): readonly Machine[];
  /** When the next thing happens by itself; null: nothing will. */
  nextChangeAt(): number | null;
  /** Tells watchers and followers what has changed since the last time. */
  tick(): void;
}

export function openFake(options: FakeOptions): Fake {
  const { seed, now, windows = [], wait = async () => {}, isFrank = false } = options;
  const cloud = createCloud(options);
  const { attempt, shortage, ...trouble } = createTrouble({ seed, now, name: cloud.name, windows, wait });
  const audience = createAudience(cloud);
  const shown = (offer: Offer): Offer => {
    const availability = shortage(offer) ?? (isFrank ? cloud.availability(offer) : offer.availability);
    return availability === offer.availability ? offer : { ...offer, availability };
  };
  const sold = (placement: Placement) =>
    options.offers
      .filter((each) => fits(each, placement))
      .map(shown)
      .sort(byPrice);
  return {
    name: cloud.name,
    capabilities: { ...EVERYTHING, ...options.capabilities },
    refuses: () => null,
    offers: (placement) => attempt('offers', () => sold(placement)),
    create: (request) => attempt('create', () => cloud.describe(cloud.make(request)), request.offer),
    get: (id) => attempt('get', () => cloud.describeIfThere(id)),
    list: (owner) => attempt('list', () => cloud.listed(owner)),
    terminate: (id) => attempt('terminate', () => cloud.end(id, options.endMs ?? 0)),
    transport: (instance) => ({
      run: (request) => attempt('run', () => cloud.start(instance, request)),
      status: () => attempt('status', () => cloud.status(instance)),
      stop: () => attempt('stop', () => cloud.stop(instance)),
      clear: () => attempt('clear', () => cloud.clear(instance)),
      endpoint: () => cloud.endpoint(instance),
      logs: (how) => audience.follow(instance, how),
    }),
    disks: {
      create: (request) => attempt('create', () => cloud.makeDisk(request)),
      get: (id) => attempt('get', () => cloud.disks.find(id)),
      list: (owner) => attempt('list', () => cloud.disks.listed(owner)),
    },
    watch: audience.watch,
    close: async () => audience.dismiss(),
    ...trouble,
    lose: (id, noticeMs = 0) => cloud.end(id, noticeMs),
    crash: cloud.crash,
    retag: cloud.retag,
    loseDisk: cloud.disks.lose,
    healthy: cloud.healthy,
    processAt: cloud.processAt,
    machines: () => [...cloud.ended(0), ...cloud.live()],
    live: cloud.live,
    ended: cloud.ended,
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
  machines: true,
};
