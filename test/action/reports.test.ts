// What GitHub is told of a commit besides comments: checks, statuses and deployments, each as often as it changes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postCheck } from '../../action/github/checks.ts';
import { createGitHub, type GitHub, reported } from '../../action/github/client.ts';
import { openDeployment } from '../../action/github/deployments.ts';
import { pullOf, standingOf } from '../../action/github/pulls.ts';
import { createStatuses } from '../../action/github/statuses.ts';
import type { Problem } from '../../schemas/errors.ts';
import { makeRepo, temporaryFolder } from '../git.ts';
import { NAME, OWNER, startGitHub, type TestGitHub, TOKENS } from './github.ts';

const folder = temporaryFolder();
const repo = { owner: OWNER, repo: NAME };
const url = 'https://github.example/run';
let github: TestGitHub;
let client: GitHub;
let commits = 0;
let commit: string;

beforeAll(async () => {
  github = await startGitHub(makeRepo(folder.dir));
  client = createGitHub({ token: TOKENS.job, apiUrl: github.url, pauseMs: 1 });
});
afterAll(async () => {
  await github.close();
  folder.remove();
});
beforeEach(() => {
  commit = String(++commits).padStart(40, '0');
});

describe('a status', () => {
  const post = (state: 'pending' | 'success', statuses = createStatuses(client, repo)) =>
    statuses.post({ commit, context: 'trueup/main', state, description: 'x'.repeat(500), url });

  test('is posted when it changes, and only then', async () => {
    const statuses = createStatuses(client, repo);
    for (const state of ['pending', 'pending', 'success', 'success'] as const) await post(state, statuses);
    expect(github.statuses(commit).map(({ state }) => state)).toEqual(['pending', 'success']);
  });

  test('is posted though GitHub has a hiccup', async () => {
    github.fail({ call: /^POST .*\/statuses\//, status: 502 });
    await post('success');
    expect(github.statuses(commit).map(({ state }) => state)).toEqual(['success']);
  });

  test('that another run has posted is not posted again', async () => {
    await post('pending');
    await post('pending');
    expect(github.statuses(commit)).toHaveLength(1);
  });
});

describe('a deployment', () => {
  test('is made once for a commit and environment, and told each change', async () => {
    const first = await openDeployment(client, repo, { commit, environment: 'main', url });
    await first.say('in_progress', '');
    await first.say('in_progress', '');
    const again = await openDeployment(client, repo, { commit, environment: 'main', url });
    await again.say('success', 'x'.repeat(500));
    await openDeployment(client, repo, { commit, environment: 'staging', url });
    expect(github.deployments(commit)).toMatchObject([
      { environment: 'main', states: ['in_progress', 'success'] },
      { environment: 'staging', states: [] },
    ]);
  });

  test('is made and told once, though answers were lost on the way', async () => {
    github.fail({ call: /^POST .*deployments$/, status: 502, isDone: true });
    github.fail({ call: /^POST .*deployments\/\d+\/statuses$/, status: 502 });
    const deployment = await openDeployment(client, repo, { commit, environment: 'main', url });
    await deployment.say('success', '');
    expect(github.deployments(commit)).toMatchObject([{ environment: 'main', states: ['success'] }]);
  });
});

describe('a check', () => {
  const problem = (index: number, more: Partial<Problem> = {}): Problem => {
    const rest = { column: 1, path: '', message: `No. ${index}`, fix: '', severity: 'error' as const };
    return { file: 'web.dstack.yml', line: index + 1, ...rest, ...more };
  };
  const post = async (problems: readonly Problem[]) => {
    github.calls.length = 0;
    const rest = { name: 'plan', commit, isGood: false, title: 'no', summary: '', url };
    await postCheck(client, repo, { ...rest, problems });
    const calls = github.calls.filter((call) => call.includes('/check-runs'));
    return calls.map((call) => call.split(' ')[0]);
  };

  test('has every problem at its line, fifty with each request', async () => {
    const methods = await post(Array.from({ length: 120 }, (_, index) => problem(index)));
    expect(methods).toEqual(['POST', 'PATCH', 'PATCH']);
    const [check] = await github.checks(commit);
    expect(check).toMatchObject({ name: 'plan', conclusion: 'failure' });
    expect(check?.annotations.map((each) => [each.path, each.start_line])).toContainEqual([
      'web.dstack.yml',
      51,
    ]);
  });

  test('has those that count first, in words that hide nothing, and not thousands', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => problem(index, { severity: 'warning' }));
    const worst = problem(2000, { message: '`\u202eevil`', fix: '\u001b[31mRed' });
    expect(await post([...many, worst])).toHaveLength(10);
    const [check] = await github.checks(commit);
    expect(check?.annotations[0]).toMatchObject({
      start_line: 2001,
      message: '`\\u202eevil`\n\\u001b[31mRed',
    });
  });
});

describe('a pull request', () => {
  test('is found by the commit that merging it made', async () => {
    const number = await github.open('a'.repeat(40), 'b'.repeat(40));
    expect(await standingOf(client, repo, number)).toEqual({ head: 'a'.repeat(40), isOver: false });
    github.merge(number, 'c'.repeat(40));
    expect(await standingOf(client, repo, number)).toMatchObject({ isOver: true });
    expect(await pullOf(client, repo, commit, 'main')).toBeNull();
    github.merge(number, commit);
    expect(await pullOf(client, repo, commit, 'main')).toEqual({ number, head: 'a'.repeat(40) });
    expect(await pullOf(client, repo, commit, 'release')).toBeNull();
  });
});

describe('what may not be reported', () => {
  test('ends nothing, and names the permission', async () => {
    const lines: string[] = [];
    const out = { line: (text: string) => void lines.push(text), annotate: () => {} };
    const reader = createGitHub({ token: TOKENS.fork, apiUrl: github.url });
    const statuses = createStatuses(reader, repo);
    const wish = { commit, context: 'trueup/main', state: 'pending', description: '', url } as const;
    expect(await reported(out, 'the status', 'statuses: write', () => statuses.post(wish))).toBeNull();
    expect(lines.join()).toContain('permissions: {statuses: write}');
    expect(github.statuses(commit)).toEqual([]);
  });

  test('is no matter of rights when GitHub is asked too often', async () => {
    const lines: string[] = [];
    const out = {
      line: (text: string) => void lines.push(text),
      annotate: (level: string, text: string) => void lines.push(`${level}: ${text}`),
    };
    github.fail({ call: /^POST .*\/statuses\//, status: 403, headers: { 'retry-after': '3600' } });
    const wish = { commit, context: 'trueup/main', state: 'pending', description: '', url } as const;
    const post = () => createStatuses(client, repo).post(wish);
    expect(await reported(out, 'the status', 'statuses: write', post)).toBeNull();
    expect(lines).toEqual([
      expect.stringMatching(/^warning: the status failed: GitHub takes no more requests until /),
    ]);
  });

  test('is not done by a token that nobody gave', async () => {
    const stranger = createGitHub({ token: 'made-up', apiUrl: github.url });
    await expect(pullOf(stranger, repo, commit, null)).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.stringMatching(/^GitHub answered 401 to GET \/repos\/.*: Bad credentials/),
    });
  });
});
