import { describe, expect, test } from 'vitest';
import { fileMount, repoMount, volumeMount } from '../../../schemas/grammar/mounts.ts';
import { read } from './read.ts';

describe('volumes', () => {
  test.each([
    ['data:/data', { name: 'data', path: '/data' }],
    ['/mnt/x:/x', { instance_path: '/mnt/x', path: '/x', optional: false }],
    ['{name: [a, b], path: /x/./y//z/}', { name: ['a', 'b'], path: '/x/y/z' }],
    ['{instance_path: /a, path: /b, optional: yes}', { instance_path: '/a', path: '/b', optional: true }],
  ])('%s', (yaml, expected) => {
    expect(read(volumeMount, yaml)).toEqual(expected);
  });

  test.each([
    ['data', '`data` is not a volume'],
    ['a:/b:ro', '`a:/b:ro` is not a volume'],
    ['./a:/b', '`./a` is not an absolute path'],
    ['a:b', '`b` is not an absolute path'],
    ['a:/b/../c', 'leaves its folder'],
    ['{name: a, path: /b, optional: true}', 'name path'],
    ['{path: /b}', 'is missing'],
  ])('%s is a mistake', (yaml, message) => {
    expect(read(volumeMount, yaml)).toContain(message);
  });
});

describe('files', () => {
  test.each([
    ['a', { local_path: 'a', path: 'a' }],
    ['a:/b', 'error: '],
    ['ab:/b', { local_path: 'ab', path: '/b' }],
    ['C:\\x:/b', { local_path: 'C:\\x', path: '/b' }],
    ['{local_path: a, path: b}', { local_path: 'a', path: 'b' }],
    ['a:b:c', 'error: '],
    ['5', 'error: '],
  ])('%s', (yaml, expected) => {
    const found = read(fileMount, yaml);
    if (typeof expected === 'string') expect(found).toContain(expected);
    else expect(found).toEqual(expected);
  });
});

describe('repositories', () => {
  test.each([
    ['.', { local_path: '.', path: '.', if_exists: 'error' }],
    ['../x:/y', { local_path: '../x', path: '/y', if_exists: 'error' }],
    ['https://h/r', { url: 'https://h/r', path: '.', if_exists: 'error' }],
    ['git@h:a/b.git:/y', { url: 'git@h:a/b.git', path: '/y', if_exists: 'error' }],
    [
      '{url: u, branch: b, hash: h, path: ~/x, if_exists: skip}',
      { url: 'u', branch: 'b', hash: 'h', path: '~/x', if_exists: 'skip' },
    ],
  ])('%s', (yaml, expected) => {
    expect(read(repoMount, yaml)).toEqual(expected);
  });

  test.each([
    ['{}', 'needs `local_path` or `url`'],
    ['{local_path: a, url: b}', 'exclude each other'],
    ['{url: a, path: ~you/x}', "another user's home"],
    ['a:b:c', 'too many parts'],
  ])('%s is a mistake', (yaml, message) => {
    expect(read(repoMount, yaml)).toContain(message);
  });
});
