// Where a job runs and why: events that have files to plan, and those that are refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readContext } from '../../action/context.ts';
import { pullPayload, pushPayload } from './runner.ts';

const dir = mkdtempSync(join(tmpdir(), 'trueup-context-'));
afterAll(() => rmSync(dir, { recursive: true }));

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string];

function read(event: string, payload: unknown, ref = 'refs/heads/main', more: NodeJS.ProcessEnv = {}) {
  const path = join(dir, 'event.json');
  writeFileSync(path, JSON.stringify(payload));
  const env = {
    GITHUB_EVENT_NAME: event,
    GITHUB_EVENT_PATH: path,
    GITHUB_REPOSITORY: 'ada/services',
    GITHUB_SHA: C,
    GITHUB_REF: ref,
    GITHUB_RUN_ID: '42',
    ...more,
  };
  return readContext(env, new Date(0));
}

test('a pull request has a head, a base, and what merging gives', () => {
  expect(read('pull_request', pullPayload({ number: 7, head: A, base: B }))).toMatchObject({
    owner: 'ada',
    repo: 'services',
    isPublic: false,
    commit: C,
    event: { kind: 'pull', number: 7, head: A, base: B, isFork: false },
    runUrl: 'https://github.com/ada/services/actions/runs/42',
    at: '1970-01-01T00:00:00.000Z',
  });
});

test('one of another repository is of a fork, and of a deleted one too', () => {
  const fork = pullPayload({ number: 7, head: A, base: B }, { isFork: true });
  expect(read('pull_request', fork).event).toMatchObject({ isFork: true });
  const gone = { pull_request: { number: 7, head: { sha: A, repo: null }, base: { sha: B } } };
  expect(read('pull_request', gone).event).toMatchObject({ isFork: true });
});

test('a push knows its branch and what was before', () => {
  expect(read('push', pushPayload(A, C)).event).toEqual({
    kind: 'commit',
    branch: 'main',
    before: A,
    isManual: false,
  });
  expect(read('push', pushPayload('0'.repeat(40), C), 'refs/tags/v1').event).toMatchObject({
    branch: null,
    before: null,
  });
  expect(read('workflow_dispatch', {}).event).toMatchObject({ branch: 'main', isManual: true });
});

test('a merge queue has a base, and is no commit of a branch', () => {
  const payload = { merge_group: { head_sha: C, base_sha: B, base_ref: 'refs/heads/main' } };
  expect(read('merge_group', payload)).toMatchObject({ commit: C, event: { kind: 'queue', base: B } });
  expect(() => read('merge_group', {})).toThrow('not that of a merge queue');
});

test('a run has its number, unless it is a re-run', () => {
  expect(read('schedule', {}).run).toBe(42);
  expect(read('schedule', {}, '', { GITHUB_RUN_ATTEMPT: '2' })).not.toHaveProperty('run');
  expect(read('schedule', {}, '', { GITHUB_RUN_ID: '' })).not.toHaveProperty('run');
});

test('a repository is public unless it is said not to be', () => {
  expect(read('push', pushPayload(A, C, false)).isPublic).toBe(true);
  expect(read('schedule', {}).isPublic).toBe(true);
});

test('what would be unsafe, or has no files, is refused with what to use instead', () => {
  expect(() => read('pull_request_target', pullPayload({ number: 7, head: A, base: B }))).toThrow(
    'pull_request_target',
  );
  expect(() => read('issue_comment', {})).toThrow('does not run on `issue_comment`');
  expect(() => read('pull_request', { pull_request: { head: { sha: '$(rm)' } } })).toThrow(
    'not that of a pull request',
  );
});
