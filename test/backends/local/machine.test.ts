import { expect, test } from 'vitest';
import { gpuModel, type Machine, satisfies } from '../../../backends/local/machine.ts';
import type { Placement, Requirement } from '../../../schemas/desired.ts';
import { placement, requirement } from '../builders.ts';

const gpu = { name: 'A100', vendor: 'nvidia', memoryGib: 80 };
const machine: Machine = {
  resources: { cpus: 8, arch: 'x86', memoryGib: 64, diskGib: 200, gpus: [gpu, gpu] },
  computeCapability: '8.0',
};
const anyGpu = {
  vendor: null,
  names: [],
  count: { min: 1, max: 1 },
  memoryGib: null,
  totalMemoryGib: null,
  computeCapability: null,
};
const count = (min: number) => ({ min, max: min });

test.each<[string, Partial<Placement>, boolean]>([
  ['nothing', {}, true],
  ['this backend among others', { backends: ['aws', 'local'] }, true],
  ['other backends', { backends: ['aws'] }, false],
  ['another region', { regions: ['eu-1'] }, false],
  ['on-demand or spot', { spotPolicy: 'auto' }, true],
  ['spot', { spotPolicy: 'spot' }, false],
  ['a price', { maxPrice: 0.1 }, true],
  ['a fleet', { fleets: ['gpus'] }, false],
  ['a reservation', { reservation: 'r-1' }, false],
])('a placement that asks for %s', (_, over, expected) => {
  expect(satisfies(machine, placement(over))).toBe(expected);
});

test.each<[string, Partial<Requirement>, boolean]>([
  ['fewer CPUs', { cpu: { arch: null, count: count(2) } }, true],
  ['more CPUs', { cpu: { arch: null, count: count(9) } }, false],
  ['another architecture', { cpu: { arch: 'arm', count: count(1) } }, false],
  ['more memory', { memoryGib: { min: 65, max: null } }, false],
  ['more disk', { diskGib: { min: 201, max: null } }, false],
  ['a GPU', { gpu: anyGpu }, true],
  ['no GPU', { gpu: { ...anyGpu, count: { min: 0, max: 0 } } }, true],
  ['a GPU by name', { gpu: { ...anyGpu, names: ['H100', 'a100'] } }, true],
  ['another GPU', { gpu: { ...anyGpu, names: ['H100'] } }, false],
  ['more GPUs', { gpu: { ...anyGpu, count: count(3) } }, false],
  ['more memory on each GPU', { gpu: { ...anyGpu, memoryGib: { min: 81, max: null } } }, false],
  ['memory on all GPUs', { gpu: { ...anyGpu, totalMemoryGib: { min: 160, max: null } } }, true],
  ['a newer capability', { gpu: { ...anyGpu, computeCapability: '9.0' } }, false],
  ['another vendor', { gpu: { ...anyGpu, vendor: 'amd' } }, false],
])('resources with %s', (_, over, expected) => {
  expect(satisfies(machine, placement({ requirement: requirement(over) }))).toBe(expected);
});

test.each([
  ['NVIDIA A100-SXM4-80GB', 'A100'],
  ['NVIDIA H100 80GB HBM3', 'H100'],
  ['NVIDIA H100 NVL', 'H100NVL'],
  ['Tesla T4', 'T4'],
  ['NVIDIA GeForce RTX 4090', 'RTX4090'],
  ['NVIDIA RTX A6000', 'A6000'],
  ['NVIDIA L40S', 'L40S'],
])('%s is called %s', (name, model) => {
  expect(gpuModel(name)).toBe(model);
});
