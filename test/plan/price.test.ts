// What a plan says a change costs: sums that add up, and a peak that no rollout exceeds.

import fc from 'fast-check';
import jsonpatch from 'fast-json-patch';
import { describe, expect, test } from 'vitest';
import { type PlanContext, planOf } from '../../reconciler/plan/diff.ts';
import type { DesiredService, RolloutPolicy } from '../../schemas/desired.ts';
import type { Market, Offer } from '../../schemas/offer.ts';
import type { Change, Plan } from '../../schemas/plan.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { isRunning, web } from '../simulation/services.ts';
import { simulate } from '../simulation/world.ts';
import { group, LOCAL, replica, service, spec, state } from './samples.ts';

const context = { commit: 'b'.repeat(40), base: 'a'.repeat(40) };

function at(price: number, overrides: Partial<Offer> = {}): Offer {
  return { ...LOCAL, backend: 'cloud', price, ...overrides };
}

function selling(...offers: readonly Offer[]): () => Market {
  return () => ({ offers, total: offers.length, excluded: [], failures: [] });
}

/** What runs, each replica at its price. */
function running(
  desired: DesiredService,
  prices: readonly number[],
  more: Partial<ServiceState> = {},
): ServiceState {
  const replicas = prices.map((price, number) =>
    replica(`${desired.name}-${number}`, { offer: at(price), shape: desired.shapes['0'] ?? '' }),
  );
  return state(desired, { replicas, ...more });
}

function plan(
  desired: DesiredService | null,
  states: readonly ServiceState[],
  market = selling(at(2)),
  renames: PlanContext['renames'] = [],
): Plan {
  return planOf(
    new Map(desired ? [[desired.name, desired]] : []),
    new Map(states.map((each) => [each.service, each])),
    { ...context, marketOf: market, renames },
  );
}

function ranged(min: number, max: number): DesiredService {
  return service('web', { replicas: `${min}..${max}` }, { groups: [group({ replicas: { min, max } })] });
}

describe('the price of a change', () => {
  test('a new service costs nothing now, and no more while it comes than when it is there', () => {
    expect(plan(ranged(2, 5), []).price).toEqual({ now: 0, steady: 4, steadyMax: 10, peak: 4 });
  });

  test('a service that stays costs what its replicas were bought for, whatever others cost today', () => {
    const price = plan(ranged(2, 4), [running(ranged(2, 4), [1, 1.5])]).price;
    expect(price).toEqual({ now: 2.5, steady: 2.5, steadyMax: 4.5, peak: 2.5 });
  });

  test('one more replica is bought, the others are kept', () => {
    const [before, after] = [web('v1', 2), { ...web('v1', 3), configuration: { replicas: 3 } }];
    expect(plan(after, [running(before, [1, 1])]).price).toEqual({
      now: 2,
      steady: 4,
      steadyMax: 4,
      peak: 4,
    });
  });

  test('while it rolls, the surge comes on top, in the dearest mix of old and new', () => {
    const [before, after] = [web('v1', 2), web('v2', 2)];
    expect(plan(after, [running(before, [1, 1])]).price).toMatchObject({ now: 2, steady: 4, peak: 5 });
    expect(plan(after, [running(before, [5, 3])]).price).toMatchObject({ now: 8, steady: 4, peak: 10 });
  });

  test('what may not stay where it is is bought anew, the others are kept', () => {
    const inRegion = (...regions: readonly string[]) => {
      const placement = { ...group().placement, regions: regions.length > 0 ? regions : null };
      return service('web', { regions }, { groups: [group({ replicas: { min: 2, max: 2 }, placement })] });
    };
    const before = inRegion();
    const replicas = ['here', 'there'].map((region, number) =>
      replica(`web-${number}`, { offer: at(1, { region }), shape: before.shapes['0'] ?? '' }),
    );
    const { price } = plan(inRegion('here'), [state(before, { replicas })]);
    expect(price).toEqual({ now: 2, steady: 3, steadyMax: 3, peak: 4 });
  });

  test('without a surge nothing comes on top', () => {
    const policy = { surge: 0, unavailable: 1 };
    const price = plan(web('v2', 2, policy), [running(web('v1', 2, policy), [2, 2])]).price;
    expect(price).toMatchObject({ now: 4, steady: 4, peak: 4 });
  });

  test('a renamed service runs whole under both names for a while', () => {
    const site = { ...web('v1', 2), name: 'site' };
    const renames = [{ from: 'web', to: 'site' }];
    const { changes } = plan(site, [running(web('v1', 2), [1, 1])], selling(at(2)), renames);
    expect(changes).toMatchObject([{ change: 'rename', from: 'web', price: { now: 2, steady: 4, peak: 6 } }]);
  });

  test('a service that goes saves what it costs', () => {
    const { price } = plan(null, [running(web('v1', 2), [1, 1])]);
    expect(price).toEqual({ now: 2, steady: 0, steadyMax: 0, peak: 2 });
  });

  test('a group that is gone is paid until the others serve', () => {
    const named = (...names: readonly string[]) =>
      service('web', {}, { groups: names.map((name) => group({ name }, { commands: [name] })) });
    const before = named('a', 'b');
    const replicas = ['a', 'b'].map((name, number) =>
      replica(`web-${number}`, { group: name, offer: at(3), shape: before.shapes[name] ?? '' }),
    );
    const { price } = plan({ ...named('a'), configuration: { groups: 1 } }, [state(before, { replicas })]);
    expect(price).toEqual({ now: 6, steady: 3, steadyMax: 3, peak: 6 });
  });

  test('what is idle comes first, and what is taken has no price', () => {
    const idle = selling(at(1), at(4, { availability: 'idle' }));
    expect(plan(ranged(1, 1), [], idle).changes[0]?.groups[0]).toMatchObject({ pricePerReplica: 4 });
    const taken = plan(ranged(1, 1), [], selling(at(1, { availability: 'busy' })));
    expect(taken.changes[0]?.groups[0]).toMatchObject({
      offers: [],
      totalOffers: 1,
      pricePerReplica: null,
      price: 0,
    });
    expect(taken.price.steady).toBe(0);
  });

  test('a count that traffic has raised is the count that is rolled', () => {
    const [before, after] = [ranged(1, 4), { ...ranged(1, 4), shapes: { '0': 'other' } }];
    const scale = { '0': { count: 3, since: 0 } };
    const price = plan(after, [running(before, [2, 2, 2], { scale })]).price;
    expect(price).toEqual({ now: 6, steady: 2, steadyMax: 8, peak: 8 });
  });
});

// Whatever is deployed and whatever is asked for

const policies = fc
  .record({ surge: fc.nat(3), unavailable: fc.nat(2) })
  .filter(({ surge, unavailable }) => surge + unavailable > 0);
const versions = fc.record({
  name: fc.constantFrom('web', 'api', 'site'),
  command: fc.constantFrom('v1', 'v2', 'v3'),
  count: fc.integer({ min: 0, max: 5 }),
  more: fc.nat(3),
  auth: fc.boolean(),
  policy: policies,
});
type Version = typeof versions extends fc.Arbitrary<infer T> ? T : never;
const cents = fc.integer({ min: 1, max: 2_000 }).map((price) => price / 100);
const repositories = fc.uniqueArray(versions, { selector: ({ name }) => name, maxLength: 3 });

function made({ name, command, count, more, auth, policy }: Version): DesiredService {
  const base = spec(name).policy;
  return service(
    name,
    { commands: [command], replicas: `${count}..${count + more}`, auth, env: { COMMAND: command } },
    {
      groups: [group({ replicas: { min: count, max: count + more } }, { commands: [command] })],
      policy: { ...base, ...policy },
    },
  );
}

function planned(after: readonly Version[], before: readonly Version[], old: number, now: number): Plan {
  const states = before.map((version) => {
    const desired = made(version);
    return running(desired, Array(version.count).fill(old));
  });
  return planOf(
    new Map(after.map((version) => [version.name, made(version)])),
    new Map(states.map((each) => [each.service, each])),
    { ...context, marketOf: selling(at(now)) },
  );
}

describe('whatever changes', () => {
  test('totals are the sums of their parts, and the peak is never below what is before or after', () => {
    fc.assert(
      fc.property(repositories, repositories, cents, cents, (before, after, old, now) => {
        const { changes, price } = planned(after, before, old, now);
        for (const key of ['now', 'steady', 'steadyMax', 'peak'] as const)
          expect(price[key]).toBeCloseTo(
            changes.reduce((sum, each) => sum + each.price[key], 0),
            5,
          );
        for (const each of [price, ...changes.map((change) => change.price)]) {
          expect(each.peak).toBeGreaterThanOrEqual(Math.max(each.now, each.steady));
          expect(each.steadyMax).toBeGreaterThanOrEqual(each.steady);
        }
      }),
    );
  });

  test('nothing changes where all is as it is asked for, and it costs what it costs', () => {
    fc.assert(
      fc.property(repositories, cents, cents, (versions, old, now) => {
        const { changes, price, deletions, warnings } = planned(versions, versions, old, now);
        expect(
          changes.every(({ change, patch, fields }) => `${change} ${patch} ${fields}` === 'keep  '),
        ).toBe(true);
        expect([price.steady, price.peak, deletions, warnings]).toEqual([price.now, price.now, [], []]);
      }),
    );
  });

  test('the way back undoes the way there', () => {
    const turned = ({ fields }: Change) =>
      fields.map(({ path, from, to, how }) => ({ path, from: to, to: from, how }));
    fc.assert(
      fc.property(versions, versions, (a, b) => {
        const name = 'web';
        const [there] = planned([{ ...b, name }], [{ ...a, name }], 1, 1).changes;
        const [back] = planned([{ ...a, name }], [{ ...b, name }], 1, 1).changes;
        if (!there || !back) throw new Error('no change');
        expect(back.fields).toEqual(turned(there));
        expect(back.how).toEqual(there.how);
        const start = made({ ...a, name }).configuration;
        expect(patched(patched(start, there), back)).toEqual(start);
      }),
    );
  });

  test('the digest tells only what is applied, what is asked for and the policy apart', () => {
    fc.assert(
      fc.property(repositories, repositories, cents, cents, (before, after, old, now) => {
        expect(planned(after, before, old, now).digest).toBe(planned(after, before, now, old).digest);
        const more = [...after.filter(({ name }) => name !== 'web'), { ...BASE, count: 9 }];
        expect(planned(more, before, old, now).digest).not.toBe(planned(after, before, old, now).digest);
      }),
    );
  });
});

const BASE: Version = {
  name: 'web',
  command: 'v1',
  count: 1,
  more: 0,
  auth: true,
  policy: { surge: 1, unavailable: 0 },
};

function patched(configuration: unknown, { patch }: Change): unknown {
  const operations = structuredClone(patch) as jsonpatch.Operation[];
  return jsonpatch.applyPatch(structuredClone(configuration), operations).newDocument;
}

// The same decision that rolls, in a simulated world

describe('no rollout costs more than its plan says', () => {
  const rollouts = fc.record({
    before: fc.integer({ min: 1, max: 4 }),
    after: fc.integer({ min: 1, max: 4 }),
    isReplaced: fc.boolean(),
    policyBefore: policies,
    policyAfter: policies,
    bootMs: fc.constantFrom(0, 700, 8_000),
    oldPrice: cents,
    newPrice: cents,
    seed: fc.nat(),
  });

  test('at any moment', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(rollouts, async (rollout) => {
        const most = await costliestMoment(rollout);
        expect(most.cost).toBeLessThanOrEqual(most.peak + 1e-6);
      }),
      { numRuns: 60, seed: 20_261_121, endOnFailure: true },
    );
  });

  test('and one that buys all it may costs just that', async () => {
    const policy = { surge: 1, unavailable: 0 };
    const most = await costliestMoment({
      before: 3,
      after: 3,
      isReplaced: true,
      policyBefore: policy,
      policyAfter: policy,
      bootMs: 700,
      oldPrice: 1,
      newPrice: 2,
      seed: 1,
    });
    expect(most).toEqual({ cost: 7, peak: 7 });
  });
});

interface SimulatedRollout {
  readonly before: number;
  readonly after: number;
  readonly isReplaced: boolean;
  readonly policyBefore: Pick<RolloutPolicy, 'surge' | 'unavailable'>;
  readonly policyAfter: Pick<RolloutPolicy, 'surge' | 'unavailable'>;
  readonly bootMs: number;
  readonly oldPrice: number;
  readonly newPrice: number;
  readonly seed: number;
}

/** Rolls it out, and adds up what the machines of every moment cost: the old ones at their price, the others at today's. */
async function costliestMoment(
  rollout: SimulatedRollout,
): Promise<{ readonly cost: number; readonly peak: number }> {
  const { seed, bootMs, oldPrice, newPrice, isReplaced } = rollout;
  const world = await simulate({ seed, bootMs });
  const old = web('v1', rollout.before, rollout.policyBefore);
  await world.commit(old);
  const state = await world.runUntil('the first deployment runs', isRunning(1));
  if (!state) throw new Error('nothing runs');
  const bought = state.replicas.map((each) => ({ ...each, offer: at(oldPrice) }));
  const next = web(isReplaced ? 'v2' : 'v1', rollout.after, rollout.policyAfter);
  const { price } = plan(next, [{ ...state, replicas: bought }], selling(at(newPrice)));
  const names = new Set(bought.map(({ name }) => name));
  const since = world.now();
  await world.commit(next);
  await world.runUntil(
    'what is asked for runs',
    (now) => now?.status === 'running' && runs(now, next),
    7_200_000,
  );
  await world.run(60_000);
  const machines = world.cloud.machines().filter(({ endedAt }) => endedAt === null || endedAt > since);
  const costAt = (moment: number) =>
    machines
      .filter(({ createdAt, endedAt }) => createdAt <= moment && (endedAt === null || endedAt > moment))
      .reduce((sum, { tags }) => sum + (names.has(tags.replica) ? oldPrice : newPrice), 0);
  return {
    cost: Math.max(...[since, ...machines.map(({ createdAt }) => createdAt)].map(costAt)),
    peak: price.peak,
  };
}

function runs({ replicas }: ServiceState, { shapes, spec: { groups } }: DesiredService): boolean {
  const wanted = groups[0]?.replicas.min ?? 0;
  return (
    replicas.length === wanted &&
    replicas.every((each) => each.phase === 'ready' && each.shape === shapes['0'])
  );
}
