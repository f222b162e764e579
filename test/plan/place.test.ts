// Which offer is taken, and which is left alone for a while.
import { describe, expect, test } from 'vitest';
import { askedText } from '../../reconciler/plan/asked.ts';
import { place, withoutSetAside, withSetAside } from '../../reconciler/plan/place.ts';
import { renamedGroups } from '../../reconciler/plan/renames.ts';
import type { Offer } from '../../schemas/offer.ts';
import { group, LOCAL } from './samples.ts';

const on = (backend: string, region: string, price: number, more: Partial<Offer> = {}): Offer => ({
  ...LOCAL,
  backend,
  region,
  instance: 'gpu',
  price,
  ...more,
});
const chosen = (offers: readonly Offer[], ...rest: [Parameters<typeof place>[1]?, number?]) => {
  const choice = place({ kind: 'offers', offers }, ...rest);
  return choice.kind === 'offer' ? `${choice.offer.backend} ${choice.offer.region}` : choice.reason;
};
const refused = { kind: 'no-capacity', message: 'none left' } as const;

describe('the offer that is taken', () => {
  test('is the cheapest; of equal ones the first by backend, then by region', () => {
    const offers = [on('b', 'x', 1), on('a', 'y', 1), on('a', 'x', 1), on('c', 'x', 2)];
    expect(chosen(offers)).toBe('a x');
    expect(chosen(offers.toReversed())).toBe('a x');
  });

  test('is an idle one first, whatever it costs', () => {
    expect(chosen([on('a', 'x', 1), on('b', 'x', 9, { availability: 'idle' })])).toBe('b x');
  });

  test('is never one that is sold out', () => {
    expect(chosen([on('a', 'x', 1, { availability: 'not-available' }), on('b', 'x', 2)])).toBe('b x');
    expect(chosen([on('a', 'x', 1, { availability: 'no-quota' })])).toMatch(/nothing of it is free/);
  });

  test('is not one that is set aside, until its time is over', () => {
    const offers = [on('a', 'x', 1), on('b', 'x', 2)];
    const aside = withSetAside(undefined, on('a', 'x', 1), refused, 0, 1_000);
    expect(chosen(offers, aside, 1_000)).toBe('b x');
    expect(chosen(offers, aside, 15_999)).toBe('b x');
    expect(chosen(offers, aside, 16_000)).toBe('a x');
  });

  test('is of no offer of a backend that refuses the credential', () => {
    const kind = { kind: 'unauthorized', message: 'the key is revoked' } as const;
    const aside = withSetAside(undefined, on('a', 'x', 1), kind, 0, 0);
    expect(chosen([on('a', 'y', 1, { spot: true }), on('b', 'x', 2)], aside, 1)).toBe('b x');
  });
});

describe('an offer that is set aside', () => {
  test('stays so for longer each time, up to five minutes, and one at high priority', () => {
    const pauses = (priority: number) => {
      let [aside, now] = [withSetAside(undefined, LOCAL, refused, priority, 0), 0];
      return Array.from({ length: 8 }, () => {
        const pause = ((aside[0]?.until ?? 0) - now) / 1_000;
        now = aside[0]?.until ?? 0;
        aside = withSetAside(aside, LOCAL, refused, priority, now);
        return pause;
      });
    };
    expect(pauses(0)).toEqual([15, 30, 60, 120, 240, 300, 300, 300]);
    expect(pauses(100)).toEqual([15, 30, 60, 60, 60, 60, 60, 60]);
  });

  test('counts once for replicas that are refused together', () => {
    const once = withSetAside(undefined, LOCAL, refused, 0, 0);
    expect(withSetAside(once, LOCAL, refused, 0, 10)).toEqual(once);
  });

  test('is forgotten once it gave a machine when it was tried again', () => {
    const aside = withSetAside(undefined, LOCAL, refused, 0, 0);
    expect(withoutSetAside(aside, LOCAL, 14_999)).toBe(aside);
    expect(withoutSetAside(aside, LOCAL, 15_000)).toEqual([]);
    expect(withoutSetAside(aside, on('a', 'x', 1), 15_000)).toBe(aside);
  });
});

describe('groups that are called otherwise', () => {
  const groups = (text: string) =>
    text.split(' ').map((each) => ({ name: each.split(':')[0] ?? '', shape: each.split(':')[1] }));
  const renames = (before: string, after: string) =>
    [...renamedGroups(groups(before), groups(after))].map(([from, to]) => `${from}→${to}`).join(' ');

  test('are known by what they are made of', () => {
    expect(renames('a:1 b:2', 'c:2 d:1')).toBe('a→d b→c');
    expect(renames('a:1 b:1', 'c:1 d:1')).toBe('a→c b→d');
  });

  test('or by being the only ones left', () => {
    expect(renames('a:1 b:2', 'b:2 c:3')).toBe('a→c');
    expect(renames('a:1 b:2 x:9', 'c:1 d:3 x:9')).toBe('a→c b→d');
  });

  test('and else are others', () => {
    expect(renames('a:1 b:2', 'c:3 d:4')).toBe('');
    expect(renames('a:1', 'a:2')).toBe('');
    expect(renames('a:1 b:2', 'a:1')).toBe('');
  });
});

test('what nobody sells is said in few words', () => {
  const { placement } = group();
  const gpu = {
    vendor: null,
    names: ['H100', 'H200'],
    count: { min: 2, max: 2 },
    memoryGib: { min: 80, max: null },
    totalMemoryGib: null,
    computeCapability: null,
  };
  const requirement = { ...placement.requirement, gpu, cpu: { arch: null, count: { min: 4, max: 8 } } };
  const asked = {
    ...placement,
    requirement,
    regions: ['us', 'eu'],
    maxPrice: 2.5,
    spotPolicy: 'auto',
  } as const;
  expect(askedText({ placement: asked })).toBe(
    '2 × H100 or H200 with 80GB.., 4..8 cpus, in us or eu, at most 2.50 $/h',
  );
});
