import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupKey, KEPT_SECONDS, openArrivals, serviceOf } from '../../proxy/arrivals.ts';
import { openTally } from '../../proxy/tally.ts';

const KEY = groupKey('main/web', '0');

test('a key tells its service, whatever the group is called', () => {
  expect(serviceOf(groupKey('main/web', 'a/b'))).toBe('main/web');
});

describe('arrivals', () => {
  test('are summed over the seconds that end now', () => {
    const arrivals = openArrivals();
    for (const second of [100, 101, 101, 130]) arrivals.add(KEY, second);
    expect(arrivals.sum(KEY, 30, 130)).toBe(3);
    expect(arrivals.sum(KEY, 31, 130)).toBe(4);
    expect(arrivals.sum(KEY, 30, 131)).toBe(1);
    expect(arrivals.sum('main/other/0', 30, 130)).toBe(0);
    expect(arrivals.last(KEY)).toBe(130);
  });

  test('are as a list of all of them would have them, for ten minutes', () => {
    const seconds = fc.array(fc.integer({ min: 0, max: 3 * KEPT_SECONDS }), { maxLength: 60 });
    fc.assert(
      fc.property(seconds, fc.constantFrom(30, 60, 300), (unordered, window) => {
        const all = unordered.toSorted((a, b) => a - b);
        const arrivals = openArrivals();
        for (const second of all) arrivals.add(KEY, second);
        const now = all.at(-1) ?? 0;
        expect(arrivals.sum(KEY, window, now)).toBe(all.filter((second) => second > now - window).length);
      }),
    );
  });

  test('that are told in parts, some of them twice, come out the same', () => {
    const [counted, told] = [openArrivals(), openArrivals()];
    for (let second = 10; second < 70; second++) {
      counted.add(KEY, second, second % 3);
      if (second % 7 === 0) told.note(counted.since(second - 9));
    }
    told.note(counted.since(0));
    expect(told.since(0)).toEqual(counted.since(0));
    expect(told.sum(KEY, 30, 69)).toBe(counted.sum(KEY, 30, 69));
  });

  test('of what is not kept are forgotten', () => {
    const arrivals = openArrivals();
    arrivals.add(KEY, 1);
    arrivals.retain((key) => serviceOf(key) !== 'main/web');
    expect(arrivals.since(0)).toEqual({});
  });
});

describe('the tally', () => {
  test('adds up what all proxies counted, those that have ended too', () => {
    const tally = openTally();
    const [first, second] = [tally.open(), tally.open()];
    first.note({ [KEY]: [[50, 3]] });
    second.note({
      [KEY]: [
        [50, 1],
        [55, 2],
      ],
    });
    expect(tally.sum(KEY, 30, 60)).toBe(6);
    tally.end(second);
    tally.end(second);
    expect(tally.sum(KEY, 30, 60)).toBe(6);
    expect(tally.last(KEY)).toBe(55);
    tally.retain(new Set(['main/api']));
    expect(tally.sum(KEY, 30, 60)).toBe(0);
    expect(tally.last(KEY)).toBeNull();
  });
});
