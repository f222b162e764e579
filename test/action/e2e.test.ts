// From a pull request to what runs: the committed bundle as a job, against a real server, a real git server, and GitHub on
// loopback. What is looked at is what people see: the comment, the deployment, the service.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseMarker } from '../../action/comment.ts';
import { planSchema } from '../../schemas/plan.ts';
import { eventually } from '../e2e/eventually.ts';
import { smallService } from '../e2e/repo.ts';
import { BOT, TOKENS } from './github.ts';
import { pullPayload } from './runner.ts';
import { PLANNER, type Pull, startWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const WEB = 'services/web.dstack.yml';
const inputs = { path: 'services' };

let world: World;

beforeAll(async () => {
  world = await startWorld({
    'services/trueup.yml': 'rollout: {drain: 1s}\n',
    'staging/trueup.yml': 'rollout: {drain: 1s}\n',
  });
});
afterAll(() => world.close());

describe('from a pull request to what runs', () => {
  let pull: Pull;
  let commit: string;

  test('its plan is one comment, a check and outputs', async () => {
    pull = await world.open({ [WEB]: smallService('web', 'one', 'replicas: 2\n') });
    const { code, log, outputs, summary } = await world.plan(pull, inputs);
    expect([code, log]).toEqual([0, expect.stringContaining('Comment created')]);
    expect(log).toMatch(
      /^::group::The whole plan\n✓ 1 to create\n(.*\n)*\+ web create, 2 replicas\n(.*\n)*::endgroup::$/m,
    );
    const comment = await onlyComment(pull);
    expect(comment).toMatchObject({
      author: BOT,
      body: expect.stringContaining('✓ trueup in services: 1 to create'),
    });
    expect(parseMarker(comment.body)).toMatchObject({ project: 'main', path: 'services', head: pull.head });
    expect(summary).toContain('1 to create');
    expect(outputs).toMatchObject({ changes: '1', creates: '1', 'cost-steady': '0.5', 'failure-reason': '' });
    const plan = planSchema.parse(JSON.parse(readFileSync(outputs['plan-json'] ?? '', 'utf8')));
    expect(plan).toMatchObject({ digest: outputs['plan-digest'], id: expect.any(String) });
    const checks = await world.github.checks(pull.head);
    expect(checks).toMatchObject([{ name: 'trueup plan (main)', conclusion: 'success', annotations: [] }]);
  });

  test('pushed to again, it keeps its comment, and a forged one beside it stays as it is', async () => {
    const before = await onlyComment(pull);
    const forged = await world.github.comment(pull.number, before.body);
    pull = world.push(pull, { [WEB]: smallService('web', 'one', 'replicas: 1\n') });
    const { log } = await world.plan(pull, inputs);
    expect(log).toContain('Comment updated');
    const [comment, other, ...none] = await world.github.comments(pull.number);
    expect(none).toEqual([]);
    expect(comment).toMatchObject({ id: before.id, author: BOT, body: expect.stringContaining('$0.25') });
    expect(parseMarker(comment?.body ?? '')?.head).toBe(pull.head);
    expect(other).toMatchObject({ id: forged, body: before.body });
    expect((await world.plan(pull, inputs)).log).toContain('Comment same');
    expect((await world.github.comments(pull.number))[0]).toEqual(comment);
  });

  test('merged, it is rolled out, followed and told of', async () => {
    commit = world.merge(pull);
    const { code, log, summary, outputs } = await world.apply(commit, inputs);
    expect([code, log]).toEqual([
      0,
      expect.stringMatching(/::group::Following.*\n(.*\n)*.*rollout-done(.*\n)*::endgroup::/),
    ]);
    expect(await answer('web')).toBe('one');
    const [comment] = await world.github.comments(pull.number);
    expect(comment?.body).toMatch(/deployed.*all of it/);
    expect(summary).toMatch(/deployed.*all of it/);
    expect(outputs).toMatchObject({ creates: '1', 'failure-reason': '' });
    const [deployment, ...none] = world.github.deployments(commit);
    expect(none).toEqual([]);
    expect(deployment).toMatchObject({ environment: 'main' });
    expect(deployment?.states.at(-1)).toBe('success');
    expect(world.github.statuses(commit).map(({ context, state }) => [context, state])).toEqual([
      ['trueup/main', 'pending'],
      ['trueup/main', 'success'],
    ]);
  });

  test('done once more, it says the same and changes nothing', async () => {
    const { code, log } = await world.apply(commit, inputs);
    expect([code, log]).toEqual([0, expect.stringContaining('approved already')]);
    expect(world.github.deployments(commit)).toHaveLength(1);
    expect(world.github.statuses(commit).at(-1)).toMatchObject({ state: 'success' });
    expect((await world.daemon().service('web'))?.deployment).toBe(1);
    const [comment] = await world.github.comments(pull.number);
    expect((await world.plan(pull, inputs)).log).toContain('The pull request is closed');
    expect((await world.github.comments(pull.number))[0]).toEqual(comment);
  });
});

describe('what goes wrong is told where people look', () => {
  test('a problem is at its line, and fails the plan', async () => {
    const pull = await world.open({ [WEB]: `${smallService('web', 'one')}replicaz: 2\n` });
    const { code, outputs } = await world.plan(pull, inputs);
    expect([code, outputs['failure-reason']]).toEqual([1, 'problems']);
    const [check] = await world.github.checks(pull.head);
    expect(check?.conclusion).toBe('failure');
    expect(check?.annotations).toMatchObject([{ path: WEB, message: expect.stringContaining('replicaz') }]);
    expect((await onlyComment(pull)).body).toContain('replicaz');
  });

  test('a revision that cannot run fails, with its last words, and harms nothing', async () => {
    const pull = await world.open({ [WEB]: dying('web', 'I cannot go on') });
    await world.plan(pull, inputs);
    const commit = world.merge(pull, 'rebase');
    const { code, log, outputs } = await world.apply(commit, inputs);
    expect([code, outputs['failure-reason'], log]).toEqual([
      1,
      'rollout-failed',
      expect.stringMatching(/::group::The last lines of web-\d+\nI cannot go on/),
    ]);
    const { body } = await onlyComment(pull);
    expect(body).toMatch(/failed/);
    expect(body).toContain('I cannot go on');
    expect(world.github.deployments(commit)[0]?.states.at(-1)).toBe('failure');
    expect(world.github.statuses(commit).at(-1)).toMatchObject({ state: 'failure' });
    expect(await answer('web')).toBe('one');
  });

  test('a plan that no longer holds is refused, and the comment says what differs', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'two') });
    await world.plan(pull, inputs);
    const other = await world.open({ 'services/other.dstack.yml': smallService('other', 'hello') });
    await world.plan(other, inputs);
    expect((await world.apply(world.merge(other, 'merge'), inputs)).code).toBe(0);
    const commit = world.merge(pull);
    const { code, outputs, log } = await world.apply(commit, inputs);
    expect([code, outputs['failure-reason'], log]).toEqual([
      1,
      'stale',
      expect.stringContaining('::error::refused'),
    ]);
    const { body } = await onlyComment(pull);
    expect(body).toMatch(/refused/);
    expect(body).toMatch(/other/);
    expect(log).toMatch(/^other\n {2}the plan said: .*\n {2}now it is: /m);
    expect(world.github.deployments(commit)[0]?.states.at(-1)).toBe('failure');
    expect(await answer('web')).toBe('one');
    // Planned by hand, as it says.
    expect(body).toContain('Run the workflow that plans by hand');
    expect((await world.planByHand(commit, inputs)).code).toBe(0);
    expect((await world.apply(commit, inputs)).code).toBe(0);
    expect(await answer('web')).toBe('two');
  });

  test('a price that rose is refused, and accepted by who tolerates it', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'dear') });
    await world.plan(pull, inputs);
    await world.restart(0.5);
    const commit = world.merge(pull);
    const { code, outputs } = await world.apply(commit, inputs);
    expect([code, outputs['failure-reason']]).toEqual([1, 'dearer']);
    expect((await onlyComment(pull)).body).toMatch(/refused.*steady .*0\.50 → .*0\.75/);
    expect(await answer('web')).toBe('two');
    const tolerant = await world.apply(commit, { ...inputs, 'price-tolerance': '150%' });
    expect([tolerant.code, tolerant.log]).toEqual([0, expect.stringContaining('is approved by')]);
    expect(await answer('web')).toBe('dear');
    expect((await onlyComment(pull)).body).toMatch(/deployed.*all of it/);
  });

  test('a commit that nobody has planned is refused, unless the workflow wants it', async () => {
    const commit = world.commit({ [WEB]: smallService('web', 'direct') });
    const refused = await world.apply(commit, inputs);
    expect([refused.code, refused.outputs['failure-reason']]).toEqual([1, 'no-plan']);
    expect(refused.summary).toContain('without a pull request');
    expect(await answer('web')).not.toBe('direct');
    const wanted = await world.apply(commit, { ...inputs, 'allow-direct': 'true' });
    expect([wanted.code, wanted.outputs]).toEqual([0, expect.objectContaining({ changes: '1' })]);
    expect(await answer('web')).toBe('direct');
  });

  test('a commit that asks for nothing needs no plan', async () => {
    const commit = world.commit({ 'README.md': 'hello' });
    const { code, log } = await world.apply(commit, inputs);
    expect([code, log]).toEqual([0, expect.stringContaining('deployed: all of it')]);
  });
});

describe('a merge', () => {
  test('that another push has followed is applied with that, if its plan shows all of it', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'followed') });
    await world.plan(pull, inputs);
    const commit = world.merge(pull);
    await world.read(commit);
    const newest = world.commit({ 'README.md': 'more' });
    await world.read(newest);
    const { code, log } = await world.apply(commit, inputs);
    expect([code, log]).toEqual([0, expect.stringContaining(`${newest.slice(0, 8)} is approved by`)]);
    expect(await answer('web')).toBe('followed');
    expect((await onlyComment(pull)).body).toMatch(/deployed.*all of it/);
  });

  test('gives way to a push that asks for more, whose own job has it', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'overtaken') });
    await world.plan(pull, inputs);
    const commit = world.merge(pull);
    await world.read(commit);
    await world.read(world.commit({ 'services/third.dstack.yml': smallService('third', 'hi') }));
    const { code, outputs } = await world.apply(commit, inputs);
    expect([code, outputs['failure-reason']]).toEqual([0, '']);
    expect((await onlyComment(pull)).body).toMatch(/superseded.*took its place/);
    expect(await answer('web')).toBe('followed');
  });

  test('whose job is cancelled before it has approved anything is not deployed', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'never') });
    await world.plan(pull, inputs);
    const commit = world.merge(pull);
    const call = new RegExp(`commits/${commit}/pulls`);
    world.github.fail({ call, status: 429, headers: { 'retry-after': '1' } });
    const job = world.startApply(commit, inputs);
    await eventually('it asks GitHub', () => world.github.calls.some((each) => call.test(each)));
    job.child.kill('SIGINT');
    const { code, outputs } = await job.result;
    expect([code, outputs['failure-reason']]).toEqual([1, 'cancelled']);
    expect((await onlyComment(pull)).body).toMatch(/withdrawn.*before it had anything deployed/);
    expect(world.github.statuses(commit).at(-1)).toMatchObject({ state: 'failure' });
    expect((await world.daemon().service('web'))?.waiting?.map(({ reason }) => reason)).toContain('approval');
  });

  test('ends where its job has no right to apply it, and that nobody waits for leaves nothing pending', async () => {
    const pull = await world.open({ [WEB]: smallService('web', 'unwatched') });
    await world.plan(pull, inputs);
    const commit = world.merge(pull);
    const mayNot = await world.apply(commit, { ...inputs, token: PLANNER });
    expect([mayNot.code, mayNot.outputs['failure-reason']]).toEqual([1, 'unauthorized']);
    expect((await onlyComment(pull)).body).toMatch(/failed.*`?apply/);
    expect(world.github.statuses(commit)).toMatchObject([{ state: 'pending' }, { state: 'failure' }]);
    const { code, log } = await world.apply(commit, { ...inputs, wait: 'false' });
    expect([code, log]).toEqual([0, expect.not.stringContaining('::group::Following')]);
    expect(world.github.statuses(commit)).toHaveLength(2);
    expect((await onlyComment(pull)).body).toContain('merged');
    await eventually('it runs', async () => (await answer('web')) === 'unwatched');
  });
});

describe('a job', () => {
  test('of a fork has an offline plan in its summary and leaves GitHub alone, and in a merge queue has a check', async () => {
    const pull = await world.open({ 'services/forked.dstack.yml': smallService('forked', 'theirs') });
    const { code, summary, log } = await world.plan(pull, inputs, {
      payload: pullPayload({ ...pull, base: pull.base }, { isFork: true }),
      githubToken: TOKENS.fork,
      env: {},
    });
    expect([code, summary]).toEqual([0, expect.stringContaining('1 to create')]);
    expect(summary).toContain('What runs now is not known');
    expect(log).toContain('jobs of forks never have one');
    expect(log).not.toContain('::warning');
    expect(await world.github.checks(pull.head)).toEqual([]);
    const forgotten = await world.plan(pull, { ...inputs, comment: 'off' }, { env: {} });
    expect(forgotten.log).toContain('::warning::No server was asked: this job has neither a token');
    expect(await world.github.comments(pull.number)).toEqual([]);
    const queued = await world.plan(pull, { ...inputs, server: '' }, ofQueue(pull));
    expect([queued.code, queued.outputs]).toEqual([0, expect.objectContaining({ creates: '1' })]);
    expect(await world.github.checks(pull.merge)).toMatchObject([{ conclusion: 'success' }]);
    expect(await world.github.comments(pull.number)).toEqual([]);
  });

  test('without a checkout reads the files by the API, and plans the same', async () => {
    const files = { [WEB]: mounting('web', 'page'), 'services/page/index.html': 'hello' };
    const pull = await world.open(files);
    const there = await world.plan(pull, inputs);
    const { outputs, log } = await world.plan(pull, inputs, { workspace: world.dir });
    expect(log).toContain('There is no checkout');
    expect(outputs['plan-digest']).toBe(there.outputs['plan-digest']);
    const other = world.push(pull, { 'services/page/index.html': 'hello again' });
    expect((await world.plan(other, inputs)).outputs['plan-digest']).not.toBe(outputs['plan-digest']);
  });

  test('of an older commit leaves the comment to the newer one', async () => {
    const old = await world.open({ [WEB]: smallService('web', 'old') });
    const pull = world.push(old, { [WEB]: smallService('web', 'new') });
    await world.plan(pull, inputs);
    const before = await onlyComment(pull);
    const { code, log, summary } = await world.plan(old, inputs, { sha: pull.merge });
    expect([code, log]).toEqual([0, expect.stringContaining('not the newest commit')]);
    expect(summary).toContain('The checkout is of commit');
    expect(await onlyComment(pull)).toEqual(before);
  });

  test('that is cancelled says that the rollout goes on, and it does', async () => {
    const pull = await world.open({ [WEB]: slow('web', 'patient') });
    await world.plan(pull, inputs);
    const job = world.startApply(world.merge(pull), inputs);
    await eventually('it follows', () => job.log().includes('replica-created'));
    job.child.kill('SIGINT');
    const { code, log, outputs } = await job.result;
    expect([code, outputs['failure-reason']]).toEqual([1, 'cancelled']);
    expect(log).toContain('the server goes on with it');
    expect((await onlyComment(pull)).body).toContain('the rollout goes on');
    await eventually('it runs', async () => (await answer('web')) === 'patient');
  });

  test('follows a server that applies by itself, as soon as its webhook has told it', async () => {
    const staging = { project: 'staging', path: 'staging' };
    const pull = await world.open({ 'staging/hello.dstack.yml': smallService('hello', 'hello staging') });
    await world.plan(pull, staging);
    await world.plan(pull, inputs);
    expect(await world.github.comments(pull.number)).toHaveLength(2);
    const commit = world.merge(pull);
    await world.github.tellOfPush();
    const { code, log } = await world.apply(commit, staging);
    expect([code, log]).toEqual([0, expect.stringContaining('applies commits as it reads them')]);
    expect(await answer('hello', 'staging')).toBe('hello staging');
    const [comment] = await world.github.comments(pull.number);
    expect(comment?.body).toMatch(/deployed.*all of it/);
    expect(world.github.deployments(commit)).toMatchObject([{ environment: 'staging' }]);
  });
});

function ofQueue({ base, merge, number }: Pull) {
  const ref = `refs/heads/gh-readonly-queue/main/pr-${number}-${base}`;
  const merge_group = { head_sha: merge, base_sha: base, head_ref: ref, base_ref: 'refs/heads/main' };
  return { event: 'merge_group', ref, payload: { action: 'checks_requested', merge_group } } as const;
}

async function onlyComment({ number }: Pull) {
  const [comment, ...others] = await world.github.comments(number);
  expect(others).toEqual([]);
  if (!comment) throw new Error(`#${number} has no comment`);
  return comment;
}

async function answer(service: string, project = 'main'): Promise<string> {
  const url = `${world.daemon().url}/proxy/services/${project}/${service}/`;
  return (await fetch(url)).text();
}

function dying(name: string, words: string): string {
  return `type: service
name: ${name}
commands:
  - echo ${words}; exit 3
port: 8000
auth: false
`;
}

/** Takes a while before it listens. */
function slow(name: string, says: string): string {
  return smallService(name, says).replace('- exec', '- sleep 2; exec');
}

function mounting(name: string, path: string): string {
  return `${smallService(name, 'mounted')}files:\n  - ${path}:/page\n`;
}
