// Kept plans, approvals, capabilities and logins over a real socket, in a world whose plan a test decides.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogin } from '../../reconciler/oidc.ts';
import { tokenEntry } from '../../reconciler/tokens.ts';
import {
  type ApplyAnswer,
  apiErrorSchema,
  applyAnswerSchema,
  capabilitiesSchema,
  keptPlansSchema,
  loginAnswerSchema,
} from '../../schemas/api.ts';
import { type Plan, planSchema } from '../../schemas/plan.ts';
import { COMMIT, startWorld, TOKENS, type World } from './api-server.ts';
import { AUDIENCE, type Issuer, startIssuer } from './issuer.ts';

const OLDER = '0ff1ce000ff1ce000ff1ce000ff1ce000ff1ce00';
const DAY_MS = 86_400_000;
const [PLANNER, APPLIER] = ['plan-token', 'apply-token'];

let world: World;
let present: Plan;
let mode: 'auto' | 'gated';

const plan: Plan = {
  commit: COMMIT,
  base: null,
  digest: 'a'.repeat(64),
  changes: [],
  price: { now: 0, steady: 1, steadyMax: 1, peak: 1 },
  deletions: [],
  warnings: [],
  failures: [],
  prices: { source: 'live', date: null },
  problems: [],
};

async function start(overrides: Parameters<typeof startWorld>[0] = {}): Promise<void> {
  const tokens = [
    tokenEntry('admin', TOKENS.admin, ['admin']),
    tokenEntry('reader', TOKENS.read, ['read']),
    tokenEntry('planner', PLANNER, ['plan'], ['main']),
    tokenEntry('ci', APPLIER, ['apply'], ['main']),
  ];
  const more = { tokens, plan: async () => present, applyOf: () => mode, ...overrides };
  world = await startWorld(more);
  await world.putProject({});
}

beforeEach(async () => {
  present = plan;
  mode = 'gated';
  await start();
});
afterEach(() => world.close());

async function ask(path: string, token: string | null, body?: unknown): Promise<Response> {
  return fetch(`${world.url}/api/v1/${path}`, {
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
}

async function keep(): Promise<Plan> {
  return planSchema.parse(await (await ask('plan?keep=1', PLANNER)).json());
}

async function apply(body: object, token = APPLIER): Promise<[number, ApplyAnswer]> {
  const response = await ask('applies', token, body);
  return [response.status, applyAnswerSchema.parse(await response.json())];
}

/** What the loop would do with a commit. */
async function read(commit: string): Promise<void> {
  await world.putProject({ commit });
  await world.say({ service: '', event: 'commit', reason: `${commit} by me`, commit });
}

describe('a plan that is kept', () => {
  test('has an id and an end, and can be read under it', async () => {
    const before = Date.now();
    const kept = await keep();
    expect(kept).toMatchObject({ ...plan, id: expect.stringMatching(/^[a-z2-7]{16}$/) });
    const days = (Date.parse(kept.expires ?? '') - before) / DAY_MS;
    expect(days).toBeGreaterThanOrEqual(7);
    expect(days).toBeLessThan(7.01);
    expect(await (await ask(`plans/${kept.id}`, TOKENS.read)).json()).toEqual(kept);
  });

  test('may be of files, and gets another id each time', async () => {
    present = { ...plan, commit: null };
    const ids = [];
    for (let time = 0; time < 2; time++) {
      const answer = await ask('plan', PLANNER, { files: [], keep: true });
      ids.push(planSchema.parse(await answer.json()).id);
    }
    expect(new Set(ids).size).toBe(2);
  });

  test('is listed under the label it was kept for, the newest first', async () => {
    const ids = [];
    for (let time = 0; time < 2; time++) {
      const answer = await ask('plan', PLANNER, { files: [], keep: true, label: 'me/services#1' });
      ids.unshift(planSchema.parse(await answer.json()).id);
    }
    await ask('plan', PLANNER, { files: [], keep: true, label: 'me/services#2' });
    const listed = await ask(`plans?label=${encodeURIComponent('me/services#1')}`, TOKENS.read);
    const { plans } = keptPlansSchema.parse(await listed.json());
    expect(plans.map(({ id, label }) => [id, label])).toEqual(ids.map((id) => [id, 'me/services#1']));
    expect((await ask('plans', TOKENS.read)).status).toBe(400);
  });

  test('takes the right to plan; to look takes the right to read', async () => {
    for (const answer of [
      await ask('plan?keep=1', TOKENS.read),
      await ask('plan', TOKENS.read, { files: [], keep: true }),
    ]) {
      expect(answer.status).toBe(403);
      expect(apiErrorSchema.parse(await answer.json()).detail).toContain('lacks the scope `plan`');
    }
    const seen = await ask('plan', TOKENS.read);
    expect(planSchema.parse(await seen.json())).not.toHaveProperty('id');
  });

  test('is not found under another id, nor by another project', async () => {
    const { id } = await keep();
    expect((await ask('plans/aaaaaaaaaaaaaaaa', PLANNER)).status).toBe(404);
    expect((await ask(`plans/${id}?project=other`, TOKENS.admin)).status).toBe(404);
  });
});

describe('an apply', () => {
  test('by the plan of the newest commit approves it, says by whom, and wakes the project', async () => {
    const { id } = await keep();
    const [status, answer] = await apply({ commit: COMMIT, plan: id });
    expect([status, answer]).toMatchObject([202, { accepted: true, commit: COMMIT, difference: [] }]);
    expect(await world.store.approval('main')).toMatchObject({ commit: COMMIT, plan: id, by: 'ci' });
    const [told] = (await world.store.events({ project: 'main', limit: 1 })).slice(-1);
    expect(told).toMatchObject({
      event: 'approved',
      commit: COMMIT,
      reason: `c0ffee00 is approved by ci, as plan ${id} shows it`,
    });
    expect((await world.store.load('main'))?.wakeAt).not.toBeNull();
  });

  test('again is accepted and changes nothing, even when all is done by then', async () => {
    const { id } = await keep();
    await apply({ commit: COMMIT, plan: id });
    present = { ...plan, digest: 'b'.repeat(64) };
    expect(await apply({ commit: COMMIT, plan: id })).toMatchObject([202, { accepted: true }]);
    const events = await world.store.events({ project: 'main', limit: 10 });
    expect(events.filter(({ event }) => event === 'approved')).toHaveLength(1);
  });

  test('by a plan of files with the same outcome approves the commit that they became', async () => {
    present = { ...plan, commit: null };
    const { id } = planSchema.parse(await (await ask('plan', PLANNER, { files: [], keep: true })).json());
    present = plan;
    expect(await apply({ commit: COMMIT, plan: id })).toMatchObject([202, { accepted: true }]);
  });

  test('of a commit that is a moment old waits until it is read', async () => {
    const { id } = await keep();
    const newer = 'beef'.repeat(10);
    await world.close();
    let woken = () => {};
    const wake = new Promise<void>((resolve) => {
      woken = resolve;
    });
    await start({ patienceMs: 10_000 });
    const { store } = world;
    await store.saveQuote({
      id: id ?? '',
      project: 'main',
      digest: plan.digest,
      commit: null,
      at: 0,
      expiresAt: Date.now() + DAY_MS,
      document: plan,
    });
    present = { ...plan, commit: newer };
    store.subscribe(() => woken());
    const answer = apply({ commit: newer, plan: id });
    await wake;
    await read(newer);
    expect(await answer).toMatchObject([202, { accepted: true }]);
  });

  test('that would do something else is refused with the difference and the plan as it is now', async () => {
    const { id } = await keep();
    present = { ...plan, digest: 'b'.repeat(64) };
    const [status, answer] = await apply({ commit: COMMIT, plan: id });
    expect([status, answer]).toMatchObject([
      409,
      { accepted: false, refusal: 'stale', plan: { digest: present.digest } },
    ]);
    expect(answer.difference).toHaveLength(1);
    expect(await world.store.approval('main')).toBeNull();
  });

  test('that became dearer is refused, unless it tolerates that', async () => {
    const { id } = await keep();
    present = { ...plan, price: { ...plan.price, steady: 1.2, peak: 1.2 } };
    expect(await apply({ commit: COMMIT, plan: id })).toMatchObject([409, { refusal: 'dearer' }]);
    expect(await apply({ commit: COMMIT, plan: id, tolerance: 0.25 })).toMatchObject([202, {}]);
  });

  test('of an older commit, of an unknown one, by an unknown plan: each is told', async () => {
    const { id } = await keep();
    await read(OLDER);
    await read(COMMIT);
    expect(await apply({ commit: OLDER, plan: id })).toMatchObject([
      409,
      { refusal: 'not-newest', detail: '0ff1ce00 is not the newest commit any more: that is c0ffee00' },
    ]);
    expect(await apply({ commit: 'dead'.repeat(10), plan: id })).toMatchObject([
      409,
      { refusal: 'unknown-commit', detail: expect.stringContaining('the newest there is c0ffee00') },
    ]);
    expect(await apply({ commit: COMMIT, plan: 'guess' })).toMatchObject([409, { refusal: 'unknown-plan' }]);
  });

  test('says when the repository cannot be read', async () => {
    const sourceFailure = { kind: 'transient' as const, message: 'it does not answer', since: 0 };
    await world.putProject({ sourceFailure });
    expect(await apply({ commit: 'dead'.repeat(10), plan: 'any' })).toMatchObject([
      409,
      { refusal: 'unknown-commit', detail: expect.stringMatching(/: it does not answer$/) },
    ]);
  });

  test('is overtaken by a commit that is read meanwhile', async () => {
    const { id } = await keep();
    present = { ...plan, commit: OLDER };
    expect(await apply({ commit: COMMIT, plan: id })).toMatchObject([409, { refusal: 'not-newest' }]);
  });

  test('is not asked for where commits are applied as they come', async () => {
    mode = 'auto';
    expect(await apply({ commit: COMMIT, plan: 'any' })).toMatchObject([409, { refusal: 'not-gated' }]);
  });

  test('is not taken from a browser that was logged in, whoever made it send that', async () => {
    const basic = `Basic ${Buffer.from(`me:${TOKENS.admin}`).toString('base64')}`;
    const headers = { authorization: basic };
    expect((await fetch(`${world.url}/api/v1/status`, { headers })).status).toBe(200);
    const body = JSON.stringify({ commit: COMMIT, plan: (await keep()).id });
    const answer = await fetch(`${world.url}/api/v1/applies`, { method: 'POST', headers, body });
    expect(answer.status).toBe(401);
  });

  test('takes the right to apply, a commit and a plan', async () => {
    for (const token of [TOKENS.read, PLANNER])
      expect((await ask('applies', token, { commit: COMMIT, plan: 'x' })).status).toBe(403);
    expect((await ask('applies?project=other', APPLIER, { commit: COMMIT, plan: 'x' })).status).toBe(403);
    for (const body of [{}, { commit: 'main', plan: 'x' }, { commit: COMMIT, plan: 'x', tolerance: -1 }])
      expect((await ask('applies', APPLIER, body)).status).toBe(400);
  });
});

describe('capabilities', () => {
  test('say what the server does and what the caller may', async () => {
    const of = async (token: string) =>
      capabilitiesSchema.parse(await (await ask('capabilities', token)).json());
    expect(await of(APPLIER)).toMatchObject({
      project: 'main',
      apply: 'gated',
      github: { statuses: false },
      scopes: ['read', 'plan', 'apply'],
    });
    mode = 'auto';
    expect(await of(TOKENS.read)).toMatchObject({ apply: 'auto', scopes: ['read'] });
  });
});

describe('a login', () => {
  let issuer: Issuer;
  beforeEach(async () => {
    issuer = await startIssuer();
    await world.close();
    const rule = {
      issuer: issuer.url,
      audience: AUDIENCE,
      repository: 'me/services',
      ref: ['refs/heads/main'],
      event: null,
      environment: null,
      jobWorkflowRef: null,
      scopes: ['apply'] as const,
      projects: ['main'],
    };
    const login = createLogin({ rules: [rule], installationKey: Buffer.alloc(32, 7), now: Date.now });
    await start({ login });
  });
  afterEach(() => issuer.close());

  test('gives a token that opens what its rule says, and is recorded under the name of the run', async () => {
    const answer = await ask('login', null, { token: await issuer.token() });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const { token, scopes, expires } = loginAnswerSchema.parse(await answer.json());
    expect(scopes).toEqual(['apply']);
    expect(Date.parse(expires)).toBeGreaterThan(Date.now());
    const { id } = planSchema.parse(await (await ask('plan?keep=1', token)).json());
    expect(await apply({ commit: COMMIT, plan: id }, token)).toMatchObject([202, {}]);
    expect((await world.store.approval('main'))?.by).toBe('me/services@refs/heads/main run 42');
    expect((await ask('status?project=other', token)).status).toBe(403);
  });

  test('keeps plans under labels of its own alone', async () => {
    const answer = await ask('login', null, { token: await issuer.token() });
    const { token } = loginAnswerSchema.parse(await answer.json());
    const keep = (label: string) => ask('plan', token, { files: [], keep: true, label });
    expect((await keep(`Me/services@${COMMIT}`)).status).toBe(200);
    expect((await keep('me/services')).status).toBe(200);
    const refused = await keep(`me/services#12@${COMMIT}`);
    expect([refused.status, apiErrorSchema.parse(await refused.json()).fix]).toEqual([
      403,
      expect.stringContaining('`me/services@`'),
    ]);
  });

  test('that is refused says which claim, and never repeats the token', async () => {
    const token = await issuer.token({ ref: 'refs/heads/dev' });
    const answer = await ask('login', null, { token });
    const text = await answer.text();
    expect([answer.status, text]).toEqual([403, expect.stringContaining('refs/heads/dev')]);
    for (const part of token.split('.')) expect(text).not.toContain(part);
    expect((await ask('login', null, { token: 'x' })).status).toBe(401);
    expect((await ask('login', null, {})).status).toBe(400);
    expect((await ask('login', null, { token: 'x'.repeat(100_000) })).status).toBe(413);
  });

  test('that cannot be judged for want of keys is put off', async () => {
    issuer.isDown = true;
    const answer = await ask('login', null, { token: await issuer.token() });
    expect(answer.status).toBe(503);
    expect(apiErrorSchema.parse(await answer.json()).detail).toContain(issuer.url);
  });

  test('is not there where the server names no issuer', async () => {
    await world.close();
    await start();
    expect((await ask('login', null, { token: 'x' })).status).toBe(404);
  });
});
