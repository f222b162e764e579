// The backends of a scenario as fake clouds on its clock.
import type { CreateRequest } from '../../backends/backend.ts';
import { sameOffer } from '../../backends/fake/market.ts';
import { type Fake, openFake } from '../../backends/fake.ts';
import type { Clock } from '../clock.ts';
import { type BehaviourOf, drawFrom } from './behaviours.ts';
import type { BackendSpec } from './scenario/backends.ts';
import type { Scenario } from './scenario/read.ts';
import { slownessAt, windowsOf } from './weather.ts';

/** First number of the addresses of the first cloud. */
const FIRST_NETWORK = 10;

export function cloudsOf(
  scenario: Pick<Scenario, 'backends' | 'seed' | 'start' | 'durationMs'>,
  clock: Clock,
  behaviourOf: BehaviourOf,
): ReadonlyMap<string, Fake> {
  const clouds = scenario.backends.map((spec, index) => {
    const cloud = openCloud(spec, scenario, clock, behaviourOf, FIRST_NETWORK + index);
    return [spec.name, cloud] as const;
  });
  return new Map(clouds);
}

// Private

function openCloud(
  spec: BackendSpec,
  { seed, start, durationMs }: Pick<Scenario, 'seed' | 'start' | 'durationMs'>,
  clock: Clock,
  behaviourOf: BehaviourOf,
  network: number,
): Fake {
  const draw = drawFrom(seed);
  const slowness = () => slownessAt(spec.faults, clock.now() - start, durationMs);
  return openFake({
    seed: seed + network,
    now: () => clock.now(),
    name: spec.name,
    offers: spec.offers.map(({ offer }) => offer),
    capacity: (offer) => spec.offers.find((sold) => sameOffer(sold.offer, offer))?.capacity ?? 0,
    total: spec.capacity,
    bootMs: ({ tags }) => draw(`${tags.replica} boot`, spec.boot) * slowness(),
    endMs: spec.endMs,
    listLagMs: spec.lagMs,
    behaviour: (replica, isWarm) => ({
      ...behaviourOf(replica, draw(`${replica.replica} image`, spec.pull) * slowness()),
      ...(isWarm && { pullMs: 0 }),
    }),
    residents: [strangerOn(spec.name)],
    isFrank: spec.isFrank,
    windows: windowsOf(spec.faults, start, durationMs),
    wait: (ms) => new Promise((resolve) => clock.after(ms, resolve)),
    network,
  });
}

/** Somebody else's machine, named like one of ours: nobody but its owner may touch it. */
function strangerOn(backend: string): CreateRequest {
  const service = { project: 'main', service: 'web', group: '0', replica: 'web-1', attempt: 1 };
  const resources = { cpus: 1, arch: 'x86', memoryGib: 1, diskGib: 1, gpus: [] } as const;
  return {
    tags: { owner: 'somebody else', ...service, shape: '', deployment: 1 },
    offer: {
      backend,
      region: '',
      instance: 'foreign',
      resources,
      spot: false,
      price: 0,
      availability: 'unknown',
    },
  };
}
