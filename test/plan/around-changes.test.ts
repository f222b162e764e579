// What a plan says of fleets and volumes: what becomes of them, and what machines cost that no service has.
import { describe, expect, test } from 'vitest';
import { type AroundContext, aroundChangesOf, type Demands } from '../../reconciler/plan/around-changes.ts';
import { planOf } from '../../reconciler/plan/diff.ts';
import { occupancyOf } from '../../reconciler/plan/fleet/kept.ts';
import type { DesiredAround } from '../../schemas/around.ts';
import type { DesiredService } from '../../schemas/desired.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { FleetState } from '../../schemas/fleet.ts';
import type { Market, Offer } from '../../schemas/offer.ts';
import { type Plan, planSchema } from '../../schemas/plan.ts';
import type { VolumeState } from '../../schemas/volume.ts';
import { fleet, fleetState, H100, machine, used, volume, volumeState } from './around-samples.ts';
import { group, replica, service, state } from './samples.ts';

const nodes = (min: number, max: number | null = null, target = min) => ({ min, target, max });

function selling(...offers: readonly Offer[]): Market {
  return { offers, total: offers.length, excluded: [], failures: [] };
}

interface Case {
  readonly known?: DesiredAround | null;
  readonly wanted?: DesiredAround | null;
  readonly state?: FleetState | VolumeState | null;
  readonly market?: Market;
}

function contextOf({ known = null, wanted = null, state: own = null, market }: Case): AroundContext {
  const spec = (known ?? wanted)?.spec;
  const key = spec && 'nodes' in spec ? `fleet:${spec.name}` : `volume:${spec?.name}`;
  const one = <T>(value: T | null) => new Map(value === null ? [] : [[key, value] as const]);
  return {
    known: one(known),
    wanted: one(wanted),
    states: one(own),
    marketOf: () => market ?? selling(H100),
  };
}

function changeOf(given: Case, demands: Pick<Demands, 'steady' | 'most'> = { steady: [], most: [] }) {
  const [change] = aroundChangesOf(contextOf(given), demands);
  if (!change) throw new Error('nothing is said of it');
  return change;
}

const PROBLEM: Problem = {
  file: 'pool.dstack.yml',
  line: 1,
  column: 1,
  path: '',
  message: 'no',
  fix: '',
  severity: 'error',
};

describe('a fleet', () => {
  test.each<[string, Case, string, string]>([
    [
      'that is new says what it keeps',
      { wanted: fleet({ nodes: nodes(2, 4) }) },
      'create',
      '2 machines are kept, at most 4 at once; idle ones stay for 5m',
    ],
    [
      'that is new says what it has at first',
      { wanted: fleet({ nodes: nodes(0, null, 3), idleMs: null }) },
      'create',
      'no machine is kept, 3 are made at first, as many as are asked for may be made; idle ones stay for ever',
    ],
    [
      'of machines that are there already says that it cannot be had',
      { wanted: fleet({ refusal: 'not yet' }) },
      'create',
      'no machine can be had: not yet',
    ],
    [
      'that changes says what differs',
      { known: fleet({ nodes: nodes(1, 2) }), wanted: fleet({ nodes: nodes(2, null), idleMs: 600_000 }) },
      'update',
      '2 machines are kept (now 1); as many as are asked for may be made (now 2); idle ones stay for 10m (now 5m)',
    ],
    [
      'that asks for other machines says what becomes of those it has',
      {
        known: fleet(),
        wanted: fleet({ placement: { ...group().placement, spotPolicy: 'auto', regions: ['eu'] } }),
      },
      'update',
      'other machines: those that do not fit are given back once nobody uses them',
    ],
    [
      'that asks for the same stays',
      { known: fleet(), wanted: fleet({}, { file: 'moved.yml' }) },
      'keep',
      'unchanged',
    ],
    [
      'whose file has errors stays',
      { known: fleet(), wanted: fleet({}, { problems: [PROBLEM] }) },
      'keep',
      'pool.dstack.yml has errors: it stays as it is',
    ],
    [
      'whose file is gone says who uses it still',
      { known: fleet(), state: fleetState([used(1), machine(2)]) },
      'delete',
      'its file is gone; its 2 machines end once nobody uses them any more (now web-1)',
    ],
    [
      'that nobody leaves machines to any more',
      { known: fleet({ name: 'idle' }, { file: '' }), state: fleetState([machine(1)]) },
      'delete',
      'no service leaves it machines any more; its machine ends',
    ],
  ])('%s', (_, given, change, text) => {
    expect(changeOf(given)).toMatchObject({ kind: 'fleet', change, text });
  });
});

describe('a volume', () => {
  const had = volume();
  const larger = volume({ sizeGib: 200 });
  const unmade = volumeState(had, { phase: 'creating', id: null });
  test.each<[string, Case, string, string]>([
    ['that is new is made', { wanted: had }, 'create', '100 GB in aws (us)'],
    [
      'that exists is found',
      { wanted: volume({ existing: 'vol-9', sizeGib: 0 }) },
      'create',
      'vol-9 in aws (us), which is there already',
    ],
    [
      'that is asked for as before stays',
      { known: had, wanted: had, state: volumeState(had) },
      'keep',
      'unchanged',
    ],
    [
      'that was not made yet is made as the file says now',
      { known: had, wanted: larger, state: unmade },
      'update',
      '200 GB in aws (us) (now 100 GB in aws (us))',
    ],
    [
      'that is there is never changed',
      { known: had, wanted: larger, state: volumeState(had) },
      'keep',
      'it stays as it is, in aws (us): a volume is never changed in place. Give a new one another name',
    ],
    [
      'whose file is gone stays',
      { known: had, state: volumeState(had) },
      'keep',
      'its file is gone; the volume stays, with what is on it: only a person deletes it, where it is',
    ],
    [
      'whose file is gone before it was made is forgotten',
      { known: had, state: unmade },
      'delete',
      'its file is gone; it was not made yet',
    ],
  ])('%s', (_, given, change, text) => {
    expect(changeOf(given)).toEqual({ kind: 'volume', name: 'models', change, text });
  });
});

describe('the machines of fleets', () => {
  test('are filled up to what each keeps, then to what each may have', () => {
    const fleets = new Map([
      ['a', { min: 2, max: 3 }],
      ['b', { min: 1, max: null }],
    ]);
    const spread = (count: number, ...names: readonly string[]) => {
      const occupancy = occupancyOf(fleets, [{ fleets: names, count }]);
      return [...occupancy.values()].map(({ used: busy, spare }) => `${busy}+${spare}`).join(' ');
    };
    expect(spread(0, 'a', 'b')).toBe('0+2 0+1');
    expect(spread(1, 'a', 'b')).toBe('1+1 0+1');
    expect(spread(3, 'a', 'b')).toBe('2+0 1+0');
    expect(spread(7, 'a', 'b')).toBe('3+0 4+0');
    expect(spread(2, 'nowhere')).toBe('0+2 0+1');
  });

  test('cost what was paid for those that are there, and the cheapest offer for the others', () => {
    const kept = fleet({ nodes: nodes(3) });
    const dear = machine(1, { offer: { ...H100, price: 4 } });
    const price = changeOf({ known: kept, wanted: kept, state: fleetState([dear, used(2)]) }).price;
    expect(price).toEqual({ now: 4, steady: 9, steadyMax: 9, peak: 9 });
  });

  test('cost less beside services, the more of them those use', () => {
    const kept = fleet({ nodes: nodes(3) });
    const demands = {
      steady: [{ fleets: ['pool'], count: 1 }],
      most: [{ fleets: ['pool'], count: 5 }],
    };
    expect(changeOf({ wanted: kept }, demands).price).toEqual({ now: 0, steady: 5, steadyMax: 0, peak: 5 });
  });

  test('are as many as are made at first, until those that nobody uses are given back', () => {
    const wanted = fleet({ nodes: nodes(1, null, 4) });
    expect(changeOf({ wanted }).price).toEqual({ now: 0, steady: 2.5, steadyMax: 2.5, peak: 10 });
    const begun = { known: wanted, wanted, state: fleetState([]) };
    expect(changeOf(begun).price?.peak).toBe(2.5);
  });

  test('cost nothing any more once the fleet is gone', () => {
    expect(changeOf({ known: fleet(), state: fleetState([machine(1)]) }).price).toEqual({
      now: 2.5,
      steady: 0,
      steadyMax: 0,
      peak: 2.5,
    });
  });
});

describe('a plan', () => {
  const base = group();
  const web = (count: number): DesiredService => {
    const own = group({
      replicas: { min: count, max: count },
      placement: { ...base.placement, fleets: ['pool'] },
    });
    return service('web', { replicas: count }, { groups: [own] });
  };
  const plan = (desired: DesiredService | null, given: Case, budget: number | null = null): Plan =>
    planOf(new Map(desired ? [['web', desired]] : []), new Map(), {
      commit: null,
      base: 'a'.repeat(40),
      marketOf: () => given.market ?? selling(H100),
      around: contextOf(given),
      budget,
    });

  test('counts what fleets keep beyond the replicas of services that name them', () => {
    const wanted = fleet({ nodes: nodes(3) });
    expect(plan(null, { wanted }).price).toEqual({ now: 0, steady: 7.5, steadyMax: 7.5, peak: 7.5 });
    expect(plan(web(2), { wanted }).price).toEqual({ now: 0, steady: 7.5, steadyMax: 7.5, peak: 7.5 });
    expect(plan(web(5), { wanted }).price).toMatchObject({ steady: 12.5 });
    const shown = plan(web(2), { wanted });
    expect(planSchema.parse(shown)).toEqual(shown);
  });

  test('of a service that goes onto an idle machine costs nothing more', () => {
    const kept = fleet({ nodes: nodes(1) });
    const market = selling({ ...H100, fleet: 'pool', availability: 'idle' }, { ...H100, fleet: 'pool' });
    const given = { known: kept, wanted: kept, state: fleetState([machine(1)]), market };
    expect(plan(web(1), given).price).toEqual({ now: 2.5, steady: 2.5, steadyMax: 2.5, peak: 2.5 });
    expect(plan(web(2), given).price).toMatchObject({ now: 2.5, steady: 5, peak: 5 });
  });

  test('prices replicas for which there are not enough idle machines by the dearer', () => {
    const [idle, sold] = [
      { ...H100, fleet: 'pool', availability: 'idle', price: 1 } as const,
      { ...H100, fleet: 'pool' },
    ];
    const unit = (count: number) =>
      plan(web(count), { market: selling(idle, sold) }).changes[0]?.groups[0]?.pricePerReplica;
    expect(unit(1)).toBe(1);
    expect(unit(2)).toBe(2.5);
  });

  test('says nothing of what is not there', () => {
    expect(plan(web(1), {})).not.toHaveProperty('around');
  });

  test('binds what files declare, but not the pool that follows from services', () => {
    const digest = (given: Case) => plan(web(1), given).digest;
    expect(digest({ wanted: fleet() })).not.toBe(digest({}));
    expect(digest({ wanted: fleet({ nodes: nodes(1) }) })).not.toBe(digest({ wanted: fleet() }));
    expect(digest({ wanted: fleet({}, { commit: 'another', file: 'moved.yml' }) })).toBe(
      digest({ wanted: fleet() }),
    );
    expect(digest({ wanted: fleet({ name: 'idle' }, { file: '' }) })).toBe(digest({}));
  });

  test('warns of machines that nobody sells, and of money that the budget does not hold back', () => {
    const wanted = fleet({ nodes: nodes(2) });
    expect(plan(null, { wanted, market: selling() }).warnings).toMatchObject([
      { kind: 'no-offer', service: 'fleet:pool', message: expect.stringContaining('so 2 machines of it') },
    ]);
    expect(plan(null, { known: wanted, wanted, market: selling() }).warnings).toEqual([]);
    expect(plan(null, { wanted }, 4).warnings).toMatchObject([
      {
        kind: 'over-budget',
        service: '',
        message: expect.stringContaining('$5.00/h in all; $4.00/h are allowed'),
      },
    ]);
    expect(plan(null, { wanted }, 5).warnings).toEqual([]);
    const kept = { known: wanted, wanted, state: fleetState([machine(1), machine(2)]) };
    expect(plan(null, kept, 4).warnings).toEqual([]);
  });

  test('warns where the fleets that a service names have no room for it', () => {
    const full = { ...selling({ ...H100, fleet: 'pool' }), room: 0 };
    expect(plan(web(2), { market: full }).warnings).toMatchObject([
      {
        kind: 'capacity',
        service: 'web',
        message: '2 machines are needed, and the fleets that it names have room for 0',
      },
    ]);
    const [before, after] = [web(1), { ...web(1), shapes: { '0': 'another' }, configuration: { v: 2 } }];
    const running = state(before, { replicas: [replica('web-1', { shape: before.shapes['0'] ?? '' })] });
    const update = planOf(new Map([['web', after]]), new Map([['web', running]]), {
      commit: null,
      base: null,
      marketOf: () => full,
    });
    expect(update.warnings).toMatchObject([
      { kind: 'cannot-surge', message: expect.stringMatching(/^every machine of the fleets .* is in use/) },
    ]);
  });
});
