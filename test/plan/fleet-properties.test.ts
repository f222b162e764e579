// The decision of a fleet in any world: guests come and go, clouds refuse, lose and hide machines, files change, databases
// are lost. Every decision is judged on the way (`fleet-rules.ts`); and once all trouble is over, it is as asked.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FleetSpec } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import { driveFleet, type FleetDrive, LARGE, SMALL } from './fleet-drive.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const GUESTS = ['web-1', 'web-2', 'api-1', 'db-1'];
const MACHINES = ['pool-m1', 'pool-m2', 'pool-m3', 'pool-m4'];
const KINDS = [SMALL, LARGE];

const nodes = fc
  .tuple(fc.nat(2), fc.nat(2), fc.option(fc.nat(2)))
  .map(([min, more, room]) => ({ min, target: min + more, max: room === null ? null : min + more + room }))
  .filter(({ max }) => max !== 0);
const spec: fc.Arbitrary<Partial<FleetSpec>> = fc.record(
  {
    nodes,
    idleMs: fc.constantFrom(0, 2 * MINUTE, HOUR, null),
    placement: fc.constantFrom(
      IDLE_POOL_SPEC.placement,
      { ...IDLE_POOL_SPEC.placement, instanceTypes: ['large'] },
      { ...IDLE_POOL_SPEC.placement, maxPrice: 1 },
    ),
    refusal: fc.constantFrom(null, null, null, 'it is of no use here'),
  },
  { requiredKeys: [] },
);

type Act = (pool: FleetDrive) => void;
const act = (name: string, run: Act) => Object.assign(run, { toString: () => name });

const guest = fc.constantFrom(...GUESTS);
const machine = fc.constantFrom(...MACHINES);
let attempts = 1;
const happening: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        who: guest,
        offer: fc.constantFrom(...KINDS),
        isIdleOnly: fc.constantFrom(false, false, true),
        keepMs: fc.constantFrom(0, MINUTE, HOUR, null),
        priority: fc.constantFrom(0, 50),
      })
      .map(({ who, offer, isIdleOnly, ...more }) =>
        act(`${who} asks for ${isIdleOnly ? 'an idle ' : ''}${offer.instance}`, (pool) => {
          if (!pool.isGuest(who))
            pool.ask(who, {
              ...more,
              attempt: ++attempts,
              offer: { ...offer, fleet: 'pool', ...(isIdleOnly && { isIdleOnly }) },
            });
        }),
      ),
  },
  ...(['use', 'leave', 'giveBack', 'forget'] as const).map((what) => ({
    weight: what === 'giveBack' ? 1 : 3,
    arbitrary: guest.map((who) => act(`${who}: ${what}`, (pool) => pool[what](who))),
  })),
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('lose' as const, 'notice' as const, 'occupy' as const), machine)
      .map(([what, which]) => act(`${which}: ${what}`, (pool) => pool[what](which))),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        kind: fc.constantFrom(
          null,
          ...([
            'no-capacity',
            'quota',
            'transient',
            'rate-limited',
            'unauthorized',
            'invalid',
            'bug',
          ] as const),
        ),
        instance: fc.constantFrom('small', 'large', undefined),
        isDone: fc.boolean(),
      })
      .map(({ kind, instance, isDone }) =>
        act(`the cloud says ${kind} of ${instance}`, (pool) =>
          pool.refuse(kind, {
            ...(instance && { instance }),
            // A refusal is definite: what was refused was not done.
            isDone: isDone && (kind === 'transient' || kind === 'bug' || kind === 'rate-limited'),
          }),
        ),
      ),
  },
  { weight: 2, arbitrary: fc.boolean().map((is) => act(`blind: ${is}`, (pool) => pool.blind(is))) },
  { weight: 1, arbitrary: fc.boolean().map((is) => act(`stubborn: ${is}`, (pool) => pool.stubborn(is))) },
  {
    weight: 1,
    arbitrary: fc
      .subarray([...KINDS])
      .map((sold) => act(`sold: ${sold.map(({ instance }) => instance)}`, (pool) => pool.sell(...sold))),
  },
  {
    weight: 2,
    arbitrary: fc
      .option(spec, { freq: 4 })
      .map((change) => act(`file: ${JSON.stringify(change)}`, (pool) => pool.commit(change))),
  },
  { weight: 1, arbitrary: fc.constant(act('the database is lost', (pool) => pool.forgetAll())) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 10 }).map((h) => act(`away ${h} h`, (pool) => pool.away(h * HOUR))),
  },
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 8 * MINUTE })
      .map((ms) => act(`pass ${ms}`, (pool) => pool.pass(ms))),
  },
);

/** All trouble is over, and whoever has a machine is gone. */
function calm(pool: FleetDrive): void {
  pool.refuse(null);
  pool.blind(false);
  pool.stubborn(false);
  pool.sell(...KINDS);
  for (const name of MACHINES) if (pool.isTaken(name)) pool.lose(name);
  for (const who of GUESTS) pool.forget(who);
}

const world = fc.tuple(nodes, fc.array(happening, { minLength: 5, maxLength: 40 }));
const runs = { numRuns: Number(process.env.TRUEUP_WORLDS ?? 150), endOnFailure: true };

function live([first, happenings]: [FleetSpec['nodes'], readonly Act[]]): FleetDrive {
  const pool = driveFleet({ nodes: first });
  pool.pass(1);
  for (const happen of happenings) {
    happen(pool);
    pool.pass(1);
  }
  calm(pool);
  return pool;
}

test('whatever happened, as many machines are kept in the end as the file asks for, and no other', () => {
  fc.assert(
    fc.property(world, (told) => {
      const pool = live(told);
      const { idleMs, nodes } = { ...IDLE_POOL_SPEC, nodes: { min: 1, target: 1, max: 2 }, idleMs: MINUTE };
      pool.commit({ nodes, idleMs, refusal: null, placement: IDLE_POOL_SPEC.placement });
      pool.pass(3 * HOUR);
      expect(pool.machines().map((text) => text.split(' ')[1])).toEqual(['ready']);
      expect(pool.there()).toHaveLength(1);
      expect(pool.waiting()).toEqual([]);
    }),
    runs,
  );
});

test('and whoever asks then has a machine, one each', () => {
  fc.assert(
    fc.property(world, (told) => {
      const pool = live(told);
      pool.commit({
        nodes: { min: 0, target: 0, max: null },
        refusal: null,
        placement: IDLE_POOL_SPEC.placement,
      });
      pool.pass(HOUR);
      for (const who of GUESTS) pool.ask(who, { attempt: ++attempts });
      pool.pass(3 * MINUTE);
      const guests = pool.machines().flatMap((text) => text.split(' ')[2] ?? []);
      expect(guests.toSorted()).toEqual(GUESTS.toSorted());
    }),
    runs,
  );
});

test('and when its file is gone, nothing is left', () => {
  fc.assert(
    fc.property(world, (told) => {
      const pool = live(told);
      pool.pass(1);
      pool.commit(null);
      pool.pass(HOUR);
      expect(pool.there()).toEqual([]);
      expect(pool.state()).toBeNull();
    }),
    runs,
  );
});
