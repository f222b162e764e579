// The backends of a scenario: what they sell, how quick they are, what befalls them.
import { z } from 'zod';
import { type Field, object, type Say, withRules } from '../../../schemas/fields.ts';
import type { Offer } from '../../../schemas/offer.ts';
import { gpu, size } from '../../../schemas/resources.ts';
import { about, named } from '../../../schemas/spelling.ts';
import { bool, choice, integer, number, text } from '../../../schemas/values.ts';
import { type FaultSpec, fault } from './faults.ts';
import { type Span, span, time } from './values.ts';

const MANY = Number.MAX_SAFE_INTEGER;

const offerShape = object({
  instance: about(text.nullish(), 'The name of the instance type.', 'h100', 'standard'),
  region: about(text.nullish(), 'Where it is.', 'us-east', 'region-1'),
  cpu: about(integer(1, 4096).nullish(), 'Processors.', 16, 8),
  arch: about(choice(['x86', 'arm']).nullish(), 'Their architecture.', 'arm', 'x86'),
  memory: about(size.nullish(), 'Main memory.', '128GB', '32GB'),
  disk: about(size.nullish(), 'Disk space.', '1TB', '500GB'),
  gpu: about(
    gpu.nullish(),
    'Accelerators: name, memory of each, count. The memory of common ones is known.',
    'H100:80GB:8',
  ),
  spot: about(
    bool.nullish(),
    'It may be interrupted; only services with a `spot_policy` take it.',
    true,
    false,
  ),
  price: about(number(0, 1_000_000).nullish(), 'US dollars per hour.', 2.5, 1),
  capacity: about(integer(0, MANY).nullish(), 'How many there are; else enough.', 3),
});

type OfferShape = z.output<typeof offerShape>;

const offer = named(
  'offer',
  'One kind of instance that a backend sells.',
  withRules(offerShape as Field<OfferShape>, knownMemory),
);

const backendShape = object({
  kind: about(
    choice(['fake/cloud', 'fake', 'cloud']).nullish(),
    'What it is like; there is one kind.',
    'fake/cloud',
    'fake/cloud',
  ),
  offers: about(z.array(offer).nullish(), 'What it sells; else one offer with everything at its default.', [
    { instance: 'h100', gpu: 'H100', price: 2.5 },
  ]),
  capacity: about(integer(0, MANY).nullish(), 'How many instances there are in all; else enough.', 4),
  boot: about(span.nullish(), 'From ordering an instance until it runs.', '40s..80s', '30s'),
  pull: about(span.nullish(), 'From then until the image is there and the process starts.', '2m', '10s'),
  end: about(
    time.nullish(),
    'From giving an instance back until it is gone, and no longer paid for.',
    '30s',
    '5s',
  ),
  lag: about(time.nullish(), 'How long a new instance is missing in lists.', '10s', '0s'),
  frank: about(
    bool.nullish(),
    'Offers say what is sold out. With `false` only ordering finds out, as on most clouds.',
    false,
    true,
  ),
  faults: about(z.array(fault).nullish(), 'What goes wrong, and when.', [
    { kind: 'no-capacity', from: '5m', to: '8m' },
  ]),
});

type BackendShape = z.output<typeof backendShape>;

/** One backend of a scenario, complete. */
export interface BackendSpec {
  readonly name: string;
  readonly offers: readonly SoldOffer[];
  readonly capacity: number;
  readonly boot: Span;
  readonly pull: Span;
  readonly endMs: number;
  readonly lagMs: number;
  readonly isFrank: boolean;
  readonly faults: readonly FaultSpec[];
}

export interface SoldOffer {
  readonly offer: Offer;
  readonly capacity: number;
}

export const backend = named(
  'backend',
  'A simulated cloud, under the name that services may ask for.',
  backendShape,
);

export const backends = z.record(z.string(), backend);

export function backendSpecs(
  written: { readonly [name: string]: BackendShape } | null | undefined,
): BackendSpec[] {
  const given = Object.entries(written ?? {});
  const all = given.length > 0 ? given : [['cloud', {}] as const];
  return all.map(([name, spec]) => backendSpec(name, spec));
}

// Private

/** Of those that people name without it; GiB. */
const KNOWN_MEMORY: { readonly [gpu: string]: number } = {
  A10: 24,
  A100: 80,
  A10G: 24,
  A40: 48,
  A6000: 48,
  B200: 180,
  H100: 80,
  H200: 141,
  L4: 24,
  L40: 48,
  L40S: 48,
  MI300X: 192,
  RTX4090: 24,
  RTX5090: 32,
  T4: 16,
  V100: 16,
};

function knownMemory({ gpu: accelerator }: Partial<OfferShape>, say: Say): void {
  if (!accelerator) return;
  const [name, second] = accelerator.name ?? [];
  const isExact = accelerator.count.min === accelerator.count.max || accelerator.count.max == null;
  if (name === undefined || second !== undefined || !isExact)
    say(['gpu'], 'an offer has GPUs of one name, and so many', 'Write for example `H100:80GB:8`.');
  else if (accelerator.memory?.min == null && KNOWN_MEMORY[name.toUpperCase()] === undefined)
    say(['gpu'], `the memory of ${name} is not known here`, `Write it, for example \`${name}:24GB\`.`);
}

function backendSpec(name: string, spec: Partial<BackendShape>): BackendSpec {
  const offers = spec.offers?.length ? spec.offers : [{} as OfferShape];
  return {
    name,
    offers: offers.map((each) => soldOffer(name, each)),
    capacity: spec.capacity ?? Number.POSITIVE_INFINITY,
    boot: spec.boot ?? [30_000, 30_000],
    pull: spec.pull ?? [10_000, 10_000],
    endMs: spec.end ?? 5_000,
    lagMs: spec.lag ?? 0,
    isFrank: spec.frank ?? true,
    faults: spec.faults ?? [],
  };
}

function soldOffer(backendName: string, { capacity, ...written }: Partial<OfferShape>): SoldOffer {
  const resources: Offer['resources'] = {
    cpus: written.cpu ?? 8,
    arch: written.arch ?? 'x86',
    memoryGib: written.memory ?? 32,
    diskGib: written.disk ?? 500,
    gpus: gpusOf(written.gpu),
  };
  const offer: Offer = {
    backend: backendName,
    region: written.region ?? 'region-1',
    instance: written.instance ?? 'standard',
    resources,
    spot: written.spot ?? false,
    price: written.price ?? 1,
    availability: 'available',
  };
  return { offer, capacity: capacity ?? Number.POSITIVE_INFINITY };
}

function gpusOf(accelerator: OfferShape['gpu']): Offer['resources']['gpus'] {
  const [name] = accelerator?.name ?? [];
  if (!accelerator || name === undefined) return [];
  const memoryGib = accelerator.memory?.min ?? KNOWN_MEMORY[name.toUpperCase()] ?? 0;
  const vendor = accelerator.vendor ?? (/^MI\d/i.test(name) ? 'amd' : 'nvidia');
  return Array.from({ length: accelerator.count.min ?? 1 }, () => ({ name, vendor, memoryGib }));
}
