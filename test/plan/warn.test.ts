// What a plan warns of, and in which order.
import { describe, expect, test } from 'vitest';
import { type PlanContext, planOf } from '../../reconciler/plan/diff.ts';
import type { DesiredService, GroupSpec, RolloutPolicy } from '../../schemas/desired.ts';
import type { Market, Offer } from '../../schemas/offer.ts';
import type { PlanWarning } from '../../schemas/plan.ts';
import type { ServiceState } from '../../schemas/rollout.ts';
import { group, LOCAL, replica, service, spec, state } from './samples.ts';

const SOLD: Offer = { ...LOCAL, backend: 'cloud', price: 1 };

function warnings(
  desired: readonly DesiredService[],
  states: readonly ServiceState[],
  context: Partial<PlanContext> = {},
): readonly PlanWarning[] {
  const plan = planOf(
    new Map(desired.map((each) => [each.name, each])),
    new Map(states.map((each) => [each.service, each])),
    { commit: null, base: null, marketOf: () => selling(SOLD), ...context },
  );
  return plan.warnings;
}

function selling(...offers: readonly Offer[]): Market {
  return { offers, total: offers.length, excluded: [], failures: [] };
}

function nothing(...excluded: Market['excluded']): Partial<PlanContext> {
  return { marketOf: () => ({ ...selling(), excluded }) };
}

function web(
  command: string,
  more: Partial<GroupSpec> = {},
  policy: Partial<RolloutPolicy> = {},
): DesiredService {
  const base = spec('web').policy;
  return service(
    'web',
    { commands: [command] },
    { groups: [group(more, { commands: [command] })], policy: { ...base, ...policy } },
  );
}

/** One replica of it, which took 40 s to become ready. */
function running(desired: DesiredService): ServiceState {
  const shape = desired.shapes['0'] ?? '';
  return state(desired, { replicas: [replica('web-0', { shape, createdAt: 0, readyAt: 40_000 })] });
}

describe('a plan warns', () => {
  test('of each service that it removes, and of what ends with it', () => {
    expect(warnings([], [running(web('v1'))])).toEqual([
      {
        kind: 'deletes',
        service: 'web',
        message: 'it is removed, because its file is gone: 1 replica ends',
        fix: 'Put its file back to keep it.',
      },
    ]);
    const [both] = warnings(
      [],
      [state(service('api')), state(service('web', {}, { groups: [group({}, { image: 'x' })] }))],
    );
    expect(both).toMatchObject({ service: '', message: expect.stringContaining('2 services are removed') });
    expect(both?.message).toContain('api, web; 2 replicas end');
  });

  test('of a price limit that nothing meets, with the price that something would', () => {
    const excluded = { requirement: 'max_price', rows: 3, nearest: '`max_price` ≥ 2.10' };
    expect(warnings([web('v1')], [], nothing(excluded))).toMatchObject([
      { kind: 'over-max-price', message: 'no offer is cheap enough: 3 offers need `max_price` ≥ 2.10' },
    ]);
  });

  test('of a requirement that nothing meets, the nearest miss first', () => {
    const region = { requirement: 'regions', rows: 7, nearest: 'us-east-1' };
    const gpu = { requirement: 'gpu.count', rows: 2, nearest: '' };
    expect(warnings([web('v1')], [], nothing(region, gpu))).toMatchObject([
      {
        kind: 'no-offer',
        message: 'no offer matches; 7 offers would do without `regions`',
        fix: 'This would do: `regions` us-east-1.',
      },
    ]);
    expect(warnings([web('v1')], [], nothing(gpu))).toMatchObject([{ fix: 'Relax `gpu.count`.' }]);
    expect(warnings([web('v1')], [], nothing())).toMatchObject([{ message: 'no offer matches' }]);
  });

  test('once of what has no offer, and not of the budget that nobody can compare it with', () => {
    const dear = (service: string): PlanWarning => ({ kind: 'over-budget', service, message: '', fix: '' });
    const told = warnings([web('v1')], [], { ...nothing(), policyWarnings: [dear('web'), dear('api')] });
    expect(told.map(({ kind, service: name }) => [kind, name])).toEqual([
      ['over-budget', 'api'],
      ['no-offer', 'web'],
    ]);
  });

  test('of offers that are all taken, and of a pool that has fewer than are needed', () => {
    const busy = selling({ ...SOLD, availability: 'busy' });
    expect(warnings([web('v1')], [], { marketOf: () => busy })).toMatchObject([
      { kind: 'capacity', message: '1 offer would do, but none is free now' },
    ]);
    const idle = selling({ ...SOLD, availability: 'idle' }, { ...SOLD, region: 'b', availability: 'idle' });
    const three = web('v1', { replicas: { min: 3, max: 3 } });
    expect(warnings([three], [], { marketOf: () => idle })).toMatchObject([
      { kind: 'capacity', message: '3 are needed, and only 2 are free' },
    ]);
    expect(warnings([web('v1')], [], { marketOf: () => idle })).toEqual([]);
  });

  test('of downtime where no new replica fits beside the old ones, and how long', () => {
    const busy = { marketOf: () => selling({ ...SOLD, availability: 'busy' }) };
    expect(warnings([web('v2')], [running(web('v1'))], busy)).toEqual([
      {
        kind: 'cannot-surge',
        service: 'web',
        message:
          'the only offer that would do is taken, so the rollout waits; it needs downtime of about 40 s',
        fix: 'Set `unavailable: 1` for it in trueup.yml, or give it somewhere else to run.',
      },
    ]);
    expect(warnings([web('v2', {}, { unavailable: 1 })], [running(web('v1'))], busy)).toMatchObject([
      { kind: 'capacity' },
    ]);
  });

  test('of a new name for which there is no room beside the old one, unless one may be missing', () => {
    const site = (policy: Partial<RolloutPolicy>) => ({ ...web('v1', {}, policy), name: 'site' });
    const told = (policy: Partial<RolloutPolicy>, offer: Offer) =>
      warnings([site(policy)], [running(web('v1'))], {
        marketOf: () => selling(offer),
        renames: [{ from: 'web', to: 'site' }],
      }).map(({ kind }) => kind);
    const busy: Offer = { ...SOLD, availability: 'busy' };
    expect(told({}, busy)).toEqual(['cannot-surge']);
    expect(told({ unavailable: 1 }, busy)).toEqual(['capacity']);
    expect(told({ surge: 0, unavailable: 1 }, SOLD)).toEqual([]);
  });

  test('of a volume that only one instance can hold', () => {
    const on = (command: string) =>
      web(command, {
        process: { ...group().process, commands: [command], volumes: [{ name: 'data', path: '/d' }] },
      });
    const made = (command: string) => ({ ...on(command), shapes: { '0': command } });
    expect(warnings([made('v2')], [running(made('v1'))])).toMatchObject([
      { kind: 'cannot-surge', message: expect.stringContaining('can hold the volume `data`') },
    ]);
    expect(warnings([made('v1')], [])).toEqual([]);
  });

  test('of a policy by which nothing serves for a while', () => {
    const policy = { surge: 0, unavailable: 1 };
    expect(warnings([web('v2', {}, policy)], [running(web('v1', {}, policy))])).toMatchObject([
      { kind: 'cannot-surge', fix: 'Set `surge: 1` for it in trueup.yml.' },
    ]);
  });

  test('of a revision that failed before, while it is set aside', () => {
    const next = web('v2');
    const quarantine = { digest: next.digest, until: 100, reason: 'web-1: exited with 1' };
    const states = [{ ...running(web('v1')), quarantine }];
    expect(warnings([next], states, { now: 99 })).toMatchObject([
      { kind: 'quarantined', message: expect.stringContaining('web-1: exited with 1') },
    ]);
    expect(warnings([next], states, { now: 100 })).toEqual([]);
    expect(warnings([web('v3')], states, { now: 99 })).toEqual([]);
  });

  test('of nothing where nothing has to be placed', () => {
    const routed = { ...web('v1'), configuration: { auth: false } };
    expect(warnings([routed], [running(web('v1'))], nothing())).toEqual([]);
    expect(warnings([web('v1')], [running(web('v1'))], nothing())).toEqual([]);
  });

  test('with the worst first, and with what others have to say', () => {
    const given: PlanWarning[] = [
      { kind: 'policy', service: '', message: 'it loosens its budget', fix: '' },
      { kind: 'over-budget', service: 'api', message: 'too dear', fix: '' },
    ];
    const found = warnings(
      [web('v1')],
      [state(service('old', {}, { groups: [group({}, { image: 'x' })] }))],
      {
        ...nothing(),
        policyWarnings: given,
      },
    );
    expect(found.map(({ kind }) => kind)).toEqual(['deletes', 'over-budget', 'no-offer', 'policy']);
  });

  test('in a service of several groups, of which one it speaks', () => {
    const two = service('web', {}, { groups: [group({ name: 'cpu' }), group({ name: 'gpu' })] });
    const marketOf = (_: string, name: string) => (name === 'gpu' ? selling() : selling(SOLD));
    expect(warnings([two], [], { marketOf })).toMatchObject([{ message: 'group gpu: no offer matches' }]);
  });
});
