import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { authorizer } from '../../proxy/auth.ts';
import { pick } from '../../proxy/balance.ts';
import { responseHeaders, unchanged, underPrefix } from '../../proxy/headers.ts';
import { publishedVersions } from '../../proxy/published.ts';
import { refusal } from '../../proxy/routing.ts';
import { routeOf, tableOf } from './world.ts';

function hashed(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

describe('who may call', () => {
  const isAuthorized = authorizer([
    { sha256: hashed('one'), projects: ['main'] },
    { sha256: hashed('any'), projects: ['*'] },
    { sha256: 'not a hash', projects: ['*'] },
  ]);

  test('a token is good for its projects, the scheme in any case', () => {
    expect(isAuthorized('Bearer one', 'main')).toBe(true);
    expect(isAuthorized('bEARER one', 'main')).toBe(true);
    expect(isAuthorized('Bearer any', 'other')).toBe(true);
    expect(isAuthorized('Bearer one', 'other')).toBe(false);
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic one',
    'one',
    'Bearer two',
    'Bearer one two',
    'Bearer not a hash',
  ])('%s is good for nothing', (authorization) => {
    expect(isAuthorized(authorization, 'main')).toBe(false);
  });
});

describe('which replica', () => {
  const busy = { name: 'busy', inflight: 9, downUntil: 0 };
  const idle = { name: 'idle', inflight: 1, downUntil: 0 };
  const down = { name: 'down', inflight: 0, downUntil: 100 };

  test('the less busy of two is picked, whichever is drawn first', () => {
    expect(pick([busy, idle], [], 0, () => 0)).toBe(idle);
    expect(pick([busy, idle], [], 0, () => 0.99)).toBe(idle);
  });

  test('one that refused a connection is passed over until its time is up, unless it is the only one', () => {
    expect(pick([busy, down], [], 50, () => 0.99)).toBe(busy);
    expect(pick([busy, down], [], 100, () => 0)).toBe(down);
    expect(pick([down], [], 50)).toBe(down);
  });

  test('one that was tried is not picked again', () => {
    expect(pick([busy, idle], [idle], 0)).toBe(busy);
    expect(pick([busy], [busy], 0)).toBeNull();
    expect(pick([], [], 0)).toBeNull();
  });

  test('every replica gets its turn', () => {
    const equals = [1, 2, 3, 4].map((number) => ({ number, inflight: 0, downUntil: 0 }));
    const picked = new Set(Array.from({ length: 200 }, () => pick(equals, [], 0)?.number));
    expect(picked.size).toBe(4);
  });
});

describe('headers on the way back', () => {
  test('what belongs to one hop is dropped, also what Connection names', () => {
    const headers = {
      connection: 'keep-alive, X-Hop',
      'keep-alive': 'timeout=5',
      'x-hop': '1',
      'x-kept': '2',
    };
    expect(responseHeaders(headers, unchanged)).toEqual(['x-kept', '2']);
  });

  const rewrite = underPrefix('/p', 'host:1');

  test.each([
    ['/login', '/p/login'],
    ['/', '/p/'],
    ['http://host:1/login?x', 'http://host:1/p/login?x'],
    ['https://HOST:1', 'https://HOST:1/p/'],
    ['/p/login', '/p/login'],
    ['//elsewhere/login', '//elsewhere/login'],
    ['http://elsewhere/login', 'http://elsewhere/login'],
    ['login', 'login'],
    ['?x', '?x'],
  ])('Location %s becomes %s', (from, to) => {
    expect(rewrite('location', from)).toBe(to);
  });

  test.each([
    ['a=1; Path=/; Secure', 'a=1; Path=/p/; Secure'],
    ['a=1; path=/x', 'a=1; path=/p/x'],
    ['a=1; Path=/p/x', 'a=1; Path=/p/x'],
    ['a=1', 'a=1'],
    ['__Host-a=1; Path=/; Secure', '__Host-a=1; Path=/; Secure'],
  ])('cookie %s becomes %s', (from, to) => {
    expect(rewrite('set-cookie', from)).toBe(to);
  });
});

describe('which table', () => {
  const table = tableOf([], { epoch: 2, generation: 5 });

  test('the same or a newer one replaces the one in force', () => {
    expect(refusal(null, table)).toBeNull();
    expect(refusal(table, table)).toBeNull();
    expect(refusal(table, { ...table, generation: 6 })).toBeNull();
    expect(refusal(table, { ...table, epoch: 3, generation: 1 })).toBeNull();
  });

  test('an older one is refused, by epoch before generation', () => {
    expect(refusal(table, { ...table, generation: 4 })).toMatch('generation 5 is in force');
    expect(refusal(table, { ...table, epoch: 1, generation: 99 })).toMatch('epoch 2');
  });

  test('one of another store replaces any', () => {
    expect(refusal(table, { ...table, store: 'new', epoch: 0, generation: 0 })).toBeNull();
  });
});

describe('what is published', () => {
  const at = (version: number, service = 'web') => routeOf([], { service, version });

  test('is what the last proxy has acknowledged', () => {
    const published = publishedVersions([tableOf([at(7)]), tableOf([at(6)])]);
    expect(published).toEqual(new Map([['main/web', 6]]));
  });

  test('is nothing while one proxy has acknowledged nothing, or there is none', () => {
    expect(publishedVersions([tableOf([at(7)]), null]).size).toBe(0);
    expect(publishedVersions([]).size).toBe(0);
  });

  test('holds only services that every proxy knows', () => {
    const published = publishedVersions([tableOf([at(1), at(2, 'new')]), tableOf([at(1)])]);
    expect([...published.keys()]).toEqual(['main/web']);
  });
});
