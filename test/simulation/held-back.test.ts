// Services of which something is asked that may not be applied yet, and suspended ones: what runs goes on and is healed.
import { describe, expect, test } from 'vitest';
import { whyOf } from '../../reconciler/plan/explain.ts';
import type { DesiredRecord, DesiredService, Pending } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { isRunning, served, shapeOf, web } from './services.ts';
import { simulate, type World } from './world.ts';

const [one, two] = [web('one'), web('two')];
const HOUR = 3_600_000;

const record = (service: DesiredService | null, more: Partial<DesiredRecord> = {}): DesiredRecord => ({
  service,
  removed: false,
  problems: [],
  ...more,
});

const waitsFor = (world: World, reason: Pending['reason'], until: number | null): Pending => ({
  reason,
  commit: two.commit,
  revision: two.revision,
  service: two,
  since: world.now(),
  until,
  detail: 'why it waits',
});

async function running(): Promise<World> {
  const world = await simulate();
  await world.commit(one);
  await world.runUntil('the first deployment runs', isRunning(1));
  return world;
}

/** A replica dies, and another takes its place. */
async function healed(world: World): Promise<ServiceState | null> {
  const before = await world.state();
  world.cloud.crash(before?.replicas[0]?.instance ?? '', 137);
  return world.runUntil(
    'both replicas are ready again',
    (now) =>
      (now?.lastReplica ?? 0) > (before?.lastReplica ?? 0) &&
      now?.replicas.length === 2 &&
      now.replicas.every(({ phase }) => phase === 'ready'),
  );
}

describe('a suspended service', () => {
  test('is healed, but nothing new is rolled out until it is let go', async () => {
    const world = await running();
    await world.commitRecord('web', record(two, { suspended: true }));
    const state = await healed(world);
    expect([state?.status, state?.target, state?.lastDeployment]).toEqual(['suspended', 1, 1]);
    expect(state?.waiting.map(({ reason }) => reason)).toContain('suspended');
    await world.run(3 * HOUR);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
    await world.commitRecord('web', record(two));
    await world.runUntil('the second deployment runs', isRunning(2));
  });

  test('that never ran is not begun', async () => {
    const world = await simulate();
    await world.commitRecord('web', record(one, { suspended: true }));
    await world.run(HOUR);
    expect((await world.state())?.status).toBe('suspended');
    expect(world.cloud.machines()).toEqual([]);
  });

  test('goes on with the rollout that had begun', async () => {
    const world = await running();
    await world.commit(two);
    await world.runUntil('it is rolling', (now) => now?.status === 'rolling');
    await world.commitRecord('web', record(two, { suspended: true }));
    const state = await world.runUntil('it is done', (now) => now?.good === 2);
    expect(state?.status).toBe('suspended');
    await world.run(60_000);
    expect(await served(world)).toEqual([shapeOf(two), shapeOf(two)]);
  });

  test('whose rollout had failed is not tried again when its quarantine is over', async () => {
    const bad = web('bad', 2, { onFailure: 'hold', quarantineMs: HOUR });
    const world = await simulate({
      behaviour: (shape) => (shape === shapeOf(bad) ? { startMs: null, exitsAfterMs: 300 } : {}),
    });
    await world.commit(one);
    await world.runUntil('the first deployment runs', isRunning(1));
    await world.commit(bad);
    const failed = await world.runUntil('it failed', (now) => now?.rollout?.outcome === 'failed');
    await world.commitRecord('web', record(bad, { suspended: true }));
    await world.run(3 * HOUR);
    expect((await world.state())?.rollout?.startedAt).toBe(failed?.rollout?.startedAt);
  });
});

test('a suspended service is not started by its schedule; once it is let go, the start is made up for', async () => {
  const base = web('one', 1);
  const job: DesiredService = { ...base, spec: { ...base.spec, schedule: { cron: ['*/10 * * * *'] } } };
  const record = { service: job, removed: false, problems: [] };
  const world = await simulate();
  await world.commit(job);
  await world.runUntil('it waits for its time', (state) => state?.status === 'scheduled');
  await world.commitRecord('web', { ...record, suspended: true });
  await world.run(3_600_000);
  expect(await world.state()).toMatchObject({ status: 'suspended', replicas: [] });
  await world.commitRecord('web', record);
  await world.runUntil('it runs', (state) => state?.status === 'running', 60_000);
});

describe('a service of which something is asked that has to wait', () => {
  test('is healed, is called what it is, and says why', async () => {
    const world = await running();
    const pending = waitsFor(world, 'window', world.now() + 10 * HOUR);
    await world.commitRecord('web', record(one, { pending }));
    await healed(world);
    await world.run(HOUR);
    const state = await world.state();
    expect(state?.status).toBe('running');
    expect(state?.waiting).toEqual([
      {
        reason: 'window',
        subject: '',
        since: pending.since,
        until: pending.until,
        detail: `revision ${two.revision} (commit c0ffee00) waits: why it waits`,
      },
    ]);
    expect(await served(world)).toEqual([shapeOf(one), shapeOf(one)]);
  });

  test('is hardly looked at while it waits for a person', async () => {
    const world = await running();
    await world.commitRecord('web', record(one, { pending: waitsFor(world, 'approval', null) }));
    await world.run(60_000);
    const before = world.crossed.length;
    await world.run(HOUR);
    expect(world.crossed.length - before).toBeLessThan(200);
  });

  test('and that never ran, is about to start', async () => {
    const world = await simulate();
    await world.commitRecord('web', record(null, { pending: waitsFor(world, 'approval', null) }));
    await world.run(60_000);
    const state = await world.state();
    expect([state?.status, state?.waiting.map(({ reason }) => reason)]).toEqual(['starting', ['approval']]);
    await world.commitRecord('web', record(two));
    await world.runUntil('it runs', isRunning(1));
  });

  test('says so even before anything has looked at it', () => {
    const pending: Pending = {
      reason: 'budget',
      commit: 'c0ffee',
      revision: null,
      since: 0,
      until: null,
      detail: 'd',
    };
    const why = whyOf(
      { name: 'web', record: record(null, { pending }), state: null, url: '', now: 0 },
      (ms) => new Date(ms).toISOString(),
    );
    expect([why.status, why.waiting.map(({ reason }) => reason)]).toEqual(['starting', ['budget']]);
    expect(why.next).toMatch(/commit of its own/);
  });
});
