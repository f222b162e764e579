// The prices that ship with trueup: complete, small, and honest about their age.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { snapshotRows, sourcesText } from '../../../backends/catalog/make-snapshot.ts';
import { compareRows } from '../../../backends/catalog/order.ts';
import type { Row } from '../../../backends/catalog/row.ts';
import { readSnapshot, SNAPSHOT_DATE, SNAPSHOT_FILE } from '../../../backends/catalog/snapshot.ts';
import { pack, unpack } from '../../../backends/catalog/snapshot-form.ts';
import { SOURCES } from '../../../backends/catalog/snapshot-sources.ts';
import { isRetired } from '../../../schemas/retired.ts';

const LISTS = join(import.meta.dirname, '../../../../shared/catalog');
const { rows, versions } = readSnapshot();
/** In one order, whatever order a row has them in. */
const FIELDS = Object.keys(rows[0] ?? {});

describe('the snapshot', () => {
  test('has prices of every cloud that it names a source of, and of no other', () => {
    const backends = new Set(rows.map(({ backend }) => backend));
    expect([...backends].sort()).toEqual(SOURCES.map(({ backend }) => backend).sort());
    expect(versions.map(({ backend }) => backend).sort()).toEqual([...backends].sort());
    expect([...backends].filter(isRetired)).toEqual([]);
  });

  test('is of the day of its newest price', () => {
    expect(SNAPSHOT_DATE).toMatch(/^\d{4}-\d\d-\d\d$/);
    for (const { dates } of SOURCES) for (const date of dates) expect(date <= SNAPSHOT_DATE).toBe(true);
  });

  test('says beside it where it is from', () => {
    expect(readFileSync(new URL('SOURCES.md', SNAPSHOT_FILE), 'utf8')).toBe(sourcesText());
  });

  test('is small enough to ship', () => {
    expect(statSync(SNAPSHOT_FILE).size).toBeLessThan(200_000);
  });

  // Prices as the vendors' own pages name them.
  test.each([
    ['aws', 'p5.48xlarge', 'us-east-1', 55.04],
    ['aws', 'm5.large', 'us-east-1', 0.096],
    ['gcp', 'a2-highgpu-1g', 'us-central1-a', 3.673385],
    ['azure', 'Standard_NC24ads_A100_v4', 'eastus', 3.673],
    ['lambda', 'gpu_8x_h100_sxm5', 'us-east-1', 31.92],
  ])('%s sells %s in %s', (backend, instance, region, price) => {
    const found = rows.filter(
      (row) => row.backend === backend && row.instance === instance && row.region === region && !row.spot,
    );
    expect(found.map((row) => row.price)).toEqual([price]);
  });

  test.skipIf(!existsSync(LISTS))(
    'is what the lists it was made from say (skipped where they are not)',
    async () => {
      const made = (await snapshotRows(LISTS)).toSorted(compareRows);
      expect(rows.length).toBe(made.length);
      const differing = rows.toSorted(compareRows).filter((row, index) => text(row) !== text(made[index]));
      expect(differing).toEqual([]);
    },
  );
});

test('packing loses nothing', () => {
  const row: fc.Arbitrary<Row> = fc.record({
    backend: fc.constantFrom('aws', 'gcp'),
    instance: fc.constantFrom('a', 'b b', '__proto__'),
    region: fc.constantFrom('r1', 'r2', 'r3'),
    price: fc.double({ min: 0, max: 200, noNaN: true }).map(Math.abs),
    cpu: fc.nat(4),
    memoryGib: fc.constantFrom(0.5, 8, 1933.2),
    gpuCount: fc.nat(2),
    gpuName: fc.constantFrom(null, 'H100'),
    gpuMemoryGib: fc.constantFrom(null, 80),
    gpuVendor: fc.constantFrom(null, 'nvidia'),
    spot: fc.boolean(),
    diskGib: fc.constantFrom(null, 100),
    flags: fc.subarray(['oci-spot', 'gcp-a4']),
    arch: fc.constantFrom('x86', 'arm'),
  });
  fc.assert(
    fc.property(fc.uniqueArray(row, { selector: text }), (given) => {
      const back = pack(given).flatMap(unpack);
      expect(back.map(text).sort()).toEqual(given.map(text).sort());
    }),
  );
});

function text(row: Row | undefined): string {
  return JSON.stringify(row, FIELDS);
}
