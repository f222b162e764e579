// The decision of a fleet, in examples: which machines there are, and who has them.
import { describe, expect, test } from 'vitest';
import { IDLE_POOL } from '../../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../../schemas/fleet-spec.ts';
import { driveFleet, LARGE, SMALL } from './fleet-drive.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LARGE_ONLY = { ...IDLE_POOL_SPEC.placement, instanceTypes: ['large'] };
const nodes = (min: number, max: number | null = null, target = min) => ({ nodes: { min, max, target } });

describe('machines that are kept', () => {
  test('are there before anybody asks', () => {
    const pool = driveFleet(nodes(2));
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready']);
    expect(pool.waiting()).toEqual([]);
  });

  test('stay, however long nobody uses them; more than that go when their time is over', () => {
    const pool = driveFleet(nodes(1, 4, 3));
    pool.pass(MINUTE);
    expect(pool.machines()).toHaveLength(3);
    pool.pass(HOUR);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
    pool.pass(100 * HOUR);
    expect(pool.there()).toEqual(['pool-m1']);
  });

  test('are made anew when they are lost, under another name', () => {
    const pool = driveFleet(nodes(2));
    pool.pass(MINUTE);
    pool.lose('pool-m1');
    pool.pass(6 * MINUTE);
    expect(pool.machines()).toEqual(['pool-m2 ready', 'pool-m3 ready']);
    expect(pool.events).toContain('machine-lost pool-m1: its instance is gone');
  });

  test('are as many at first as `target` says, also where the file was of no use before', () => {
    const pool = driveFleet({
      ...nodes(0, 3, 2),
      refusal: 'machines that are there already cannot be used yet',
    });
    pool.pass(HOUR);
    expect(pool.machines()).toEqual([]);
    expect(pool.waiting()).toEqual(['dependency machines that are there already cannot be used yet']);
    pool.commit({ refusal: null });
    pool.pass(MINUTE);
    expect(pool.machines()).toHaveLength(2);
  });

  test('are waited for, with the reason, while nobody sells any', () => {
    const pool = driveFleet(nodes(2));
    pool.sell();
    pool.commit({ placement: LARGE_ONLY });
    pool.pass(MINUTE);
    expect(pool.waiting()).toEqual([
      'capacity 2 of 2 kept machines are missing: no backend offers what the configuration asks for: as large',
    ]);
    pool.sell(LARGE);
    pool.pass(2 * MINUTE);
    expect(pool.machines()).toHaveLength(2);
  });

  test('are of the next kind where the cheapest is refused, which is then left alone for a while', () => {
    const pool = driveFleet(nodes(1));
    pool.sell(SMALL, LARGE);
    pool.refuse('no-capacity', { instance: 'small' });
    pool.pass(MINUTE);
    expect(pool.state()?.machines.map(({ offer }) => offer.instance)).toEqual(['large']);
    expect(pool.state()?.setAside).toMatchObject([{ instance: 'small' }]);
  });
});

describe('who asks', () => {
  test('gets an idle machine at once', () => {
    const pool = driveFleet(nodes(2));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1', 'pool-m2 ready']);
  });

  test('gets the one that is on its way before another is made', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(1);
    pool.ask('web-1');
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 creating web-1']);
  });

  test('gets a new one of the kind it asks for where none is idle', () => {
    const pool = driveFleet(nodes(1));
    pool.sell(SMALL, LARGE);
    pool.pass(MINUTE);
    pool.ask('web-1', {
      offer: { ...LARGE, fleet: 'pool', mounted: [{ volume: 'data', id: 'v', path: '/' }] },
    });
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready web-1']);
    // The machine is no longer anybody's in particular.
    expect(pool.state()?.machines[1]?.offer).toEqual({ ...LARGE, availability: 'unknown' });
  });

  test('is served by priority, then by how long it has asked', () => {
    const pool = driveFleet(nodes(0, 2));
    pool.ask('late-1', { since: 3 });
    pool.ask('early-1', { since: 1 });
    pool.ask('top-1', { since: 9, priority: 50 });
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 creating top-1', 'pool-m2 creating early-1']);
    expect(pool.refusal('late-1')).toBe('fleet pool is full: 2 of its 2 machines are in use');
  });

  test('is refused for as long as it asks the same; another attempt is another question', () => {
    const pool = driveFleet(nodes(0, 1));
    for (const replica of ['web-1', 'web-2']) pool.ask(replica);
    pool.pass(MINUTE);
    pool.use('web-1');
    pool.leave('web-1');
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
    expect(pool.refusal('web-2')).toMatch(/is full/);
    pool.ask('web-2', { attempt: 2 });
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 ready web-2']);
    expect(pool.state()?.refusals).toEqual([]);
  });

  test('may ask for an idle one alone', () => {
    const pool = driveFleet(nodes(0));
    pool.ask('web-1', { offer: { ...SMALL, fleet: 'pool', isIdleOnly: true } });
    pool.pass(1);
    expect(pool.machines()).toEqual([]);
    expect(pool.refusal('web-1')).toBe('no idle machine of fleet pool is left');
  });

  test('gets none that is taken away, that nobody sees, or on which something runs', () => {
    const pool = driveFleet(nodes(3, 3));
    pool.pass(MINUTE);
    pool.notice('pool-m1');
    pool.occupy('pool-m2');
    pool.pass(6 * MINUTE);
    pool.ask('web-1');
    pool.ask('web-2');
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready web-1', 'pool-m3 ready web-2']);
    pool.blind(true);
    pool.leave('web-2');
    pool.pass(MINUTE);
    pool.ask('web-3');
    pool.pass(1);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready web-1', 'pool-m3 ready web-2']);
    expect(pool.refusal('web-3')).toMatch(/is full/);
  });

  test('gets none of a kind that the fleet does not ask for any more', () => {
    const pool = driveFleet(nodes(0));
    pool.ask('web-1');
    pool.commit({ placement: LARGE_ONLY });
    pool.pass(1);
    expect(pool.refusal('web-1')).toBe('small is not what the fleet pool asks for any more');
  });

  test('hears why its machine could not be had', () => {
    const pool = driveFleet(nodes(0));
    pool.refuse('quota');
    pool.ask('web-1');
    pool.pass(1);
    expect(pool.machines()).toEqual([]);
    expect(pool.state()?.refusals).toMatchObject([
      { replica: 'web-1', kind: 'quota', message: 'create: quota' },
    ]);
  });

  test('has the machine whose answer was lost, and no second one', () => {
    const pool = driveFleet(nodes(0));
    pool.refuse('transient', { isDone: true });
    pool.ask('web-1');
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1']);
    expect(pool.there()).toEqual(['pool-m1']);
  });

  test('hears of it when its machine takes too long, and that one is given back', () => {
    const pool = driveFleet(nodes(0));
    pool.refuse('transient');
    pool.ask('web-1');
    pool.pass(11 * MINUTE);
    expect(pool.refusal('web-1')).toBe('cloud: pool-m1 was not there within 10 min');
    expect(pool.state()?.setAside).toMatchObject([{ instance: 'small' }]);
    pool.pass(20 * MINUTE);
    expect(pool.machines()).toEqual([]);
  });
});

describe('a machine that was used', () => {
  test('is cleared before the next has it', () => {
    const pool = driveFleet(nodes(1, 1));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.leave('web-1');
    pool.ask('api-1');
    pool.pass(1);
    expect(pool.refusal('api-1')).toMatch(/is full/);
    pool.ask('api-1', { attempt: 2 });
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready api-1']);
    expect(pool.events.filter((event) => /machine-(lent|idle)/.test(event))).toEqual([
      "machine-lent pool-m1 is web-1's now",
      'machine-idle pool-m1 is idle',
      "machine-lent pool-m1 is api-1's now",
    ]);
  });

  test('is cleared when its guest is nowhere on record, whatever it runs', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.forget('web-1');
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
  });

  test('is its guest’s until that has ended; where that never does, the machine ends', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.giveBack('web-1');
    pool.pass(30_000);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1']);
    pool.pass(2 * MINUTE);
    expect(pool.machines()).toEqual(['pool-m2 ready']);
    expect(pool.events).toContain('machine-stopped pool-m1 is gone: what ran on it does not end');
  });

  test('is kept for as long as the shorter of fleet and service say, when it was made for the service', () => {
    const pool = driveFleet({ ...nodes(0), idleMs: HOUR });
    pool.ask('web-1', { keepMs: 10 * MINUTE });
    pool.ask('api-1', { keepMs: 2 * HOUR });
    pool.ask('db-1', { keepMs: null });
    pool.pass(MINUTE);
    for (const replica of ['web-1', 'api-1', 'db-1']) pool.use(replica);
    for (const replica of ['web-1', 'api-1', 'db-1']) pool.leave(replica);
    pool.pass(11 * MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready']);
    pool.pass(HOUR);
    expect(pool.machines()).toEqual([]);
  });

  test('is kept for as long as the fleet says, when it was there already', () => {
    const pool = driveFleet({ ...nodes(0), idleMs: HOUR });
    for (const replica of ['web-1', 'web-2']) {
      pool.ask(replica, { keepMs: 10 * MINUTE });
      pool.pass(MINUTE);
      pool.use(replica);
      pool.leave(replica);
      pool.pass(MINUTE);
    }
    pool.pass(30 * MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
    pool.pass(HOUR);
    expect(pool.machines()).toEqual([]);
  });

  test('is kept, in the pool of idle machines, for as long as who used it last says', () => {
    const pool = driveFleet({ ...nodes(0), idleMs: null }, IDLE_POOL);
    for (const [replica, keepMs] of [
      ['web-1', HOUR],
      ['web-2', 10 * MINUTE],
    ] as const) {
      pool.ask(replica, { keepMs });
      pool.pass(MINUTE);
      pool.use(replica);
      pool.leave(replica);
      pool.pass(MINUTE);
    }
    expect(pool.machines()).toEqual(['idle-m1 ready']);
    pool.pass(10 * MINUTE);
    expect(pool.machines()).toEqual([]);
  });

  test('is dropped when it is lost, and so is the guest’s claim to it', () => {
    const pool = driveFleet(nodes(0, 1));
    pool.ask('web-1');
    pool.pass(MINUTE);
    pool.use('web-1');
    pool.lose('pool-m1');
    pool.pass(6 * MINUTE);
    expect(pool.machines()).toEqual([]);
  });
});

describe('what cannot be seen', () => {
  test('is neither ended nor cleared, whatever is asked for', () => {
    const pool = driveFleet(nodes(2));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.blind(true);
    pool.forget('web-1');
    pool.commit(null);
    pool.pass(HOUR);
    expect(pool.there()).toEqual(['pool-m1', 'pool-m2']);
    expect(pool.waiting()).toEqual(['backend no answer', 'backend no answer']);
    pool.blind(false);
    pool.pass(2 * MINUTE);
    expect(pool.there()).toEqual([]);
  });
});

describe('another file', () => {
  test('says from then on how long idle machines stay', () => {
    const pool = driveFleet({ ...nodes(0, 3, 2), idleMs: null });
    pool.pass(100 * HOUR);
    expect(pool.machines()).toEqual(['pool-m1 ready', 'pool-m2 ready']);
    pool.commit({ idleMs: HOUR });
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual([]);
  });

  test('with fewer machines ends idle ones at once, and used ones when they are free', () => {
    const pool = driveFleet(nodes(3));
    pool.pass(MINUTE);
    for (const replica of ['web-1', 'web-2']) pool.ask(replica);
    pool.pass(1);
    for (const replica of ['web-1', 'web-2']) pool.use(replica);
    pool.commit(nodes(1, 1));
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1', 'pool-m2 ready web-2']);
    pool.leave('web-1');
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m2 ready web-2']);
  });

  test('with other machines replaces idle ones at once, and used ones when they are free', () => {
    const pool = driveFleet(nodes(2));
    pool.sell(SMALL, LARGE);
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.commit({ placement: LARGE_ONLY });
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1', 'pool-m3 ready']);
    pool.leave('web-1');
    pool.pass(MINUTE);
    expect(pool.state()?.machines.map(({ offer }) => offer.instance)).toEqual(['large', 'large']);
  });

  test('with mistakes changes nothing, and says so', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    const problem = {
      file: 'pool.dstack.yml',
      line: 3,
      column: 1,
      path: '',
      message: 'is not known',
      fix: '',
      severity: 'error',
    } as const;
    pool.commit({}, [problem]);
    pool.pass(HOUR);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
    expect(pool.waiting()).toEqual(['problem pool.dstack.yml:3:1 is not known; the last good spec stays']);
  });

  test('that is gone ends what is idle, and what is used once it is free; then nothing is left', () => {
    const pool = driveFleet(nodes(2));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.commit(null);
    pool.ask('web-2');
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1']);
    expect(pool.refusal('web-2')).toBe('the fleet pool is being given up');
    expect(pool.waiting()).toEqual(['drain its file is gone; web-1 still run on its machines']);
    pool.leave('web-1');
    pool.forget('web-2');
    pool.pass(MINUTE);
    expect(pool.state()).toBeNull();
    expect(pool.there()).toEqual([]);
  });

  test('that is gone, and comes back, finds the machines that are still used', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.commit(null);
    pool.pass(MINUTE);
    pool.commit({});
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1']);
  });
});

describe('when the database is lost', () => {
  test('its machines are known by their tags, cleared of what runs there, and lent again', () => {
    const pool = driveFleet(nodes(2, 2));
    pool.pass(MINUTE);
    pool.ask('web-1');
    pool.pass(1);
    pool.use('web-1');
    pool.forgetAll();
    pool.pass(9_000);
    expect(pool.events).not.toContain('machine-idle pool-m1 is idle');
    pool.pass(2_000);
    expect(pool.events).toContain('machine-idle pool-m1 is idle');
    pool.ask('web-1', { attempt: 2 });
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1', 'pool-m2 ready']);
    expect(pool.state()?.machines.map(({ offer }) => offer.resources)).toEqual([
      SMALL.resources,
      SMALL.resources,
    ]);
    pool.lose('pool-m2');
    pool.pass(6 * MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready web-1', 'pool-m3 ready']);
  });

  test('nothing is decided until all clouds have told what there is, and what it is', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    pool.forgetAll();
    pool.blind(true);
    pool.pass(HOUR);
    expect(pool.state()).toBeNull();
    pool.blind(false);
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
  });

  test('a machine of a kind that the fleet may not have any more is given back', () => {
    const pool = driveFleet(nodes(1));
    pool.pass(MINUTE);
    pool.forgetAll();
    pool.sell(LARGE);
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m2 ready']);
    expect(pool.there()).toEqual(['pool-m2']);
  });

  test('machines beyond what is kept stay for a while, as if they had just been left', () => {
    const pool = driveFleet({ ...nodes(0), idleMs: HOUR });
    pool.ask('web-1');
    pool.pass(MINUTE);
    pool.use('web-1');
    pool.forgetAll();
    pool.pass(MINUTE);
    expect(pool.machines()).toEqual(['pool-m1 ready']);
    pool.pass(HOUR);
    expect(pool.machines()).toEqual([]);
  });
});
