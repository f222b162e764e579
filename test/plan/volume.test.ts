// The decision of a volume: made once, found again, never changed, never deleted.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkVolume,
  type DiskFact,
  decideVolume,
  foldDisk,
  foldDiskFailure,
  type VolumeInput,
} from '../../reconciler/plan/volume.ts';
import { Failure, type FailureKind, type Problem } from '../../schemas/errors.ts';
import type { DesiredVolume, Disk, VolumeSpec, VolumeState } from '../../schemas/volume.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const DATA: VolumeSpec = {
  name: 'data',
  backend: 'cloud',
  region: 'here',
  zone: null,
  sizeGib: 100,
  existing: null,
  refusal: null,
};
const PROBLEM: Problem = {
  file: 'data.dstack.yml',
  line: 2,
  column: 1,
  path: '',
  message: 'is not known',
  fix: '',
  severity: 'error',
};

/** One volume driven through its decisions, each of which is checked; its cloud has one place for it, by its tags. */
function driveVolume(first: Partial<VolumeSpec> = {}) {
  let desired: DesiredVolume | null = desiredOf({ ...DATA, ...first });
  let state: VolumeState | null = null;
  let disk: Disk | null = null;
  let readyAt = 0;
  let refused: { kind: FailureKind; isDone: boolean } | null = null;
  let isBlind = false;
  let now = START;
  let made = 0;
  const events: string[] = [];

  function desiredOf(spec: VolumeSpec, problems: readonly Problem[] = []): DesiredVolume {
    return { file: 'data.dstack.yml', commit: 'c0ffee', spec, problems };
  }

  function factOf(): DiskFact {
    if (isBlind) return { kind: 'unknown', reason: 'no answer' };
    if (!disk) return { kind: 'missing' };
    return { kind: 'present', disk: { ...disk, status: now < readyAt ? 'creating' : 'ready' } };
  }

  function create({ spec }: VolumeState): Disk {
    if (disk) return disk;
    made += 1;
    readyAt = now + 5_000;
    const { region, zone, sizeGib } = spec;
    disk = { id: `vol-${made}`, region, zone: zone ?? 'here-a', sizeGib, status: 'creating', tags: null };
    return disk;
  }

  function decideOnce(): number {
    const input: VolumeInput = { project: 'main', volume: 'data', desired, state, disk: factOf(), now };
    const decision = decideVolume(input);
    expect(checkVolume(input, decision)).toEqual([]);
    expect(decideVolume(input)).toEqual(decision);
    state = decision.state;
    events.push(...decision.events.map(({ event, reason }) => `${event} ${reason}`));
    if (decision.steps.length === 0 || !state) return decision.wakeAt;
    const answer = !refused || refused.isDone ? create(state) : null;
    const part = refused
      ? foldDiskFailure(state, new Failure(refused.kind, `no disk: ${refused.kind}`), now)
      : foldDisk(state, answer ?? create(state));
    state = part.state;
    events.push(...part.events.map(({ event, reason }) => `${event} ${reason}`));
    return now + 1;
  }

  return {
    events,
    state: () => state,
    made: () => made,
    there: () => disk?.id ?? null,
    waiting: () => state?.waiting.map(({ reason, detail }) => `${reason} ${detail}`) ?? [],
    commit(change: Partial<VolumeSpec> | null, problems?: readonly Problem[]) {
      desired = change && desiredOf({ ...(desired?.spec ?? DATA), ...change }, problems);
    },
    refuse(kind: FailureKind | null, isDone = false) {
      refused = kind && { kind, isDone };
    },
    blind(is: boolean) {
      isBlind = is;
    },
    lose() {
      disk = null;
    },
    /** Somebody makes it, or what was gone is there again. */
    appear(id: string) {
      disk = { id, region: 'here', zone: 'here-b', sizeGib: 50, status: 'ready', tags: null };
    },
    forgetAll() {
      state = null;
    },
    pass(ms: number) {
      for (const end = now + ms; ; ) {
        const wakeAt = decideOnce();
        if (now >= end) return;
        now = Math.min(end, Math.max(now + 1, wakeAt));
      }
    },
  };
}

describe('a volume', () => {
  test('is made where its file says, and is there once its cloud says so', () => {
    const data = driveVolume();
    data.pass(1);
    expect(data.state()).toMatchObject({ phase: 'creating', id: 'vol-1' });
    expect(data.waiting()).toEqual(['instance it is being made']);
    data.pass(MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1', zone: 'here-a' });
    expect(data.waiting()).toEqual([]);
    expect(data.events).toEqual(['volume-ready vol-1 is there, in cloud (here)']);
  });

  test('whose answer was lost is found, and not made twice', () => {
    const data = driveVolume();
    data.refuse('transient', true);
    data.pass(HOUR);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
    expect(data.made()).toBe(1);
  });

  test('that is refused is asked for again, with the reason, which is told once', () => {
    const data = driveVolume();
    data.refuse('quota');
    data.pass(HOUR);
    expect(data.waiting()).toEqual(['instance no disk: quota']);
    expect(data.events).toEqual(['failure create: no disk: quota']);
    data.refuse(null);
    data.pass(HOUR);
    expect(data.state()?.phase).toBe('ready');
  });

  test('is not made while nobody knows whether it is there', () => {
    const data = driveVolume();
    data.blind(true);
    data.pass(HOUR);
    expect(data.made()).toBe(0);
    expect(data.waiting()).toEqual(['backend no answer']);
    data.appear('vol-7');
    data.blind(false);
    data.pass(2 * MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-7' });
  });

  test('that is said to exist is never made, and waited for', () => {
    const data = driveVolume({ existing: 'vol-7' });
    data.pass(HOUR);
    expect(data.made()).toBe(0);
    expect(data.waiting()).toEqual(['dependency there is no volume vol-7 in cloud (here)']);
    data.appear('vol-7');
    data.pass(2 * MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-7', zone: 'here-b' });
  });

  test('without a size is made once its file gives one', () => {
    const data = driveVolume({ refusal: 'it needs a `size`' });
    data.pass(HOUR);
    expect(data.made()).toBe(0);
    expect(data.waiting()).toEqual(['dependency it needs a `size`']);
    data.commit({ refusal: null, sizeGib: 20 });
    data.pass(MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', spec: { sizeGib: 20 } });
  });
});

describe('another file', () => {
  test('before there is a volume is what is made', () => {
    const data = driveVolume();
    data.refuse('quota');
    data.pass(MINUTE);
    data.commit({ sizeGib: 200 });
    data.refuse(null);
    data.pass(MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', spec: { sizeGib: 200 } });
  });

  test('changes nothing of a volume that is there, which it says', () => {
    const data = driveVolume();
    data.pass(MINUTE);
    data.commit({ sizeGib: 200 });
    data.pass(HOUR);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1', spec: { sizeGib: 100 } });
    expect(data.waiting()).toEqual([
      'hold it stays as it is (cloud (here)): a volume is never changed in place. Give a new one another name',
    ]);
    data.commit({ sizeGib: 100 });
    data.pass(10 * MINUTE);
    expect(data.waiting()).toEqual([]);
  });

  test('with mistakes says so', () => {
    const data = driveVolume();
    data.pass(MINUTE);
    data.commit({}, [PROBLEM]);
    data.pass(10 * MINUTE);
    expect(data.waiting()).toEqual(['problem data.dstack.yml:2:1 is not known; the last good spec stays']);
  });

  test('that is gone keeps the volume; one that comes back finds it', () => {
    const data = driveVolume();
    data.pass(MINUTE);
    data.commit(null);
    data.pass(24 * HOUR);
    expect(data.there()).toBe('vol-1');
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
    data.commit({});
    data.pass(HOUR);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
    expect(data.made()).toBe(1);
  });

  test('that is gone before there is any leaves nothing', () => {
    const data = driveVolume();
    data.refuse('quota');
    data.pass(MINUTE);
    data.commit(null);
    data.refuse(null);
    data.pass(HOUR);
    expect(data.state()).toBeNull();
    expect(data.made()).toBe(0);
  });
});

describe('a volume that is lost', () => {
  const lost = () => {
    const data = driveVolume();
    data.pass(MINUTE);
    data.lose();
    data.pass(10 * MINUTE);
    return data;
  };
  const HOLD =
    'hold vol-1 is gone from cloud (here), and what was on it; change its file to have a new one made';

  test('is told of, and not made again by itself: somebody believes that data are on it', () => {
    const data = lost();
    expect(data.events.at(-1)).toBe('volume-lost vol-1 is gone from cloud (here), and what was on it');
    data.pass(24 * HOUR);
    expect(data.made()).toBe(1);
    expect(data.waiting()).toEqual([HOLD]);
  });

  test('is made again when its file is changed', () => {
    const data = lost();
    data.commit({ sizeGib: 101 });
    data.pass(10 * MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-2', spec: { sizeGib: 101 } });
  });

  test('is used again when it turns up', () => {
    const data = lost();
    data.appear('vol-1');
    data.pass(10 * MINUTE);
    expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
  });

  test('says so also after its cloud did not answer for a while', () => {
    const data = lost();
    data.blind(true);
    data.pass(10 * MINUTE);
    expect(data.waiting()).toEqual(['backend no answer']);
    data.blind(false);
    data.pass(10 * MINUTE);
    expect(data.waiting()).toEqual([HOLD]);
  });

  test('is forgotten with its file', () => {
    const data = lost();
    data.commit(null);
    data.pass(10 * MINUTE);
    expect(data.state()).toBeNull();
  });
});

test('when the database is lost it is found again by its tags', () => {
  const data = driveVolume();
  data.pass(MINUTE);
  data.forgetAll();
  data.pass(MINUTE);
  expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
  expect(data.made()).toBe(1);
});

type Volume = ReturnType<typeof driveVolume>;
const act = (name: string, run: (data: Volume) => void) => Object.assign(run, { toString: () => name });
const happening = fc.oneof(
  fc.integer({ min: 1, max: HOUR }).map((ms) => act(`pass ${ms}`, (data) => data.pass(ms))),
  fc.boolean().map((is) => act(`blind ${is}`, (data) => data.blind(is))),
  fc
    .record({ kind: fc.constantFrom(null, 'quota' as const, 'transient' as const), isDone: fc.boolean() })
    .map(({ kind, isDone }) =>
      act(`refuse ${kind} ${isDone}`, (data) => data.refuse(kind, isDone && kind === 'transient')),
    ),
  fc
    .constantFrom(
      null,
      {},
      { sizeGib: 100 },
      { sizeGib: 200 },
      { refusal: 'it needs a `size`' },
      { refusal: null },
    )
    .map((change) => act(`file ${JSON.stringify(change)}`, (data) => data.commit(change))),
  fc.constant(act('forget', (data) => data.forgetAll())),
);

test('whatever happens, one volume is made at most, and none is ever deleted; in the end it is there', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
      const data = driveVolume();
      for (const happen of happenings) {
        const before = data.there();
        happen(data);
        data.pass(1);
        if (before !== null) expect(data.there()).toBe(before);
      }
      data.blind(false);
      data.refuse(null);
      data.commit({ refusal: null });
      data.pass(2 * HOUR);
      expect(data.state()).toMatchObject({ phase: 'ready', id: 'vol-1' });
      expect(data.made()).toBe(1);
    }),
    { numRuns: 300 },
  );
});
