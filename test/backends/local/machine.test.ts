import { expect, test } from 'vitest';
import { excludedBy, gpuModel, type Machine, missesOf } from '../../../backends/local/machine.ts';
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
  ['a price', { maxPrice: 0.25 }, true],
  ['a lower price', { maxPrice: 0.1 }, false],
  ['a fleet', { fleets: ['gpus'] }, false],
  ['a reservation', { reservation: 'r-1' }, false],
])('a placement that asks for %s', (_, over, expected) => {
  expect(missesOf(machine, placement(over), 0.25).length === 0).toBe(expected);
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
  expect(missesOf(machine, placement({ requirement: requirement(over) }), 0).length === 0).toBe(expected);
});

test('what is missed is named with what would do', () => {
  const gpus = (over: Partial<typeof anyGpu>) => requirement({ gpu: { ...anyGpu, ...over } });
  const missed = (over: Partial<Placement>, other = machine) =>
    missesOf(other, placement(over), 0.25).map(({ requirement: name, nearest }) => `${name} ${nearest}`);
  expect(missed({ backends: ['aws'], maxPrice: 0.1 })).toEqual([
    'max_price `max_price` ≥ 0.25',
    'backends local',
  ]);
  expect(missed({ requirement: requirement({ memoryGib: { min: 500, max: null } }) })).toEqual([
    'memory `memory: 64GB..`',
  ]);
  expect(missed({ requirement: requirement({ cpu: { arch: 'arm', count: count(16) } }) })).toEqual([
    'cpu `cpu: 8..`',
    'cpu.arch x86',
  ]);
  expect(missed({ requirement: gpus({ names: ['H100'] as never[] }) })).toEqual(['gpu.name A100']);
  expect(missed({ requirement: gpus({ count: count(3) }) })).toEqual(['gpu.count `gpu.count: 2..`']);
  expect(excludedBy(missesOf(machine, placement({ backends: ['aws'], maxPrice: 0.1 }), 0.25))).toEqual([
    { requirement: 'max_price + backends', rows: 1, nearest: '`max_price` ≥ 0.25 and `backends: local`' },
  ]);
  expect(excludedBy([])).toEqual([]);
  const none = { ...machine, resources: { ...machine.resources, gpus: [] }, computeCapability: null };
  expect(missed({ requirement: gpus({ names: ['H100'] as never[] }) }, none)).toEqual([
    'gpu.count `gpu.count: 0..`',
  ]);
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
