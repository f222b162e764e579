import { describe, expect, test } from 'vitest';
import { countRange, cpu, disk, gpu, size, sizeRange } from '../../schemas/resources.ts';
import { read } from './grammar/read.ts';

describe('sizes', () => {
  test.each([
    ['16', 16],
    ['16GB', 16],
    ['16 gb', 16],
    ['512MB', 0.5],
    ['1TB', 1024],
    ['1.5GB', 1.5],
  ])('%s', (yaml, expected) => {
    expect(read(size, yaml)).toBe(expected);
  });

  test.each(['16G', '16GiB', '80g', 'lots', '[1]'])('%s is none', (yaml) => {
    expect(read(size, yaml)).toContain('is not a size');
  });
});

describe('ranges', () => {
  test.each([
    ['8', { min: 8, max: 8 }],
    ['8..', { min: 8 }],
    ['..8', { max: 8 }],
    ['2 .. 8', { min: 2, max: 8 }],
    ['{min: 2}', { min: 2 }],
    ['{min: 2, max: 8}', { min: 2, max: 8 }],
  ])('%s', (yaml, expected) => {
    expect(read(countRange, yaml)).toEqual(expected);
  });

  test.each([
    ['8..2', 'ends (2) before it begins (8)'],
    ['..', 'neither a beginning nor an end'],
    ['{}', 'neither a beginning nor an end'],
    ['1..2..3', 'is not a range'],
    ['1.5', 'is not a whole number'],
    ['[1]', 'a range is expected, not a list'],
  ])('%s is a mistake', (yaml, message) => {
    expect(read(countRange, yaml)).toContain(message);
  });

  test('of sizes have a unit at either end', () => {
    expect(read(sizeRange, '512MB..1TB')).toEqual({ min: 0.5, max: 1024 });
    expect(read(disk, '100GB..')).toEqual({ size: { min: 100 } });
    expect(read(disk, '{size: 50GB}')).toEqual({ size: { min: 50, max: 50 } });
  });
});

describe('CPUs', () => {
  test.each([
    ['4', { count: { min: 4, max: 4 } }],
    ['4..', { count: { min: 4 } }],
    ['arm', { arch: 'arm', count: { min: 2 } }],
    ['arm:4..', { arch: 'arm', count: { min: 4 } }],
    ['2..8:X86', { arch: 'x86', count: { min: 2, max: 8 } }],
    ['{min: 4}', { count: { min: 4 } }],
    ['{arch: ARM, count: 2}', { arch: 'arm', count: { min: 2, max: 2 } }],
  ])('%s', (yaml, expected) => {
    expect(read(cpu, yaml)).toEqual(expected);
  });

  test.each([
    ['amd64', 'is not a CPU architecture'],
    ['arm:x86', 'gives the arch of CPUs twice'],
    ['"4:2"', 'gives the count of CPUs twice'],
    ['"arm:"', 'has an empty part'],
    ['1.5', 'is not a number of CPUs'],
  ])('%s is a mistake', (yaml, message) => {
    expect(read(cpu, yaml)).toContain(message);
  });
});

describe('GPUs', () => {
  test.each([
    ['80GB:2', { memory: { min: 80, max: 80 }, count: { min: 2, max: 2 } }],
    ['A100:80', { name: ['A100'], count: { min: 80, max: 80 } }],
    [
      'nvidia:A100,H100:24GB..:1..8',
      { vendor: 'nvidia', name: ['A100', 'H100'], memory: { min: 24 }, count: { min: 1, max: 8 } },
    ],
    ['tt', { vendor: 'tenstorrent', count: { min: 1 } }],
    ['TPU:v5litepod-4', { vendor: 'google', name: ['v5litepod-4'], count: { min: 1 } }],
    ['4', { count: { min: 4, max: 4 } }],
    ['true', { name: ['True'], count: { min: 1 } }],
    ['0..', { count: { min: 0 } }],
    [
      '{name: [A, B], count: 2, total_memory: 160GB..}',
      { name: ['A', 'B'], count: { min: 2, max: 2 }, total_memory: { min: 160 } },
    ],
    ['{compute_capability: 7.5}', { count: { min: 1 }, compute_capability: [7, 5] }],
    ['{compute_capability: ["9", true]}', { count: { min: 1 }, compute_capability: [9, 1] }],
    ['{compute_capability: [9, 0]}', { count: { min: 1 }, compute_capability: [9, 0] }],
  ])('%s', (yaml, expected) => {
    expect(read(gpu, yaml)).toEqual(expected);
  });

  test.each([
    ['A100:H100', 'gives the name of GPUs twice'],
    ['24GB:40GB', 'gives the memory of GPUs twice'],
    ['nvidia:amd', 'gives the vendor of GPUs twice'],
    ['"2:4"', 'gives the count of GPUs twice'],
    ['"A100,"', 'has an empty GPU name'],
    ['":A100"', 'has an empty part'],
    ['""', 'has an empty part'],
    ['{compute_capability: [{}, 0]}', 'is not a compute capability'],
    ['{compute_capability: [[9], 0]}', 'is not a compute capability'],
    ['{compute_capability: 9}', 'is not a compute capability'],
    ['{vendor: ati}', 'is not a GPU vendor'],
    ['1.5', 'is not a GPU'],
  ])('%s is a mistake', (yaml, message) => {
    expect(read(gpu, yaml)).toContain(message);
  });
});
