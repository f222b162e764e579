// GitHub on loopback, as a job sees it: `emulate` keeps the state that it can keep, and in front of it stands what it lacks.
//
// By emulate: pull requests and their numbers, comments (authors, pages of 100, edits), check runs, webhooks with their HMAC,
// everything else that is asked for.
// By us: the objects of git (trees, blobs, what is ahead of what), read from the real repository, since emulate makes up its own; the commits of pull
// requests, and which of them a commit came from; commit statuses; deployments and their states; annotations of check runs;
// who a token speaks for (`viewer`), tokens that may only read and tokens that nobody gave; answers that go wrong, once or for
// good; the log of calls.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { createEmulator } from 'emulate';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { TestRepo } from '../git.ts';

export const OWNER = 'ada';
export const NAME = 'services';
/** The token of a job with every right that the workflows ask for; of a job of a fork; of a person; of the owner. */
export const TOKENS = { job: 'job-token', fork: 'fork-token', person: 'person-token', owner: 'owner-token' };
export const BOT = 'github-actions[bot]';

export interface Comment {
  readonly id: number;
  readonly author: string;
  readonly body: string;
}

export interface Check {
  readonly id: number;
  readonly name: string;
  readonly commit: string;
  readonly conclusion: string;
  readonly title: string;
  readonly annotations: readonly {
    readonly path: string;
    readonly start_line: number;
    readonly message: string;
  }[];
}

/** How a call is to go wrong. */
export interface Fault {
  /** Of `METHOD /path?query`. */
  readonly call: RegExp;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** Absent: once. */
  readonly times?: number;
  /** It is carried out all the same, and only the answer is lost. */
  readonly isDone?: boolean;
}

export interface TestGitHub {
  readonly url: string;
  /** `METHOD /path?query`, in order. */
  readonly calls: string[];
  /** Opens a pull request whose last commit this is. */
  open(head: string, base: string): Promise<number>;
  push(number: number, head: string): void;
  merge(number: number, commit: string): void;
  comments(number: number): Promise<readonly Comment[]>;
  /** Says something as somebody else. */
  comment(number: number, body: string, token?: string): Promise<number>;
  /** Deletes a comment. */
  forget(comment: number): Promise<void>;
  checks(commit: string): Promise<readonly Check[]>;
  /** Oldest first. */
  statuses(commit: string): readonly { readonly context: string; readonly state: string }[];
  deployments(
    commit: string,
  ): readonly { readonly environment: string; readonly states: readonly string[] }[];
  fail(fault: Fault): void;
  /** Has emulate tell this address of pushes, signed with the secret. */
  hook(url: string, secret: string): Promise<void>;
  /** A push to the branch, as far as webhooks go. */
  tellOfPush(): Promise<void>;
  close(): Promise<void>;
}

interface Pull {
  readonly head: string;
  readonly base: string;
  readonly merged: string | null;
}

interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly task: string;
  readonly states: string[];
}

/** `origin`: where the objects of git are. */
export async function startGitHub(origin: TestRepo): Promise<TestGitHub> {
  const app = new Hono();
  const server = createServer(getRequestListener(app.fetch));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await createEmulator({ service: 'github', port: 0, seed: SEED });
  const behind = createBehind(emulator.url, url);

  const gate = addGate(app);
  addIdentity(app);
  addObjects(app, origin);
  const pulls = addPulls(app, behind);
  const statuses = addStatuses(app);
  const deployments = addDeployments(app);
  const checks = addChecks(app, behind);
  app.all('*', behind.forward);
  let pushes = 0;

  return {
    url,
    calls: gate.calls,
    fail: gate.fail,
    ...pulls,
    async comments(number) {
      const all = await behind.ask('GET', `${REPO}/issues/${number}/comments?per_page=100`);
      const found = z.array(commentSchema).parse(all);
      return found.map(({ id, user, body }) => ({ id, author: user.login, body }));
    },
    async comment(number, body, token = TOKENS.person) {
      const made = await behind.ask('POST', `${REPO}/issues/${number}/comments`, { body }, token);
      return commentSchema.parse(made).id;
    },
    async forget(comment) {
      await behind.ask('DELETE', `${REPO}/issues/comments/${comment}`);
    },
    checks,
    statuses: (commit) => statuses.filter(({ sha }) => sha === commit),
    deployments: (commit) => deployments.filter(({ sha }) => sha === commit),
    async hook(target, secret) {
      const config = { url: target, secret, content_type: 'json' };
      const hook = { name: 'web', active: true, events: ['push'], config };
      await behind.ask('POST', `${REPO}/hooks`, hook, TOKENS.owner);
    },
    async tellOfPush() {
      const file = { message: 'A push', content: btoa('hello'), branch: 'main' };
      await behind.ask('PUT', `${REPO}/contents/told-${++pushes}.txt`, file, TOKENS.owner);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await emulator.close();
    },
  };
}

// Private

const REPO = `/repos/${OWNER}/${NAME}`;

type Behind = ReturnType<typeof createBehind>;

/** Emulate, asked by us and by who asks us. */
function createBehind(emulated: string, url: string) {
  // Links lead back to us.
  const here = (text: string) => text.replaceAll(emulated, url);
  return {
    async ask(method: string, path: string, body?: unknown, token = TOKENS.job): Promise<unknown> {
      const init = { method, headers: headersOf(token) };
      const sent = body === undefined ? init : { ...init, body: JSON.stringify(body) };
      const response = await fetch(`${emulated}${path}`, sent);
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.status === 204 ? null : response.json();
    },
    async forward(c: Context): Promise<Response> {
      const { pathname, search } = new URL(c.req.url);
      const { method } = c.req;
      const body = method === 'GET' ? {} : { body: await c.req.text() };
      const init = { method, headers: headersOf(tokenOf(c)), ...body };
      const answer = await fetch(`${emulated}${pathname}${search}`, init);
      const text = here(await answer.text());
      const link = here(answer.headers.get('link') ?? '');
      return new Response(text === '' ? null : text, {
        status: answer.status,
        headers: { 'content-type': 'application/json', ...(link ? { link } : {}) },
      });
    },
  };
}

function headersOf(token: string) {
  return { authorization: `token ${token}`, 'content-type': 'application/json' };
}

/** Notes every call; lets the faulty ones fail, and those that may not. */
function addGate(app: Hono) {
  const calls: string[] = [];
  const faults: { readonly fault: Fault; left: number }[] = [];
  app.use(async (c, next) => {
    const { pathname, search } = new URL(c.req.url);
    const call = `${c.req.method} ${pathname}${search}`;
    calls.push(call);
    const trouble = faults.find(({ fault, left }) => left > 0 && fault.call.test(call));
    if (trouble) {
      const { status, headers = {}, message = 'as the test wants it', isDone } = trouble.fault;
      trouble.left -= 1;
      if (isDone) await next();
      c.res = c.json({ message }, status as 500, { ...headers });
      return c.res;
    }
    const token = tokenOf(c);
    if (!Object.values(TOKENS).includes(token)) return c.json({ message: 'Bad credentials' }, 401);
    const isWriting = c.req.method !== 'GET' && pathname !== '/graphql';
    if (token !== TOKENS.fork || !isWriting) return next();
    return c.json({ message: 'Resource not accessible by integration' }, 403);
  });
  return { calls, fail: (fault: Fault) => void faults.push({ fault, left: fault.times ?? 1 }) };
}

function addIdentity(app: Hono): void {
  app.post('/graphql', (c) => {
    const login = tokenOf(c) === TOKENS.person ? 'grace' : BOT;
    return c.json({ data: { viewer: { login } } });
  });
}

function addObjects(app: Hono, origin: TestRepo): void {
  app.get(`${REPO}/git/trees/:sha`, (c) => {
    const sha = c.req.param('sha');
    const deep = c.req.query('recursive') ? ['-r', '-t'] : [];
    const listed = origin
      .git('ls-tree', '-l', '-z', ...deep, sha)
      .split('\0')
      .filter(Boolean);
    const tree = origin.git('rev-parse', `${sha}^{tree}`);
    return c.json({ sha: tree, tree: listed.map(treeItem), truncated: false });
  });
  app.get(`${REPO}/compare/:range`, (c) => {
    const [base = '', head = ''] = c.req.param('range').split('...');
    const counted = origin.git('rev-list', '--left-right', '--count', `${base}...${head}`);
    const [behind, ahead] = counted.split('\t').map(Number);
    const isApart = behind && ahead;
    return c.json({ status: isApart ? 'diverged' : ahead ? 'ahead' : behind ? 'behind' : 'identical' });
  });
  app.get(`${REPO}/git/blobs/:sha`, (c) => {
    const bytes = execFileSync('git', ['cat-file', 'blob', c.req.param('sha')], { cwd: origin.dir });
    return c.json({ content: bytes.toString('base64'), encoding: 'base64' });
  });
}

/** Their numbers and all that is said there is emulate's; their commits are ours. */
function addPulls(app: Hono, { ask }: Behind): Pick<TestGitHub, 'open' | 'push' | 'merge'> {
  const pulls = new Map<number, Pull>();
  app.get(`${REPO}/pulls/:number{[0-9]+}`, async (c) => {
    const number = Number(c.req.param('number'));
    const shown = z.looseObject({}).parse(await ask('GET', `${REPO}/pulls/${number}`));
    return c.json({ ...shown, ...commitsOf(number, pulls.get(number)) });
  });
  app.get(`${REPO}/commits/:sha/pulls`, (c) => {
    const sha = c.req.param('sha');
    const found = [...pulls].filter(([, { head, merged }]) => head === sha || merged === sha);
    return c.json(found.map(([number, pull]) => commitsOf(number, pull)));
  });
  const known = (number: number): Pull => {
    const pull = pulls.get(number);
    if (pull) return pull;
    throw new Error(`there is no pull request ${number}`);
  };
  return {
    async open(head, base) {
      const wish = { title: 'A change', head: `change-${pulls.size + 1}`, base: 'main' };
      const { number } = z.object({ number: z.int() }).parse(await ask('POST', `${REPO}/pulls`, wish));
      pulls.set(number, { head, base, merged: null });
      return number;
    },
    push: (number, head) => void pulls.set(number, { ...known(number), head }),
    merge: (number, merged) => void pulls.set(number, { ...known(number), merged }),
  };
}

function commitsOf(number: number, pull: Pull | undefined) {
  return {
    number,
    head: { sha: pull?.head, ref: 'change' },
    base: { sha: pull?.base, ref: 'main' },
    merged_at: pull?.merged ? '2026-01-01T00:00:00Z' : null,
    merge_commit_sha: pull?.merged ?? null,
  };
}

function addStatuses(app: Hono) {
  const statuses: { readonly sha: string; readonly context: string; readonly state: string }[] = [];
  app.get(`${REPO}/commits/:sha/statuses`, (c) =>
    c.json(statuses.filter(({ sha }) => sha === c.req.param('sha')).toReversed()),
  );
  app.post(`${REPO}/statuses/:sha`, async (c) => {
    const status = { sha: c.req.param('sha'), ...statusSchema.parse(await c.req.json()) };
    statuses.push(status);
    return c.json(status, 201);
  });
  return statuses;
}

function addDeployments(app: Hono) {
  const deployments: Deployment[] = [];
  app.get(`${REPO}/deployments`, (c) => {
    const { sha, environment, task } = c.req.query();
    const fits = (each: Deployment) =>
      each.sha === sha && each.environment === environment && each.task === task;
    return c.json(deployments.filter(fits));
  });
  app.post(`${REPO}/deployments`, async (c) => {
    const { ref, environment, task } = deploymentSchema.parse(await c.req.json());
    const deployment = { id: deployments.length + 1, sha: ref, environment, task, states: [] };
    deployments.push(deployment);
    return c.json(deployment, 201);
  });
  app.post(`${REPO}/deployments/:id/statuses`, async (c) => {
    const { state } = z.object({ state: z.string() }).parse(await c.req.json());
    deployments.find(({ id }) => id === Number(c.req.param('id')))?.states.push(state);
    return c.json({ state }, 201);
  });
  return deployments;
}

/** Emulate keeps them, and finds them by their id alone. Annotations are ours: GitHub adds those of each request, and takes fifty. */
function addChecks(app: Hono, { ask, forward }: Behind): TestGitHub['checks'] {
  const annotationsOf = new Map<number, Annotations>();
  const take = async (c: Context, id?: number): Promise<Response> => {
    const { output } = z.object({ output: annotationsSchema }).parse(JSON.parse(await c.req.text()));
    if (output.annotations.length > 50) return c.json({ message: 'more than 50 annotations' }, 422);
    const answer = await forward(c);
    const of = id ?? z.object({ id: z.int() }).parse(await answer.clone().json()).id;
    annotationsOf.set(of, [...(annotationsOf.get(of) ?? []), ...output.annotations]);
    return answer;
  };
  app.post(`${REPO}/check-runs`, (c) => take(c));
  app.patch(`${REPO}/check-runs/:id`, (c) => take(c, Number(c.req.param('id'))));
  const read = async ([id, annotations]: readonly [number, Annotations]): Promise<Check> => {
    const run = checkSchema.parse(await ask('GET', `${REPO}/check-runs/${id}`));
    const { name, head_sha: commit, conclusion, output } = run;
    return { id, name, commit, conclusion, title: output.title, annotations };
  };
  return async (commit) =>
    (await Promise.all([...annotationsOf].map(read))).filter((check) => check.commit === commit);
}

const SEED = {
  tokens: {
    [TOKENS.job]: { login: BOT, scopes: ['repo'] },
    [TOKENS.fork]: { login: BOT, scopes: ['repo'] },
    [TOKENS.person]: { login: 'grace', scopes: ['repo'] },
    [TOKENS.owner]: { login: OWNER, scopes: ['repo', 'admin:repo_hook'] },
  },
  github: {
    users: [{ login: OWNER }, { login: 'grace' }, { login: BOT }],
    repos: [{ owner: OWNER, name: NAME, auto_init: true }],
  },
};

const commentSchema = z.object({ id: z.int(), body: z.string(), user: z.object({ login: z.string() }) });
const statusSchema = z.object({
  context: z.string(),
  state: z.string(),
  description: z.string().max(140),
  target_url: z.string().optional(),
});
const deploymentSchema = z.object({
  ref: z.string(),
  environment: z.string().min(1),
  task: z.string(),
  auto_merge: z.literal(false),
});
const checkSchema = z.object({
  id: z.int(),
  name: z.string(),
  head_sha: z.string(),
  conclusion: z.string(),
  output: z.object({ title: z.string() }),
});
const annotationsSchema = z.object({
  annotations: z.array(z.object({ path: z.string(), start_line: z.int(), message: z.string() })),
});
type Annotations = z.infer<typeof annotationsSchema>['annotations'];

function tokenOf(c: Context): string {
  return /^(?:token|bearer) (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
}

/** `<mode> <type> <id> <size>\t<path>` */
function treeItem(line: string) {
  const [head = '', path = ''] = line.split('\t');
  const [mode = '', type = '', sha = '', size] = head.split(/ +/);
  return { path, mode, type, sha, ...(type === 'blob' ? { size: Number(size) } : {}) };
}
