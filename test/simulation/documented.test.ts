// The scenarios of the manual: each ends as it says, and no rule is broken on the way.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { play, scenario } from './scenarios.ts';

const FOLDER = join(import.meta.dirname, '../../docs/simulate');

async function run(name: string) {
  const path = join(FOLDER, `${name}.yml`);
  const played = await play(scenario(readFileSync(path, 'utf8'), path));
  const { violations, unmet, leaked } = played.summary;
  expect({ violations, unmet, leaked }).toEqual({ violations: [], unmet: [], leaked: 0 });
  return played;
}

test('a bad revision under traffic is rolled back, and no client notices', async () => {
  const { summary, web, story } = await run('bad-revision');
  expect(web).toMatchObject({ deployment: 1, status: 'degraded', ready: 3, minReady: 3, maxLive: 4 });
  expect(web?.rollout).toMatchObject({ to: 2, outcome: 'failed' });
  expect(summary.requests.failed).toBe(0);
  expect(story.filter(({ event }) => event === 'rollout-failed')).toHaveLength(1);
});

test('without an H100 the smaller model goes on, and is replaced when there is one', async () => {
  const { summary, story } = await run('no-h100-left');
  expect(summary.services.llm).toMatchObject({ deployment: 2, status: 'running', minReady: 1 });
  expect(summary.requests.failed).toBe(0);
  const created = story.filter(({ event }) => event === 'replica-created');
  expect(created.map(({ replica }) => replica)).toEqual(['llm-1', 'llm-2']);
  expect(created[1]?.t).toBeGreaterThan(2400);
});

test('spot machines that are taken away cost a few requests, and are replaced', async () => {
  const { summary, story, web } = await run('spot-interruption');
  const lost = story.filter(({ event }) => event === 'instance-lost');
  expect(lost).toHaveLength(5);
  expect(web).toMatchObject({ ready: 4, minReady: 3, status: 'running' });
  expect(summary.requests.failed).toBeGreaterThan(0);
  expect(summary.cost).toBeLessThan(0.6);
});

test('a reconciler that dies at every step rolls out all the same, and nothing is doubled', async () => {
  const { summary } = await run('crash-mid-rollout');
  expect(summary.services.api).toMatchObject({ deployment: 2, ready: 2, minReady: 2, maxLive: 3 });
  expect(summary.crashes).toBeGreaterThan(50);
  expect(summary.requests.failed).toBe(0);
});

test('what is renamed never stops serving, and too much is not deleted at once', async () => {
  const { summary } = await run('rename-and-delete');
  expect(Object.keys(summary.services).toSorted()).toEqual(['assistant', 'four', 'one', 'three', 'two']);
  expect(summary.removed.toSorted()).toEqual(['chat', 'demo']);
  expect(summary.requests.failed).toBe(0);
});

test('scaling and a rollout on a bad day end where they should', async () => {
  const { summary, web, story } = await run('scale-and-redeploy');
  expect(web).toMatchObject({ deployment: 2, status: 'running', ready: 5, desired: 5 });
  expect(story.some(({ event }) => event === 'scaled')).toBe(true);
  expect(summary.requests.failed).toBe(0);
});

test('a machine that is kept idle takes over, for more money', async () => {
  const { summary, story } = await run('machine-kept-idle');
  expect(summary.fleets?.pool).toEqual({ machines: 2, used: 1, idle: 1, kept: 2 });
  const lent = story.filter(({ event }) => event === 'machine-lent').map(({ replica }) => replica);
  expect(lent).toEqual(['pool-m1', 'pool-m2', 'pool-m3']);
  const text = readFileSync(join(FOLDER, 'machine-kept-idle.yml'), 'utf8');
  const alone = await play(scenario(text.replace('nodes: 2..3', 'nodes: 1..2')));
  expect(alone.summary.requests.failed).toBeGreaterThan(2 * summary.requests.failed);
  expect(alone.summary.cost).toBeLessThan(0.7 * summary.cost);
});
