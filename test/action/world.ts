// What a team has: a repository on a git server, GitHub with its pull requests, a trueup that watches the repository, and
// jobs that run the committed bundle. Everything is real but GitHub and its issuer of identities.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../e2e/daemon.ts';
import { newHome } from '../e2e/repo.ts';
import { type GitServer, makeBare, openRepo, serveGit } from '../git.ts';
import { type Issuer, startIssuer } from '../reconciler/issuer.ts';
import { NAME, OWNER, startGitHub, type TestGitHub } from './github.ts';
import { pullPayload, pushPayload, type Result, type Running, type Step, startStep } from './runner.ts';

export type Files = { readonly [path: string]: string | null };
export type Inputs = Readonly<Record<string, string>>;

export interface Pull {
  readonly number: number;
  readonly head: string;
  /** What main was at, and what merging it gave, when it was last pushed. */
  readonly base: string;
  readonly merge: string;
}

export interface World {
  readonly dir: string;
  readonly github: TestGitHub;
  daemon(): Daemon;
  /** Ends the daemon alone, and starts it with another price of a replica. */
  restart(pricePerReplica: number): Promise<void>;
  /** Has the webhook tell of a push, and waits until that commit was read. */
  read(commit: string): Promise<void>;
  /** Commits to main and pushes. */
  commit(files: Files): string;
  open(files: Files): Promise<Pull>;
  push(pull: Pull, files: Files): Pull;
  /** Merges as it stands, by one of GitHub's three buttons; gives the commit that main is at then. */
  merge(pull: Pull, how?: 'squash' | 'merge' | 'rebase'): string;
  /** A job of the pull request, with a checkout of what merging it would give. */
  plan(pull: Pull, inputs?: Inputs, more?: Partial<Step>): Promise<Result>;
  /** A job that somebody started on main. */
  planByHand(commit: string, inputs?: Inputs): Promise<Result>;
  /** A job of a push to main. */
  apply(commit: string, inputs?: Inputs, more?: Partial<Step>): Promise<Result>;
  startApply(commit: string, inputs?: Inputs, more?: Partial<Step>): Running;
  close(): Promise<void>;
}

const AUDIENCE = 'https://trueup.test';
/** Of somebody who may plan, and nothing more. */
export const PLANNER = 'trueup_planner_token';
const WEBHOOK_SECRET = 'hook-secret';

export async function startWorld(first: Files): Promise<World> {
  const home = newHome();
  const repo = home.repo();
  repo.commit(first, 'The beginning');
  mkdirSync(join(home.dir, 'git'));
  const origin = openRepo(makeBare(repo, join(home.dir, 'git', `${NAME}.git`)));
  const git = await serveGit(join(home.dir, 'git'));
  const issuer = await startIssuer();
  const identities = await serveIdentities(issuer);
  const start = (price: number) => {
    const config = join(home.dir, 'server.yml');
    writeFileSync(config, JSON.stringify(settings(git, issuer, price)));
    const env = { HOOK_SECRET: WEBHOOK_SECRET };
    return startDaemon({ args: ['--config', config], dataDir: home.dataDir, env });
  };
  const [begun, github] = await Promise.all([start(0.25), startGitHub(origin)]);
  let daemon = begun;
  const hook = async () => {
    for (const project of ['main', 'staging'])
      await github.hook(`${daemon.url}/webhooks/github?project=${project}`, WEBHOOK_SECRET);
  };
  await hook();
  let checkouts = 0;

  const checkout = (commit: string): string => {
    const dir = join(home.dir, `checkout-${++checkouts}`);
    origin.git('worktree', 'add', '--quiet', '--detach', dir, commit);
    return dir;
  };
  const pushMerge = (number: number, head: string): Pull => {
    const base = repo.git('rev-parse', 'main');
    const tree = repo.git('merge-tree', '--write-tree', base, head).split('\n')[0] ?? '';
    const merge = repo.git('commit-tree', tree, '-p', base, '-p', head, '-m', `Merge #${number}`);
    repo.git('push', '--quiet', '--force', 'origin', `${merge}:refs/pull/${number}/merge`);
    return { number, head, base, merge };
  };
  const common = (step: Pick<Step, 'event' | 'ref' | 'sha' | 'payload'>, inputs: Inputs): Step => ({
    dir: home.dir,
    apiUrl: github.url,
    ...step,
    inputs: { server: daemon.url, audience: AUDIENCE, ...inputs },
    env: identities.env(step.event, step.ref),
  });
  const startApply: World['startApply'] = (commit, inputs = {}, more = {}) => {
    const before = origin.git('rev-parse', `${commit}^`);
    const push = {
      event: 'push',
      ref: 'refs/heads/main',
      sha: commit,
      payload: pushPayload(before, commit),
    } as const;
    return startStep({ ...common(push, { mode: 'apply', ...inputs }), ...more });
  };

  return {
    dir: home.dir,
    github,
    daemon: () => daemon,
    async restart(price) {
      const { port } = new URL(daemon.url);
      await daemon.end('SIGTERM');
      daemon = await start(price);
      if (new URL(daemon.url).port === port) return;
      await hook();
    },
    async read(commit) {
      await github.tellOfPush();
      await daemon.until('it was read', (status) => status.commit === commit);
    },
    commit(files) {
      repo.git('checkout', '--quiet', 'main');
      const commit = repo.commit(files);
      repo.git('push', '--quiet', 'origin', 'main');
      return commit;
    },
    async open(files) {
      repo.git('checkout', '--quiet', '--detach', 'main');
      const base = repo.head();
      const head = repo.commit(files);
      const number = await github.open(head, base);
      return pushMerge(number, head);
    },
    push({ number, head }, files) {
      repo.git('checkout', '--quiet', '--detach', head);
      const next = repo.commit(files);
      github.push(number, next);
      return pushMerge(number, next);
    },
    merge({ number, head, base }, how = 'squash') {
      repo.git('checkout', '--quiet', 'main');
      if (how === 'rebase') repo.git('cherry-pick', `${base}..${head}`);
      else if (how === 'squash') repo.git('merge', '--quiet', '--squash', head);
      else repo.git('merge', '--quiet', '--no-ff', '--message', `Merge #${number}`, head);
      const commit = how === 'squash' ? repo.commit({}, `A change (#${number})`) : repo.head();
      repo.git('push', '--quiet', 'origin', 'main');
      github.merge(number, commit);
      return commit;
    },
    async plan({ number, head, base, merge }, inputs = {}, more = {}) {
      const payload = pullPayload({ number, head, base });
      const step = { event: 'pull_request', ref: `refs/pull/${number}/merge`, sha: merge, payload } as const;
      return startStep({ ...common(step, inputs), workspace: checkout(merge), ...more }).result;
    },
    planByHand(commit, inputs = {}) {
      const step = { event: 'workflow_dispatch', ref: 'refs/heads/main', sha: commit, payload: {} } as const;
      return startStep({ ...common(step, inputs), workspace: checkout(commit) }).result;
    },
    apply: (commit, inputs, more) => startApply(commit, inputs, more).result,
    startApply,
    async close() {
      identities.close();
      issuer.close();
      await github.close();
      await git.close();
      await home.remove();
    },
  };
}

// Private

/** `main` waits for approval; `staging`, below a folder of its own, applies what it reads. */
function settings(git: GitServer, issuer: Issuer, price: number) {
  const repo = `${git.url}/${NAME}.git`;
  const common = { repo, local: true, poll: '10m', webhook_secret: 'env:HOOK_SECRET' };
  const rule = { issuer: issuer.url, audience: AUDIENCE, repository: `${OWNER}/${NAME}` };
  return {
    local: { price },
    tokens: [
      { name: 'planner', sha256: createHash('sha256').update(PLANNER).digest('hex'), scopes: ['plan'] },
    ],
    allow_root: true,
    oidc: [
      { ...rule, event: 'pull_request', scopes: ['plan'] },
      { ...rule, ref: 'refs/heads/main', scopes: ['apply'] },
    ],
    projects: {
      main: { ...common, path: 'services', apply: 'gated' },
      staging: { ...common, path: 'staging', apply: 'auto' },
    },
  };
}

/** What gives a job its identity, as a job with `id-token: write` is told of it. */
async function serveIdentities(issuer: Issuer) {
  const server = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (request.headers.authorization !== 'Bearer job-identity') return response.writeHead(401).end();
    const [aud, event_name, ref] = ['audience', 'event', 'ref'].map((name) => searchParams.get(name));
    const value = await issuer.token({ aud, event_name, ref, repository: `${OWNER}/${NAME}` });
    response.end(JSON.stringify({ value }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    env: (event: string, ref: string) => ({
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/?${new URLSearchParams({ event, ref })}`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'job-identity',
    }),
    close: () => server.close(),
  };
}
