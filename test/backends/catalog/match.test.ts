import { describe, expect, test } from 'vitest';
import { diskOf } from '../../../backends/catalog/disk.ts';
import { matches } from '../../../backends/catalog/match.ts';
import { gpuRow, query, row } from './rows.ts';

describe('what is asked of the machine', () => {
  test('both ends of a range are in it', () => {
    expect(matches(row({ cpu: 4 }), query({ cpu: { min: 4, max: 4 } }))).toBe(true);
    expect(matches(row({ cpu: 3 }), query({ cpu: { min: 4, max: 8 } }))).toBe(false);
    expect(matches(row({ memoryGib: 64 }), query({ memoryGib: { min: 16, max: 64 } }))).toBe(true);
    expect(matches(row({ memoryGib: 64.1 }), query({ memoryGib: { min: 16, max: 64 } }))).toBe(false);
  });

  test('without an architecture both will do', () => {
    const arm = row({ arch: 'arm' });
    expect([null, 'arm', 'x86'].map((arch) => matches(arm, query({ arch: arch as null })))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('a fixed disk must be within what is asked', () => {
    const fixed = row({ diskGib: 512 });
    expect(matches(fixed, query({ diskGib: { min: 100, max: null } }))).toBe(true);
    expect(matches(fixed, query({ diskGib: { min: 1024, max: null } }))).toBe(false);
    expect(matches(fixed, query({ diskGib: { min: 100, max: 500 } }))).toBe(false);
  });

  test('a disk that is chosen later must be one that the backend can make', () => {
    const azure = row({ backend: 'azure', region: 'eastus' });
    expect(matches(azure, query({ diskGib: { min: 4000, max: null } }))).toBe(true);
    expect(matches(azure, query({ diskGib: { min: 5000, max: null } }))).toBe(false);
    expect(matches(azure, query({ diskGib: { min: 0, max: 30 } }))).toBe(true);
    expect(matches(azure, query({ diskGib: { min: 0, max: 20 } }))).toBe(false);
  });

  test('where any disk will do, one that is chosen later is of the usual size', () => {
    const any = { min: 0, max: null };
    expect(diskOf(row({ backend: 'azure' }), any)).toBe(100);
    expect(diskOf(row({ diskGib: 20 }), any)).toBe(20);
  });
});

describe('what is asked of the backend', () => {
  const [aws, azure, runpod] = ['aws', 'azure', 'runpod'].map((backend) => row({ backend }));

  test('only whole machines give a container all rights, or folders of theirs', () => {
    for (const feature of ['privileged', 'volumes'] as const) {
      const asked = query({ features: [feature] });
      expect([aws, azure, runpod].map((each) => each && matches(each, asked))).toEqual([true, true, false]);
    }
  });

  test('few sell reserved capacity', () => {
    const asked = query({ features: ['reservation'] });
    expect([aws, azure, runpod].map((each) => each && matches(each, asked))).toEqual([true, false, false]);
  });
});

describe('what is asked of the GPUs', () => {
  const a100 = gpuRow('A100', 2, 80);

  test('where none will do, a machine without GPUs meets whatever else is asked of them', () => {
    const count = { min: 0, max: 2 };
    expect(
      matches(row(), query({ gpu: { count, names: ['H100'], vendor: 'amd', computeCapability: '9.0' } })),
    ).toBe(true);
    expect(matches(a100, query({ gpu: { count, names: ['H100'] } }))).toBe(false);
    expect(matches(row(), query({ gpu: { count: { min: 1, max: null } } }))).toBe(false);
    expect(matches(a100, query({ gpu: { count: { min: 0, max: 0 } } }))).toBe(false);
  });

  test('a name is the whole name, in any case', () => {
    expect(matches(a100, query({ gpu: { names: ['h100', 'a100'] } }))).toBe(true);
    expect(matches(a100, query({ gpu: { names: ['A10'] } }))).toBe(false);
    expect(matches({ ...a100, gpuName: null }, query({ gpu: { names: ['A100'] } }))).toBe(false);
  });

  test('memory is of each, total memory of all together', () => {
    expect(matches(a100, query({ gpu: { memoryGib: { min: 80, max: 80 } } }))).toBe(true);
    expect(matches(a100, query({ gpu: { memoryGib: { min: 160, max: null } } }))).toBe(false);
    expect(matches(a100, query({ gpu: { totalMemoryGib: { min: 160, max: null } } }))).toBe(true);
    expect(matches(a100, query({ gpu: { totalMemoryGib: { min: 0, max: 80 } } }))).toBe(false);
  });

  test('the vendor is that of the row', () => {
    expect(matches(a100, query({ gpu: { vendor: 'nvidia' } }))).toBe(true);
    expect(matches(a100, query({ gpu: { vendor: 'amd' } }))).toBe(false);
  });

  test('a compute capability is met by known GPUs of NVIDIA only, and 10.0 is more than 9.0', () => {
    const atLeast = (least: string) =>
      query({ gpu: { count: { min: 1, max: null }, computeCapability: least } });
    expect(matches(a100, atLeast('8.0'))).toBe(true);
    expect(matches(a100, atLeast('8.6'))).toBe(false);
    expect(matches(gpuRow('B200', 8, 180), atLeast('9.0'))).toBe(true);
    expect(matches(gpuRow('H100', 8, 80), atLeast('10.0'))).toBe(false);
    expect(matches(gpuRow('T4G', 1, 16), atLeast('5.0'))).toBe(false);
    expect(matches(gpuRow('MI300X', 1, 192, { gpuVendor: 'amd' }), atLeast('5.0'))).toBe(false);
  });
});

describe('what is asked of the sale', () => {
  test('the highest price is still within', () => {
    expect(matches(row({ price: 2.1 }), query({ maxPrice: 2.1 }))).toBe(true);
    expect(matches(row({ price: 2.1001 }), query({ maxPrice: 2.1 }))).toBe(false);
  });

  test('spot is spot, on-demand is not, and auto is both', () => {
    const answers = (['spot', 'on-demand', 'auto'] as const).map((spot) =>
      matches(row({ spot: true }), query({ spot })),
    );
    expect(answers).toEqual([true, false, true]);
  });

  test('regions and instance types are named in any case', () => {
    expect(matches(row(), query({ regions: ['EU-West-1', 'US-East-1'] }))).toBe(true);
    expect(matches(row(), query({ regions: ['us-east'] }))).toBe(false);
    expect(matches(row(), query({ instanceTypes: ['M5.XLarge'] }))).toBe(true);
    expect(matches(row(), query({ instanceTypes: ['m5'] }))).toBe(false);
  });

  test('a region of gcp holds its zones', () => {
    const zone = row({ backend: 'gcp', region: 'us-central1-a' });
    expect(matches(zone, query({ regions: ['us-central1'] }))).toBe(true);
    expect(matches(zone, query({ regions: ['us-central1-a'] }))).toBe(true);
    expect(matches(zone, query({ regions: ['us-central1-b'] }))).toBe(false);
    expect(matches({ ...zone, backend: 'nebius' }, query({ regions: ['us-central1'] }))).toBe(false);
  });

  test('a zone is named exactly, and one that does not tell its region is in none', () => {
    const zone = row({ backend: 'gcp', region: 'us-central1-a' });
    expect(matches(zone, query({ availabilityZones: ['us-central1-b', 'us-central1-a'] }))).toBe(true);
    expect(matches(zone, query({ availabilityZones: ['US-Central1-A'] }))).toBe(false);
    expect(matches(row(), query({ availabilityZones: ['us-east-1c'] }))).toBe(true);
    expect(matches(row(), query({ availabilityZones: ['us-east-2c'] }))).toBe(false);
    expect(matches(row({ backend: 'azure', region: 'eastus' }), query({ availabilityZones: ['1'] }))).toBe(
      false,
    );
  });

  test('a backend is known by its older names too', () => {
    expect(matches(row({ backend: 'lambda' }), query({ backends: ['lambdalabs'] }))).toBe(true);
    expect(matches(row({ backend: 'verda' }), query({ backends: ['gcp', 'datacrunch'] }))).toBe(true);
    expect(matches(row({ backend: 'digitalocean' }), query({ backends: ['amddevcloud'] }))).toBe(false);
  });

  test('a row with a flag is for readers that know it', () => {
    const flagged = row({ flags: ['oci-spot'] });
    expect(matches(flagged, query({ allowedFlags: ['oci-spot', 'lambda-arm'] }))).toBe(true);
    expect(matches({ ...flagged, flags: ['oci-spot', 'new'] }, query({ allowedFlags: ['oci-spot'] }))).toBe(
      false,
    );
    expect(matches(flagged, query({ allowedFlags: null }))).toBe(true);
  });
});
