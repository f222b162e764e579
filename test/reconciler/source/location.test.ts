import { describe, expect, test } from 'vitest';
import { describeLocation, parseLocation } from '../../../reconciler/source/location.ts';
import { Failure } from '../../../schemas/errors.ts';

describe('what may be written after --repo', () => {
  test.each([
    ['/srv/repo', '/srv/repo'],
    ['file:///srv/my%20repo', '/srv/my repo'],
    ['./', process.cwd()],
    ['..\\odd', `${process.cwd()}/..\\odd`],
    ['./foo:bar', `${process.cwd()}/foo:bar`],
  ])('%s is a local path', (repo, path) => {
    expect(parseLocation(repo)).toEqual({ kind: 'local', path });
  });

  test.each([
    ['https://github.com/org/repo.git', 'https'],
    ['https://git.example.org:8443/repo', 'https'],
    ['ssh://git@example.org:22/repo.git', 'ssh'],
    ['git@github.com:org/repo.git', 'ssh'],
    ['host:repo', 'ssh'],
    ['[::1]:repo', 'ssh'],
    ['http://127.0.0.1:3000/repo', 'http'],
    ['http://localhost/repo', 'http'],
    ['http://[::1]:3000/repo', 'http'],
  ])('%s is reached over %s', (repo, scheme) => {
    expect(parseLocation(repo)).toEqual({ kind: 'remote', url: repo, scheme, credentials: null });
  });

  test.each([
    ['', 'empty'],
    ['ext::sh -c touch% /tmp/x', 'runs a program'],
    ['fd::17', 'runs a program'],
    ['http://example.org/repo', 'not encrypted'],
    ['http://127.0.0.1.example.org/repo', 'not encrypted'],
    ['git://example.org/repo', 'not supported'],
    ['ftp://example.org/repo', 'not supported'],
    ['file://server/share', 'names no host'],
    ['ssh://-oProxyCommand=touch/repo', "begins with '-'"],
    ['ssh://-oProxyCommand=touch@host/repo', "begins with '-'"],
    ['-oProxyCommand=touch:repo', "begins with '-'"],
    ['host:-repo', "begins with '-'"],
    ['ssh://git:word@example.org/repo', 'no password'],
    ['https://example.org/repo?token=x', '`?`'],
    ['https://example.org/re\npo', 'line break'],
    ['https://example.org/re%0apo', 'line break'],
    ['https://user:p%0ahost=evil@example.org/repo', 'line break'],
    ['https://', 'not a URL'],
  ])('%j is refused: %s', (repo, reason) => {
    try {
      parseLocation(repo);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(Failure);
      expect((error as Failure).message).toContain(reason);
      expect((error as Failure).kind).toBe('invalid');
      expect((error as Failure).fix).not.toBe('');
    }
  });

  test('a password leaves the URL and is kept for its host alone', () => {
    const location = parseLocation('https://ada:s%40cret@example.org:8443/repo');
    expect(location).toMatchObject({
      url: 'https://example.org:8443/repo',
      credentials: { origin: 'https://example.org:8443', username: 'ada', password: 's@cret' },
    });
    expect(describeLocation(location)).toBe('https://example.org:8443/repo');
  });

  test('a token wins over the password in the URL, and loses the line end of its file', () => {
    expect(parseLocation('https://bot:old@example.org/repo', 'new\n')).toMatchObject({
      credentials: { username: 'bot', password: 'new' },
    });
    expect(parseLocation('https://example.org/repo', 'new')).toMatchObject({
      credentials: { username: 'x-access-token', password: 'new' },
    });
  });

  test('a token is never sent over ssh, nor to a local path', () => {
    expect(parseLocation('git@example.org:repo', 'token')).toMatchObject({ credentials: null });
    expect(JSON.stringify(parseLocation('/srv/repo', 'token'))).not.toContain('token');
  });
});
