import { expect, test } from 'vitest';
import { capabilityOf, compareCapabilities, KNOWN_GPUS, vendorOf } from '../../../backends/catalog/gpus.ts';

test('every model is listed once in each size', () => {
  const all = KNOWN_GPUS.map(({ name, memoryGib }) => `${name} ${memoryGib}`);
  expect(all.length).toBeGreaterThan(90);
  expect(new Set(all).size).toBe(all.length);
});

test('all sizes of a model are of one vendor and one compute capability', () => {
  for (const { name, vendor, computeCapability } of KNOWN_GPUS.filter((gpu) => gpu.vendor !== 'google')) {
    expect([vendorOf(name), capabilityOf(name)]).toEqual([vendor, computeCapability]);
  }
});

test('names are known in any case, and slices of TPUs by generation and size', () => {
  expect(['rtx4090', 'mi300x', 'GAUDI2', 'N150', 'V5Litepod-8'].map(vendorOf)).toEqual([
    'nvidia',
    'amd',
    'intel',
    'tenstorrent',
    'google',
  ]);
  expect(['v5litepod', 'v7-8', 'H1000', ''].map(vendorOf)).toEqual([null, null, null, null]);
});

test('capabilities are of NVIDIA only, and compared as versions', () => {
  expect(['t4', 'B200', 'MI300X', 'T4G'].map(capabilityOf)).toEqual(['7.5', '10.0', null, null]);
  expect(['10.0', '8.6', '9.0', '8.9'].toSorted(compareCapabilities)).toEqual(['8.6', '8.9', '9.0', '10.0']);
});
