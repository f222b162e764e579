// Services of several replica groups: groups that come, go, and change their name.
import { describe, expect, test } from 'vitest';
import type { DesiredService, RolloutPolicy } from '../../schemas/desired.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { group, service, spec } from '../plan/samples.ts';
import { isRunning, PROBE } from './services.ts';
import { simulate, type World, type WorldOptions } from './world.ts';

type GroupText = `${string}:${string}*${number}`;

/** Of groups like `a:one*2`: two replicas of the command `one`. */
function inGroups(texts: readonly GroupText[], policy: Partial<RolloutPolicy> = {}): DesiredService {
  const groups = texts.map((text) => {
    const [, name = '', command = '', count] = /^(.*):(.*)\*(\d+)$/.exec(text) ?? [];
    return group({ name, replicas: { min: Number(count), max: Number(count) } }, { commands: [command] });
  });
  const base = spec('web').policy;
  return service('web', { groups: [...texts] }, { groups, probes: [PROBE], policy: { ...base, ...policy } });
}

async function running(first: DesiredService, options: WorldOptions = {}): Promise<World> {
  const world = await simulate(options);
  await world.commit(first);
  await world.runUntil('deployment 1 runs', isRunning(1));
  return world;
}

/** Runs to the end of the rollout; gives the fewest replicas that clients could reach meanwhile. */
async function leastDuring(world: World, deployment: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  await world.runUntil(`deployment ${deployment} runs`, (now) => {
    least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
    return isRunning(deployment)(now);
  });
  return least;
}

const namesOf = (state: ServiceState | null) => state?.replicas.map(({ name }) => name);
const groupsOf = (state: ServiceState | null) => state?.replicas.map((replica) => replica.group);

describe('a group', () => {
  test('that is added leaves the others alone', async () => {
    const world = await running(inGroups(['a:one*2']));
    await world.commit(inGroups(['a:one*2', 'b:two*1']));
    await leastDuring(world, 2);
    expect(namesOf(await world.state())).toEqual(['web-1', 'web-2', 'web-3']);
    expect(groupsOf(await world.state())).toEqual(['a', 'a', 'b']);
  });

  test('that is removed leaves, and the others stay', async () => {
    const world = await running(inGroups(['a:one*2', 'b:two*1']));
    await world.commit(inGroups(['a:one*2']));
    await leastDuring(world, 2);
    expect(groupsOf(await world.state())).toEqual(['a', 'a']);
    expect(namesOf(await world.state())).toEqual(['web-1', 'web-2']);
  });

  test('that only changes its name goes on as it is, under its new name', async () => {
    const world = await running(inGroups(['a:one*2', 'b:two*1']));
    await world.commit(inGroups(['c:one*2', 'b:two*1']));
    expect(await leastDuring(world, 2)).toBe(3);
    expect(namesOf(await world.state())).toEqual(['web-1', 'web-2', 'web-3']);
    expect(world.table()?.routes[0]?.replicas.map((replica) => replica.group)).toEqual(['c', 'c', 'b']);
  });

  test('that changes its name and what it is made of is rolled out, even where there is no room for both', async () => {
    const policy = { surge: 0, unavailable: 1 };
    const world = await running(inGroups(['a:one*2'], policy), { capacity: 2 });
    await world.commit(inGroups(['b:two*2'], policy));
    expect(await leastDuring(world, 2)).toBe(1);
    expect(groupsOf(await world.state())).toEqual(['b', 'b']);
  });

  test('of a new name that cannot start does not shrink what serves under the old one', async () => {
    const bad = inGroups(['b:bad*1']);
    const world = await running(inGroups(['a:one*3']), {
      behaviour: (shape) => (shape === bad.shapes.b ? { startMs: null, exitsAfterMs: 300 } : {}),
    });
    await world.commit(bad);
    let least = 3;
    const state = await world.runUntil('it failed', (now) => {
      least = Math.min(least, world.table()?.routes[0]?.replicas.length ?? 0);
      return now?.rollout?.outcome === 'failed' && now.replicas.length === 3;
    });
    expect(least).toBe(3);
    expect([namesOf(state), groupsOf(state)]).toEqual([
      ['web-1', 'web-2', 'web-3'],
      ['a', 'a', 'a'],
    ]);
  });

  test('rolls at its own pace: one that cannot be made holds up no other', async () => {
    const next = inGroups(['a:three*2', 'b:slow*1']);
    const world = await running(inGroups(['a:one*2', 'b:two*1']), {
      behaviour: (shape) => (shape === next.shapes.b ? { startMs: 400_000 } : {}),
    });
    await world.commit(next);
    const state = await world.runUntil(
      'group a is new',
      (now) => now?.replicas.filter(({ shape }) => shape === next.shapes.a).length === 2,
      60_000,
    );
    expect(
      state?.replicas.filter((replica) => replica.group === 'b' && replica.phase === 'ready'),
    ).toHaveLength(1);
  });

  test('keeps its own surge: no group ever has more than its count and one', async () => {
    const world = await running(inGroups(['a:one*2', 'b:two*1']));
    await world.commit(inGroups(['a:three*2', 'b:four*1']));
    const most = new Map<string, number>();
    await world.runUntil('deployment 2 runs', (now) => {
      for (const [name, { length }] of Map.groupBy(now?.replicas ?? [], (replica) => replica.group))
        most.set(name, Math.max(length, most.get(name) ?? 0));
      return isRunning(2)(now);
    });
    expect(Object.fromEntries(most)).toEqual({ a: 3, b: 2 });
  });
});
