// Which replicas may stay where they are under another placement.
import { describe, expect, test } from 'vitest';
import { mayStay } from '../../reconciler/plan/fits.ts';
import type { Placement, Requirement } from '../../schemas/desired.ts';
import type { Offer } from '../../schemas/offer.ts';
import { group, LOCAL } from './samples.ts';

const H100 = { name: 'H100', vendor: 'nvidia', memoryGib: 80 };
const ON: Offer = {
  ...LOCAL,
  backend: 'gcp',
  region: 'us-central1-a',
  instance: 'a3-highgpu-2g',
  resources: { cpus: 52, arch: 'x86', memoryGib: 468, diskGib: 500, gpus: [H100, H100] },
  price: 20,
};
const ANY: Placement = group().placement;

const needing = (requirement: Partial<Requirement>): Partial<Placement> => ({
  requirement: { ...ANY.requirement, ...requirement },
});
const gpus = (more: Partial<NonNullable<Requirement['gpu']>>): Partial<Placement> =>
  needing({
    gpu: {
      vendor: null,
      names: [],
      count: { min: 1, max: null },
      memoryGib: null,
      totalMemoryGib: null,
      computeCapability: null,
      ...more,
    },
  });

const CASES: readonly (readonly [text: string, after: Partial<Placement>, stays: boolean])[] = [
  ['its backend, in any spelling', { backends: ['GCP', 'aws'] }, true],
  ['another backend', { backends: ['aws'] }, false],
  ['the region of its zone', { regions: ['us-central1'] }, true],
  ['its zone', { regions: ['us-central1-a'] }, true],
  ['another region', { regions: ['us-west1'] }, false],
  ['its type', { instanceTypes: ['A3-HIGHGPU-2G'] }, true],
  ['another type', { instanceTypes: ['a2-highgpu-1g'] }, false],
  ['on-demand or not', { spotPolicy: 'auto' }, true],
  ['spot only', { spotPolicy: 'spot' }, false],
  ['its price', { maxPrice: 20 }, true],
  ['less than its price', { maxPrice: 19.99 }, false],
  ['fewer CPUs at least', needing({ cpu: { arch: null, count: { min: 8, max: null } } }), true],
  [
    'exactly as many CPUs as it does not have',
    needing({ cpu: { arch: null, count: { min: 8, max: 8 } } }),
    false,
  ],
  ['another processor', needing({ cpu: { arch: 'arm', count: { min: 1, max: null } } }), false],
  ['more memory', needing({ memoryGib: { min: 500, max: null } }), false],
  ['more disk', needing({ diskGib: { min: 501, max: null } }), false],
  ['its GPU', gpus({ names: ['h100'], count: { min: 2, max: 2 } }), true],
  ['another GPU', gpus({ names: ['A100'] }), false],
  ['another vendor', gpus({ vendor: 'amd' }), false],
  ['more GPUs', gpus({ count: { min: 4, max: null } }), false],
  ['more memory on each GPU', gpus({ memoryGib: { min: 94, max: null } }), false],
  ['more GPU memory in all', gpus({ totalMemoryGib: { min: 200, max: null } }), false],
  ['a compute capability, which no offer tells', gpus({ computeCapability: '9.0' }), false],
  ['a zone, which no offer tells', { availabilityZones: ['us-central1-a'] }, false],
  ['a reservation', { reservation: 'r-1' }, false],
  ['a fleet', { fleets: ['f'] }, false],
];

describe('a replica, when the file comes to ask for', () => {
  for (const [text, after, stays] of CASES) {
    test(`${text}, ${stays ? 'stays' : 'is replaced'}`, () => {
      expect(mayStay(ON, ANY, { ...ANY, ...after })).toBe(stays);
    });
  }
});

test('what the file asked for before, and still does, is met: the backend saw to it', () => {
  const before: Placement = { ...ANY, reservation: 'r-1', ...gpus({ computeCapability: '9.0' }) };
  expect(mayStay(ON, before, before)).toBe(true);
  expect(mayStay(ON, before, { ...before, maxPrice: 30 })).toBe(true);
  expect(mayStay(ON, before, { ...before, reservation: null })).toBe(true);
});

test('on this machine the file says how much is needed at least', () => {
  const exactly = { ...ANY, ...needing({ cpu: { arch: null, count: { min: 1, max: 1 } } }) };
  expect(mayStay(LOCAL, ANY, exactly)).toBe(true);
  expect(mayStay({ ...LOCAL, backend: 'cloud' }, ANY, exactly)).toBe(false);
});
