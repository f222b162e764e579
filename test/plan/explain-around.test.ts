// Fleets and volumes in the shape the API promises: how they are, who uses what, what they wait for and what ends it.
import { describe, expect, test } from 'vitest';
import { whyOf } from '../../reconciler/plan/explain.ts';
import {
  type FleetSubject,
  fleetView,
  nextOfFleet,
  nextOfVolume,
  type VolumeSubject,
  volumeView,
} from '../../reconciler/plan/explain-around.ts';
import { decideFleet } from '../../reconciler/plan/fleet/decide.ts';
import { holdersOf, type Naming, usersOf } from '../../reconciler/plan/named.ts';
import { aroundViewSchema } from '../../schemas/api-around.ts';
import type { Problem } from '../../schemas/errors.ts';
import type { Replica, Waiting, WaitingReason } from '../../schemas/rollout.ts';
import { fleet, fleetState, H100, machine, used, volume, volumeState } from './around-samples.ts';
import { group, replica, service, state } from './samples.ts';

const spell = (ms: number) => new Date(ms).toISOString();

function waiting(reason: WaitingReason, detail = '', subject = ''): Waiting {
  return { reason, subject, since: 0, until: null, detail };
}

const PROBLEM: Problem = {
  file: 'pool.dstack.yml',
  line: 3,
  column: 1,
  path: 'nodes',
  message: 'that is no number',
  fix: '',
  severity: 'error',
};

function pool(overrides: Partial<FleetSubject> = {}): FleetSubject {
  const desired = fleet({ nodes: { min: 1, target: 1, max: 2 } });
  return { name: 'pool', services: [], desired, state: fleetState([machine(1)]), ...overrides };
}

function models(overrides: Partial<VolumeSubject> = {}): VolumeSubject {
  const desired = volume();
  return { name: 'models', services: [], heldBy: [], desired, state: volumeState(desired), ...overrides };
}

/** A service that names the fleet `pool` and mounts the volume `models`, as it stands in the store. */
function naming(name: string, replicas: readonly Replica[], reasons: readonly Waiting[] = []): Naming {
  const base = group({}, { volumes: [{ name: 'models', path: '/models' }] });
  const groups = [{ ...base, placement: { ...base.placement, fleets: ['pool'] } }];
  const desired = service(name, {}, { groups });
  return {
    name,
    record: { service: desired, removed: false, problems: [] },
    state: state(desired, { replicas, waiting: reasons }),
  };
}

describe('a fleet', () => {
  test('says who has which machine, and until when an idle one that nothing keeps is there', () => {
    const view = fleetView(pool({ state: fleetState([used(1), machine(2, { idleSince: 1_000 })]) }), spell);
    expect(view).toMatchObject({
      kind: 'fleet',
      name: 'pool',
      status: 'ready',
      file: 'pool.dstack.yml',
      nodes: { min: 1, max: 2 },
      machines: [
        { name: 'pool-m1', guest: { service: 'web', replica: 'web-1' }, idleSince: null, idleUntil: null },
        { name: 'pool-m2', guest: null, idleSince: spell(1_000), idleUntil: spell(301_000) },
      ],
    });
    expect(aroundViewSchema.parse(view)).toEqual(view);
  });

  test('gives back first what has been idle for longest, and keeps the rest', () => {
    const machines = [machine(1, { idleSince: 500 }), machine(2, { idleSince: 100 })];
    const subject = pool({ state: fleetState(machines) });
    const until = fleetView(subject, spell).machines.map(({ idleUntil }) => idleUntil);
    expect(until).toEqual([null, spell(300_100)]);
    expect(nextOfFleet(subject)).toMatch(/^pool-m2 is given back unless somebody takes it/);
    const kept = pool({ state: fleetState([machine(1)]) });
    expect(fleetView(kept, spell).machines[0]?.idleUntil).toBeNull();
    expect(nextOfFleet(kept)).toMatch(/^Nothing: /);
  });

  test.each<[string, Partial<FleetSubject>, RegExp]>([
    ['creating', { state: null }, /^The next pass orders/],
    [
      'creating',
      { state: fleetState([machine(1, { phase: 'creating' })], { waiting: [waiting('instance')] }) },
      /^Once the backend has given the machine/,
    ],
    ['waiting', { state: fleetState([], { waiting: [waiting('capacity')] }) }, /^Offers are read again/],
    [
      'waiting',
      { state: fleetState([], { waiting: [waiting('dependency')] }) },
      /^A commit that mends its file/,
    ],
    [
      'invalid',
      {
        desired: fleet({}, { problems: [PROBLEM] }),
        state: fleetState([], { waiting: [waiting('problem')] }),
      },
      /^Mend what is wrong/,
    ],
    [
      'removing',
      { desired: null, state: fleetState([used(1)], { waiting: [waiting('drain')] }) },
      /^Once nobody uses its machines/,
    ],
  ])('is %s and says what ends that (%#)', (status, overrides, next) => {
    const subject = pool(overrides);
    expect(fleetView(subject, spell).status).toBe(status);
    expect(nextOfFleet(subject)).toMatch(next);
  });

  test('never says that a machine was idle which somebody had before it was there', () => {
    const guest = { service: 'web', replica: 'web-1', attempt: 1 };
    const asked = machine(1, { phase: 'creating', guest });
    const tags = { owner: '', project: 'main', service: 'fleet:pool', group: '', deployment: 0, shape: '' };
    const instance = {
      id: 'pool-m1',
      backend: 'aws',
      region: 'us',
      instance: 'h100',
      status: 'running',
      tags: { ...tags, replica: 'pool-m1', attempt: 1 },
      pricePerHour: 2.5,
      createdAt: 0,
    } as const;
    const { state: after } = decideFleet({
      project: 'main',
      fleet: 'pool',
      desired: fleet(),
      state: fleetState([asked]),
      actual: {
        found: [],
        machines: { 'pool-m1': { kind: 'present', instance, process: { kind: 'absent' } } },
        offers: null,
        guests: [{ ...guest, offer: H100, wish: 'asking', keepMs: null, priority: 0, since: 0 }],
      },
      now: 1_000,
    });
    expect(after?.machines).toMatchObject([{ phase: 'ready', guest, idleSince: null }]);
  });

  test('that somebody waits for, and that may have no more machines, says what would help', () => {
    const full = pool({
      services: [{ name: 'web', waits: true }],
      state: fleetState([used(1), used(2, 'api-1')]),
    });
    expect(nextOfFleet(full)).toMatch(/^It may have no more machines: raise `nodes`/);
    expect(nextOfFleet({ ...full, services: [{ name: 'web', waits: false }] })).toMatch(/^Nothing/);
  });
});

describe('a volume', () => {
  test('says where it is, how large, and who holds it', () => {
    const view = volumeView(models({ heldBy: [{ service: 'web', replica: 'web-1' }] }), spell);
    expect(view).toMatchObject({
      kind: 'volume',
      status: 'ready',
      phase: 'ready',
      backend: 'aws',
      region: 'us',
      sizeGib: 100,
      id: 'vol-1',
      heldBy: [{ service: 'web', replica: 'web-1' }],
    });
    expect(aroundViewSchema.parse(view)).toEqual(view);
  });

  const had = volume();
  test.each<[string, Partial<VolumeSubject>, RegExp]>([
    ['ready', {}, /^Nothing: it is there/],
    ['creating', { state: null }, /^The next pass orders it/],
    [
      'creating',
      { state: volumeState(had, { phase: 'creating', id: null, waiting: [waiting('instance')] }) },
      /^Once the backend has made it/,
    ],
    [
      'waiting',
      { state: volumeState(had, { phase: 'creating', id: null, waiting: [waiting('backend')] }) },
      /^Once the backend answers/,
    ],
    [
      'lost',
      { state: volumeState(had, { phase: 'lost', waiting: [waiting('hold')] }) },
      /^Nothing until its file changes/,
    ],
    ['kept', { desired: null, state: volumeState(had) }, /its file is gone, and it stays/],
  ])('is %s and says what ends that (%#)', (status, overrides, next) => {
    const subject = models(overrides);
    expect(volumeView(subject, spell).status).toBe(status);
    expect(nextOfVolume(subject)).toMatch(next);
  });
});

describe('who uses what', () => {
  const mounted = [{ volume: 'models', id: 'vol-1', path: '/models' }];
  const running = naming('web', [replica('web-1', { offer: { ...H100, fleet: 'pool', mounted } })]);
  const short = naming('api', [], [waiting('capacity', 'fleet pool is full', '0')]);

  test('is known from the records of services: those that name it, and those that wait for it', () => {
    expect(usersOf([running, short]).get('fleet:pool')).toEqual([
      { name: 'web', waits: false },
      { name: 'api', waits: true },
    ]);
    expect(holdersOf([running, short]).get('models')).toMatchObject([{ service: 'web', replica: 'web-1' }]);
  });

  test('counts one that names it no more, as long as it has a machine of it', () => {
    const { record } = naming('web', []);
    const plain = service('web');
    const left = { ...running, record: record && { ...record, service: plain }, state: running.state };
    expect(usersOf([left]).get('fleet:pool')).toEqual([{ name: 'web', waits: false }]);
  });
});

describe('a service that waits for what is around it', () => {
  const about = (
    reasons: readonly Waiting[],
    known: readonly string[],
    replicas: readonly Replica[] = [],
  ) => {
    const { name, record, state: own } = naming('web', replicas, reasons);
    return whyOf({ name, record, state: own, url: '', now: 0, around: new Set(known) }, spell).next;
  };

  test.each<WaitingReason>(['dependency', 'capacity', 'cannot-surge'])(
    'for `%s` says who tells more',
    (reason) => {
      expect(about([waiting(reason, '', '0')], ['fleet:pool'])).toBe(
        'Once fleet:pool has what it asks for, it goes on. `trueup why fleet:pool` tells what that waits for and who has it.',
      );
    },
  );

  test('points at nothing that is not there', () => {
    expect(about([waiting('dependency', 'no file declares the fleet `pool`', '0')], [])).toMatch(
      /a commit that declares or mends it is applied at once/,
    );
  });

  test('for its machine says which fleet is to give it', () => {
    const asking = replica('web-1', { phase: 'creating', offer: { ...H100, fleet: 'pool' } });
    expect(about([waiting('instance', '', 'web-1')], ['fleet:pool'], [asking])).toMatch(
      /^Once fleet:pool has given it a machine, .*`trueup why fleet:pool`/,
    );
  });
});
