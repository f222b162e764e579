// A gated server as a whole: the real program with a real repository. A commit waits until somebody applies it by a plan
// that still holds, and everything that could have changed in between is a refusal that says what.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  type ApplyAnswer,
  applyAnswerSchema,
  loginAnswerSchema,
  type ServiceView,
  whySchema,
} from '../../schemas/api.ts';
import { type Plan, planSchema } from '../../schemas/plan.ts';
import { ask } from '../e2e/ask.ts';
import { type Daemon, startDaemon } from '../e2e/daemon.ts';
import { newHome, smallService } from '../e2e/repo.ts';
import type { TestRepo } from '../git.ts';
import { AUDIENCE, type Issuer, startIssuer } from './issuer.ts';

vi.setConfig({ testTimeout: 100_000, hookTimeout: 100_000 });

const CHEAP = 0.1;

const home = newHome();
let issuer: Issuer;
let repo: TestRepo;
let daemon: Daemon;
let admin: string;

beforeAll(async () => {
  issuer = await startIssuer();
  repo = home.repo();
  repo.commit({ 'web.dstack.yml': smallService('web', 'first') }, 'first');
  await start(CHEAP);
});

afterAll(async () => {
  issuer?.close();
  await home.remove();
});

test('the first commit waits, and says for what', async () => {
  expect(await waits(repo.head())).toContain('approv');
  expect((await daemon.service('web'))?.replicas ?? []).toEqual([]);
});

test('applied by its plan it is rolled out', async () => {
  const plan = await keep();
  expect(plan).toMatchObject({ commit: repo.head(), price: { now: 0, steady: CHEAP } });
  const answer = await apply(repo.head(), plan);
  expect(answer).toMatchObject([202, { accepted: true }]);
  expect(await apply(repo.head(), plan)).toMatchObject([202, { accepted: true }]);
  await serves('first');
  await daemon.happens('approved', /is approved by admin, as plan/);
  expect((await daemon.service('web'))?.pricePerHour).toBe(CHEAP);
});

test('the next one waits while the first goes on; nothing of it shows', async () => {
  const commit = repo.commit({ 'web.dstack.yml': smallService('web', 'second') }, 'second');
  await waits(commit);
  expect(await said()).toBe('first');
});

test('a plan of what it became since is stale, with the difference', async () => {
  const plan = await keep();
  const commit = repo.commit({ 'web.dstack.yml': smallService('web', 'third') }, 'third');
  await waits(commit);
  const [status, answer] = await apply(commit, plan);
  expect([status, answer]).toMatchObject([
    409,
    { refusal: 'stale', difference: [{ service: 'web' }], plan: { commit } },
  ]);
  expect(await said()).toBe('first');
});

test('a plan that nobody made approves nothing', async () => {
  const plan = { ...(await keep()), id: 'guess' };
  expect(await apply(repo.head(), plan)).toMatchObject([409, { refusal: 'unknown-plan' }]);
});

test('a commit with errors is not applied', async () => {
  const broken = repo.commit({ 'bad.dstack.yml': 'type: service\nname: bad\nport: none\n' }, 'broken');
  await waits(broken);
  expect(await apply(broken, await keep())).toMatchObject([409, { refusal: 'problems' }]);
  await waits(repo.commit({ 'bad.dstack.yml': null }, 'mended'));
});

test('what became dearer meanwhile is refused with figures, unless that is tolerated', async () => {
  const plan = await keep();
  await daemon.end('SIGTERM');
  await start(3 * CHEAP);
  await waits(repo.head());
  const [status, answer] = await apply(repo.head(), plan);
  expect([status, answer]).toMatchObject([
    409,
    { refusal: 'dearer', detail: expect.stringContaining('steady $0.10 → $0.30') },
  ]);
  expect(await said()).toBe('first');
  expect(await apply(repo.head(), plan, { tolerance: 10 })).toMatchObject([202, { accepted: true }]);
  await serves('third');
});

test('a working folder is planned before it is a commit, and applied by that plan once it is one', async () => {
  const text = smallService('web', 'fourth');
  const policy = `budget: ${20 * CHEAP}\n`;
  const files = [
    { path: 'web.dstack.yml', text },
    { path: 'trueup.yml', text: policy },
  ];
  const planned = planSchema.parse((await call('plan', { files, keep: true })).body);
  const commit = repo.commit({ 'web.dstack.yml': text, 'trueup.yml': policy }, 'fourth');
  // Not waited for: the server reads it while the apply is held.
  expect(await apply(commit, planned)).toMatchObject([202, { accepted: true }]);
  await serves('fourth');
});

test('a job of GitHub Actions logs in, applies under its own name, and may call no service', async () => {
  const commit = repo.commit(
    { 'web.dstack.yml': smallService('web', 'fifth').replace('auth: false', 'auth: true') },
    'fifth',
  );
  const login = loginAnswerSchema.parse((await call('login', { token: await issuer.token() }, null)).body);
  await waits(commit);
  const plan = planSchema.parse((await call('plan?keep=1', undefined, login.token)).body);
  expect(await apply(commit, plan, {}, login.token)).toMatchObject([202, { accepted: true }]);
  await daemon.happens('approved', /is approved by me\/services@refs\/heads\/main run 42, as plan/);
  await done();
  const denied = await request(`${daemon.url}/proxy/services/main/web/`, login.token);
  expect(denied.status).toBe(403);
});

test('what would cost more than the budget is refused, though its plan said so', async () => {
  const web = smallService('web', 'sixth', 'replicas: 2\n');
  const commit = repo.commit({ 'web.dstack.yml': web, 'trueup.yml': `budget: ${4 * CHEAP}\n` }, 'sixth');
  await waits(commit);
  const plan = await keep();
  expect(plan.changes).toMatchObject([{ service: 'web', hold: expect.anything() }]);
  expect(await apply(commit, plan)).toMatchObject([409, { refusal: 'over-budget' }]);
});

/** With the price that a replica on this machine is reckoned at. */
async function start(price: number): Promise<void> {
  const config = join(home.dir, 'server.yml');
  const oidc = [
    {
      issuer: issuer.url,
      audience: AUDIENCE,
      repository: 'me/services',
      ref: 'refs/heads/main',
      scopes: ['apply'],
    },
  ];
  const projects = { main: { repo: repo.dir } };
  writeFileSync(config, JSON.stringify({ apply: 'gated', local: { price }, oidc, projects }));
  daemon = await startDaemon({ args: ['--config', config], dataDir: home.dataDir });
  admin = readFileSync(join(home.dataDir, 'token'), 'utf8').trim();
}

/** Until the commit waits for approval; gives what `why` says of it. */
async function waits(commit: string): Promise<string> {
  await daemon.until('the commit is read', (status) => status.commit === commit);
  const web = await daemon.untilService('web', 'waits for approval', ({ waiting }) =>
    (waiting ?? []).some(({ reason }) => reason === 'approval'),
  );
  expect(web.waiting).toContainEqual(expect.objectContaining({ reason: 'approval', until: null }));
  const { stdout } = await daemon.trueup('why', 'web', '--json');
  const why = whySchema.parse(JSON.parse(stdout));
  return why.waiting.find(({ reason }) => reason === 'approval')?.detail ?? '';
}

async function serves(text: string): Promise<void> {
  await done();
  expect(await said()).toBe(text);
}

/** Until the newest commit is rolled out. */
async function done(): Promise<void> {
  const commit = repo.head();
  const isDone = ({ rollout }: ServiceView) => rollout?.outcome === 'done' && rollout.commit === commit;
  await daemon.untilService('web', `is of ${commit}`, isDone);
}

async function said(): Promise<string> {
  return (await ask(`${daemon.url}/proxy/services/main/web/`)).text;
}

async function keep(): Promise<Plan> {
  return planSchema.parse((await call('plan?keep=1')).body);
}

async function apply(
  commit: string,
  { id }: Plan,
  more: { readonly tolerance?: number } = {},
  token?: string,
): Promise<[number, ApplyAnswer]> {
  const { status, body } = await call('applies', { commit, plan: id, ...more }, token);
  return [status, applyAnswerSchema.parse(body)];
}

async function call(path: string, body?: unknown, token: string | null = admin) {
  const { status, text } = await request(`${daemon.url}/api/v1/${path}`, token, body);
  return { status, body: JSON.parse(text) as unknown };
}

function request(url: string, token: string | null, body?: unknown) {
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const sent = body === undefined ? {} : { method: 'POST' as const, body: JSON.stringify(body) };
  return ask(url, { headers, ...sent });
}
