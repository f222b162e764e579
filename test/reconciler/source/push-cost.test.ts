import { expect, test } from 'vitest';
import { pushCost } from './push-cost.ts';

test('a push that changes one file of 10,000 costs what it costs in a repository of 10', async () => {
  const small = await pushCost(10);
  const large = await pushCost(10_000);
  expect(small.processes).toBeGreaterThan(0);
  expect(large.processes).toBe(small.processes);
  expect(large.blobs).toBe(1);
  expect(large.bytesRead).toBeLessThan(small.bytesRead * 2);
  expect([small.idleProcesses, large.idleProcesses]).toEqual([1, 1]);
  // Trees of the folders on the way to the file, and no other.
  expect(large.bytesFetched).toBeLessThan(small.bytesFetched + 10_000);
});
