import { describe, expect, test } from 'vitest';
import { match } from '../../proxy/match.ts';

describe('match', () => {
  test('a service is named by project and name, and the rest is kept as it was written', () => {
    expect(match('/proxy/services/main/web/a%2Fb/../c?q=%2F')).toEqual({
      kind: 'service',
      project: 'main',
      service: 'web',
      prefix: '/proxy/services/main/web',
      rest: '/a%2Fb/../c?q=%2F',
      full: '/proxy/services/main/web/a%2Fb/../c?q=%2F',
    });
  });

  test('a service without the slash at its end is sent there, query and all', () => {
    expect(match('/proxy/services/main/web?x=1')).toEqual({
      kind: 'slashless',
      location: '/proxy/services/main/web/?x=1',
    });
  });

  test.each([
    '/proxy',
    '/proxy/',
    '/proxy/services',
    '/proxy/services/main',
    '/proxy/services//web/',
    '/proxy/services/main//',
    '/proxy/services/main?/web/',
    '/proxy/other/main/web/',
  ])('%s names no service', (url) => {
    expect(match(url).kind).toBe('unknown');
  });

  test.each(['/v1', '/v1/models', '/v1?x', '/proxy/models/main/chat/completions'])(
    '%s is for models',
    (url) => {
      expect(match(url).kind).toBe('model');
    },
  );

  test.each(['/', '/api/v1/status', '/v12', '/proxying', '/healthz/x', '/readyz'])(
    '%s is for the daemon',
    (url) => {
      expect(match(url)).toEqual({ kind: 'daemon', full: url });
    },
  );

  test('health is answered with or without a query', () => {
    expect(match('/healthz').kind).toBe('health');
    expect(match('/healthz?verbose').kind).toBe('health');
  });

  test('a request line with scheme and host means the same', () => {
    expect(match('http://host:80/proxy/services/main/web/x')).toMatchObject({ kind: 'service', rest: '/x' });
    expect(match('http://host')).toEqual({ kind: 'daemon', full: '/' });
  });
});
