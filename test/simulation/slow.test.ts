// Clouds whose every call takes so long that a pass outlives the lease it began with.
import { expect, test } from 'vitest';
import { play, web } from './scenarios.ts';

const slow = (by: number) => `
duration: 40m
backends: {aws: {faults: [{kind: slow, by: ${by}s, rate: 100%}]}}
policy: {rollout: {deadlines: {ready: 2m}}}
commits:
  - {files: {web.dstack.yml: ${web()}}}
  - {at: 12m, files: {web.dstack.yml: ${web(', env: [V=2]')}}}
traffic: {web: {from: 9m, rps: 5}}`;

test.each([8, 16, 29])('a rollout goes on, step by step, while each call takes %i s', async (by) => {
  const { summary, web: last } = await play(slow(by));
  expect(last).toMatchObject({ deployment: 2, ready: 2, status: 'running', minReady: 2 });
  expect(summary).toMatchObject({ requests: { failed: 0 }, violations: [], leaked: 0 });
});

test('deadlines come although every look takes longer than a gap that is charged whole', async () => {
  const { web: last } = await play(`${slow(8)}\nreplicas: {web@2: {never_ready: true}}`);
  expect(last).toMatchObject({ deployment: 1, ready: 2, status: 'degraded', minReady: 2 });
  expect(last?.rollout?.reason).toMatch(/did not become ready within 2 min/);
});
