// Statuses and deployments that the server sets by itself, at a GitHub on loopback: what is told and when, what is not
// told twice, and that GitHub's troubles stay GitHub's.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { openGitHub } from '../../reconciler/report/github.ts';
import { createReporter, type Reporter } from '../../reconciler/report/reporter.ts';
import { capabilitiesSchema } from '../../schemas/api.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import { NAME, OWNER, startGitHub, type TestGitHub, TOKENS } from '../action/github.ts';
import { virtualClock } from '../clock.ts';
import { ask } from '../e2e/ask.ts';
import { startDaemon } from '../e2e/daemon.ts';
import { eventually } from '../e2e/eventually.ts';
import { type Home, newHome, smallService } from '../e2e/repo.ts';
import type { TestRepo } from '../git.ts';
import { service, state } from '../plan/samples.ts';
import { TOKENS as OURS, startWorld, type World } from './api-server.ts';

vi.setConfig({ testTimeout: 100_000 });

const FIRST = 'c0ffee00'.repeat(5);
const SECOND = 'beefbeef'.repeat(5);
const EPOCH = Date.UTC(2026, 0, 1);
const ENVIRONMENT = 'production';

let home: Home;
let repo: TestRepo;
let github: TestGitHub;
beforeEach(async () => {
  home = newHome();
  repo = home.repo();
  github = await startGitHub(repo);
});
afterEach(async () => {
  await github.close();
  await home.remove();
});

const statusesSchema = z.array(z.object({ context: z.string(), state: z.string(), description: z.string() }));

/** Oldest first, as anybody reads them. */
async function statuses(commit: string): Promise<string[]> {
  const url = `${github.url}/repos/${OWNER}/${NAME}/commits/${commit}/statuses`;
  const { text } = await ask(url, { headers: { authorization: `token ${TOKENS.person}` } });
  const all = statusesSchema.parse(JSON.parse(text)).reverse();
  return all.map(({ context, state: word, description }) => `${context} ${word}: ${description}`);
}

const line = (text: string) => `trueup/${ENVIRONMENT} ${text}`;
const ROLLING = line('pending: 0 of 1 service done; web is rolling out');
const DONE = line('success: 1 service done');

describe('a reporter', () => {
  const clock = virtualClock(0);
  let world: World;
  let reporter: Reporter;
  let ending: AbortController;
  let log: string[];
  /** When GitHub was asked or told, by the clock. */
  let times: number[];

  beforeEach(async () => {
    world = await startWorld({ reporting: () => reporter.health() });
    log = [];
    times = [];
    await begin();
  });
  afterEach(async () => {
    end();
    await world.close();
  });

  async function begin(token: string = TOKENS.job): Promise<void> {
    ending = new AbortController();
    const now = () => EPOCH + clock.now();
    const board = await openGitHub({
      owner: OWNER,
      name: NAME,
      token,
      api: github.url,
      environment: ENVIRONMENT,
      targetUrl: null,
      now,
      signal: ending.signal,
    });
    const noted = <Args extends unknown[], T>(call: (...args: Args) => T) => {
      return (...args: Args): T => {
        times.push(clock.now());
        return call(...args);
      };
    };
    reporter = createReporter({
      project: 'main',
      store: world.store,
      board: { newest: noted(board.newest), say: noted(board.say) },
      tokenFrom: 'env:GITHUB_TOKEN',
      clock,
      now,
      log: (text) => log.push(text),
    });
    reporter.start();
  }

  function end(): void {
    reporter.stop();
    ending.abort();
  }

  /** Lets time pass until it is so. */
  async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(what, async () => {
      await clock.moveTo(clock.now() + 1000);
      return isSo();
    });
  }

  const told = (commit: string, ...expected: readonly string[]) =>
    until(
      `${commit} is ${expected.at(-1)}`,
      async () => (await statuses(commit)).at(-1) === expected.at(-1),
    ).then(async () => expect(await statuses(commit)).toEqual(expected));

  /** `web`, as a commit asks for it, and how far it has come. */
  async function put(commit: string, outcome: Rollout['outcome'], reason = ''): Promise<void> {
    const web = { ...service('web'), commit };
    const rollout: Rollout = {
      from: null,
      to: 1,
      commit,
      startedAt: 0,
      endedAt: null,
      outcome,
      reason,
      exits: 0,
      unready: 0,
    };
    await world.put('web', { service: web, removed: false, problems: [] }, state(web, { rollout }));
  }

  async function read(commit: string): Promise<void> {
    await world.putProject({ commit, applied: commit });
    await world.say({ service: '', event: 'commit', reason: 'read', commit });
  }

  test('tells how far a commit has come, and deploys it once', async () => {
    await read(FIRST);
    await put(FIRST, 'rolling');
    await told(FIRST, ROLLING);
    expect(github.deployments(FIRST)).toMatchObject([{ environment: ENVIRONMENT, states: ['in_progress'] }]);
    await put(FIRST, 'done');
    await told(FIRST, ROLLING, DONE);
    expect(github.deployments(FIRST)).toMatchObject([{ states: ['in_progress', 'success'] }]);
  });

  test('tells the same once, whatever else happens', async () => {
    await read(FIRST);
    await put(FIRST, 'rolling');
    await told(FIRST, ROLLING);
    for (let i = 0; i < 20; i++) {
      await world.say({ service: 'web', event: 'replica-created', reason: `web-${i}`, replica: `web-${i}` });
      await clock.moveTo(clock.now() + 5000);
    }
    await put(FIRST, 'done');
    await told(FIRST, ROLLING, DONE);
  });

  test('tells the last of what comes within ten seconds', async () => {
    await read(FIRST);
    await put(FIRST, 'rolling');
    await told(FIRST, ROLLING);
    const [posted = 0] = times.slice(-1);
    await put(FIRST, 'failed', 'it broke');
    await clock.moveTo(clock.now() + 3000);
    await put(FIRST, 'done');
    await told(FIRST, ROLLING, DONE);
    expect(times.at(-1)).toBeGreaterThanOrEqual(posted + 10_000);
  });

  test('repeats nothing after a restart, and goes on', async () => {
    await read(FIRST);
    await put(FIRST, 'rolling');
    await told(FIRST, ROLLING);
    end();
    await begin();
    const asked = times.length;
    await until('it has looked', () => times.length > asked);
    await put(FIRST, 'done');
    await told(FIRST, ROLLING, DONE);
    expect(github.deployments(FIRST)).toMatchObject([{ states: ['in_progress', 'success'] }]);
  });

  test('gives a last word to a commit that another one replaced, even if it was away meanwhile', async () => {
    await read(FIRST);
    await put(FIRST, 'rolling');
    await told(FIRST, ROLLING);
    end();
    await read(SECOND);
    await put(SECOND, 'done');
    await begin();
    await told(SECOND, DONE);
    await told(FIRST, ROLLING, line('success: commit beefbeef took its place'));
    expect(github.deployments(FIRST)).toMatchObject([{ states: ['in_progress', 'inactive'] }]);
  });

  test('makes up for it when GitHub was away, and says so once', async () => {
    github.fail({ call: /^POST .*\/statuses\//, status: 502, times: 4 });
    await read(FIRST);
    await put(FIRST, 'done');
    await told(FIRST, DONE);
    expect(log).toEqual([
      'project main: GitHub answered 502: statuses are set later',
      'project main: GitHub takes its statuses again',
    ]);
    expect(github.deployments(FIRST)).toHaveLength(1);
    expect(reporter.health()).toEqual({ isReporting: true, posts: 1, failures: 4 });
  });

  test.each([
    ['retry-after', () => '120'],
    ['x-ratelimit-reset', () => String((EPOCH + clock.now()) / 1000 + 120)],
  ])('asks nothing while a limit lasts, as %s says', async (header, value) => {
    const headers = { 'x-ratelimit-remaining': '0', [header]: value() };
    github.fail({ call: /^GET .*\/commits\//, status: 403, headers });
    const begun = clock.now();
    await read(FIRST);
    await put(FIRST, 'done');
    await until('it is limited', () => log.length > 0);
    const asked = times.length;
    await clock.moveTo(begun + 119_000);
    expect(times).toHaveLength(asked);
    await told(FIRST, DONE);
  });

  test('stops when its token is refused, says which one, and leaves it to the Action', async () => {
    end();
    await begin('ghp_revoked');
    await read(FIRST);
    await put(FIRST, 'done');
    await until('it has stopped', () => !reporter.health().isReporting);
    expect(log).toEqual([
      'project main: GitHub answered 401: no statuses are set any more. Replace the token in env:GITHUB_TOKEN ' +
        '(it needs the rights to write commit statuses and deployments) and restart trueup.',
    ]);
    const headers = { authorization: `Bearer ${OURS.admin}` };
    const able = await ask(`${world.url}/api/v1/capabilities`, { headers });
    expect(capabilitiesSchema.parse(JSON.parse(able.text)).github).toEqual({ statuses: false });
    const { text } = await ask(`${world.url}/metrics`, { headers });
    expect(text).toContain('trueup_github_reporting{project="main"} 0\n');
    expect(text).toContain('trueup_github_failures_total{project="main"} 1\n');
  });

  test('stops when the repository is none that its token may see', async () => {
    github.fail({ call: /^GET \/repos\//, status: 404, times: 2 });
    await read(FIRST);
    await put(FIRST, 'done');
    await until('it has stopped', () => !reporter.health().isReporting);
    expect(log).toEqual([expect.stringContaining('Check `github.repository`')]);
  });

  test('gives up a commit that GitHub does not have, and no other', async () => {
    github.fail({ call: /^GET .*\/commits\//, status: 404 });
    await read(FIRST);
    await put(FIRST, 'done');
    await until('it gave up', () => log.length > 0);
    await read(SECOND);
    await put(SECOND, 'done');
    await told(SECOND, DONE);
    expect(log).toEqual(['project main: GitHub does not have it: no status is set for commit c0ffee00']);
    expect(await statuses(FIRST)).toEqual([]);
  });
});

describe('a daemon with a token of GitHub', () => {
  const SLOW = 'probes:\n  - type: http\n    url: /\n    interval: 1s\n    ready_after: 4\n';

  function start() {
    const config = join(home.dir, 'server.yml');
    const api = {
      api: github.url,
      repository: `${OWNER}/${NAME}`,
      token: 'env:GITHUB',
      environment: ENVIRONMENT,
    };
    writeFileSync(
      config,
      JSON.stringify({ allow_root: true, projects: { main: { repo: repo.dir, github: api } } }),
    );
    return startDaemon({ args: ['--config', config], dataDir: home.dataDir, env: { GITHUB: TOKENS.job } });
  }

  const said = (commit: string, last: RegExp) =>
    eventually(`${commit} is ${last}`, async () => {
      const all = await statuses(commit);
      return last.test(all.at(-1) ?? '') ? all : null;
    });

  test('tells of what is pushed, of what fails and why, and repeats nothing after a restart', async () => {
    const good = repo.commit({ 'web.dstack.yml': smallService('web', 'one', SLOW) });
    const daemon = await start();
    expect(await said(good, /success/)).toEqual([ROLLING, DONE]);
    expect(github.deployments(good)).toMatchObject([{ states: ['in_progress', 'success'] }]);

    const broken = smallService('web', 'two', SLOW).replace('exec node', 'exec nod');
    const bad = repo.commit({ 'web.dstack.yml': broken });
    const failure = await said(bad, /failure/);
    expect(failure.at(-1)).toMatch(/failure: web: 3 candidates ended .* exited with code 127$/);
    expect(
      github
        .deployments(bad)
        .flatMap(({ states }) => states)
        .at(-1),
    ).toBe('failure');

    const invalid = repo.commit({ 'web.dstack.yml': 'type: service\nport: many\n' });
    expect((await said(invalid, /error/)).at(-1)).toContain('error: web.dstack.yml:');

    const before = await Promise.all([good, bad, invalid].map(statuses));
    await daemon.end('SIGTERM');
    expect(daemon.output()).not.toContain(TOKENS.job);
    const again = await start();
    const mended = repo.commit({ 'web.dstack.yml': smallService('web', 'one', SLOW) });
    await said(mended, /success/);
    expect(await Promise.all([good, bad, invalid].map(statuses))).toEqual(before);
    await again.end('SIGINT');
  });
});
