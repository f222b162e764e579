import { describe, expect, test } from 'vitest';
import { queryOf } from '../../../backends/catalog/query.ts';
import { parseFile } from '../../../reconciler/source/parse.ts';

/** The query for what a file says, in the default image unless it names another. */
function queryFor(more: string) {
  const file = {
    path: 'web.dstack.yml',
    text: `type: service\nname: web\nport: 80\ncommands: [serve]\n${more}`,
  };
  const { spec, problems } = parseFile(file, { root: '', profiles: null });
  const group = spec?.groups[0];
  if (!group) throw new Error(JSON.stringify(problems));
  return queryOf(group.placement, group.process);
}

test('a file that writes nothing asks for what the language has by default', () => {
  expect(queryFor('')).toEqual({
    cpu: { min: 2, max: null },
    arch: 'x86',
    memoryGib: { min: 8, max: null },
    diskGib: { min: 100, max: null },
    gpu: {
      vendor: 'nvidia',
      names: [],
      count: { min: 0, max: null },
      memoryGib: null,
      totalMemoryGib: null,
      computeCapability: null,
    },
    spot: 'on-demand',
    maxPrice: null,
    backends: null,
    regions: null,
    availabilityZones: null,
    instanceTypes: null,
    allowedFlags: [
      'oci-spot',
      'lambda-arm',
      'gcp-a4',
      'gcp-g4',
      'gcp-dws-calendar-mode',
      'runpod-cpu',
      'runpod-cluster',
    ],
    features: [],
  });
});

test('what a container may do, and capacity that is reserved, are asked of the backend', () => {
  expect(queryFor('image: nginx\nprivileged: true').features).toEqual(['privileged']);
  expect(queryFor('docker: true').features).toEqual(['privileged']);
  expect(queryFor('volumes: [/data:/data]').features).toEqual(['volumes']);
  const optional = 'volumes: [{instance_path: /data, path: /data, optional: true}]\nreservation: cr-1';
  expect(queryFor(optional).features).toEqual(['reservation']);
});

test('what a file writes is asked for', () => {
  const query = queryFor(
    [
      'image: nginx',
      'resources: { cpu: arm:4, memory: 16GB..32GB, disk: 50GB.., gpu: { name: A100, count: 2.., compute_capability: 8.0 } }',
      'max_price: 2.5',
      'spot_policy: auto',
      'regions: [us-east-1]',
    ].join('\n'),
  );
  expect(query).toMatchObject({
    cpu: { min: 4, max: 4 },
    arch: 'arm',
    memoryGib: { min: 16, max: 32 },
    diskGib: { min: 50, max: null },
    gpu: { vendor: 'nvidia', names: ['A100'], count: { min: 2, max: null }, computeCapability: '8.0' },
    spot: 'auto',
    maxPrice: 2.5,
    regions: ['us-east-1'],
  });
});

describe('a vendor that is not written', () => {
  const vendorFor = (gpu: string, more = 'image: nginx') =>
    queryFor(`resources: { gpu: "${gpu}" }\n${more}`).gpu.vendor;

  test('is told by the names, when all are known and agree', () => {
    expect(vendorFor('H100')).toBe('nvidia');
    expect(vendorFor('MI300X,MI210:8')).toBe('amd');
    expect(vendorFor('v5litepod-8')).toBe('google');
    expect(vendorFor('H100,MI300X')).toBe(null);
    expect(vendorFor('H100,H1000')).toBe(null);
  });

  test('is told by the default image where there is no name', () => {
    expect(vendorFor('24GB', '')).toBe('nvidia');
    expect(vendorFor('24GB', 'docker: true')).toBe(null);
    expect(vendorFor('24GB')).toBe(null);
    expect(vendorFor('H1000', '')).toBe(null);
  });

  test('does not matter where no GPU is wanted', () => {
    expect(vendorFor('0', '')).toBe(null);
  });
});

test('an architecture that is not written is that of the default images, else any', () => {
  expect(['', 'docker: true', 'image: nginx'].map((more) => queryFor(more).arch)).toEqual([
    'x86',
    'x86',
    null,
  ]);
});

test('nothing is inferred from a process that is not known', () => {
  const { spec } = parseFile(
    {
      path: 'web.dstack.yml',
      text: 'type: service\nname: web\nport: 80\ncommands: [serve]\nresources: {gpu: 24GB}',
    },
    { root: '', profiles: null },
  );
  const placement = spec?.groups[0]?.placement;
  if (!placement) throw new Error('no placement');
  expect(queryOf(placement)).toMatchObject({ arch: null, gpu: { vendor: null } });
});

test.each([
  ['image: nginx', '..4', 0],
  ['image: nginx', '48GB..:..4', 1],
  ['image: nginx', '..48GB:..4', 0],
  ['image: nginx', 'H100:..4', 1],
  ['image: nginx', 'H100:0..4', 0],
  // It asks for a vendor.
  ['', '..4', 1],
  ['', '0..4', 0],
])('with %j, `gpu: %s` begins at %i', (more, gpu, min) => {
  expect(queryFor(`${more}\nresources: {gpu: "${gpu}"}`).gpu.count).toEqual({ min, max: 4 });
});
