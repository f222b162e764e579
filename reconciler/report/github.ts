// GitHub's side of a report: the status of a commit and its deployment to an environment. Every failure has a kind; none
// holds more of an answer than its status.
import { asFailure, Failure } from '../../schemas/errors.ts';
import type { GitHubConfig } from '../config.ts';
import type { CommitReport, DeploymentState, ReportState } from './report.ts';

/** What was said of a commit last. */
export type Said = Pick<CommitReport, 'state' | 'description' | 'deployment'>;

/** Where reports are read by people. */
export interface Board {
  /** null: nothing was ever said of it. Throws `invalid` where the commit is not known. */
  newest(commit: string): Promise<Said | null>;
  /** Safe to repeat, but it is then there twice. */
  say(report: CommitReport, last: Said | null): Promise<void>;
}

export interface GitHubOptions extends Omit<GitHubConfig, 'tokenFrom'> {
  /** Where people see more; null: nowhere that they could reach. */
  readonly targetUrl: string | null;
  /** Epoch ms. */
  readonly now: () => number;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** Loads the client; asks nothing yet. */
export async function openGitHub(options: GitHubOptions): Promise<Board> {
  const { owner, name, environment, targetUrl, now } = options;
  const { rest, paginate } = await clientOf(options);
  const repo = { owner, repo: name };
  const context = `trueup/${environment}`;

  async function statusOf(commit: string): Promise<Omit<Said, 'deployment'> | null> {
    const pages = paginate.iterator(rest.repos.listCommitStatusesForRef, {
      ...repo,
      ref: commit,
      per_page: 100,
    });
    for await (const { data } of pages) {
      const newest = data.find((status) => status.context === context);
      // GitHub's schema says "string"; its documentation names these four.
      if (newest) return { state: newest.state as ReportState, description: newest.description ?? '' };
    }
    return null;
  }

  async function deploymentOf(sha: string): Promise<number | null> {
    const { data } = await rest.repos.listDeployments({ ...repo, sha, environment, task: TASK });
    return data[0]?.id ?? null;
  }

  async function openDeployment(commit: string): Promise<number> {
    const { data } = await rest.repos.createDeployment({
      ...repo,
      ref: commit,
      environment,
      task: TASK,
      description: 'by trueup',
      // Else GitHub merges the default branch into what is deployed, and refuses older commits.
      auto_merge: false,
      // What has to pass was decided before the commit came to the branch.
      required_contexts: [],
    });
    if ('id' in data) return data.id;
    throw new Failure('invalid', 'GitHub made no deployment');
  }

  async function sayDeployment(commit: string, state: DeploymentState, description: string): Promise<void> {
    const found = await deploymentOf(commit);
    // What was never begun need not be ended.
    if (found === null && state === 'inactive') return;
    const deployment_id = found ?? (await openDeployment(commit));
    const link = targetUrl === null ? {} : { log_url: targetUrl };
    await rest.repos.createDeploymentStatus({
      ...repo,
      deployment_id,
      state,
      environment,
      description,
      ...link,
    });
  }

  return {
    newest: (commit) =>
      told(now, async () => {
        const status = await statusOf(commit).catch(async (error) => {
          if (statusCodeOf(error) !== 404) throw error;
          await rest.repos.get(repo);
          throw new Failure('invalid', 'GitHub does not have it');
        });
        if (status === null) return null;
        const deployment = (await deploymentOf(commit)) === null ? null : AFTER[status.state];
        return { ...status, deployment };
      }),
    say: ({ commit, state, description, deployment }, last) =>
      told(now, async () => {
        if (deployment !== null && deployment !== last?.deployment)
          await sayDeployment(commit, deployment, description);
        const link = targetUrl === null ? {} : { target_url: targetUrl };
        await rest.repos.createCommitStatus({ ...repo, sha: commit, context, state, description, ...link });
      }),
  };
}

// Private

/** The same as the Action's: whoever comes second takes up what the first has made. */
const TASK = 'deploy:trueup';

/** What a deployment was last said to be, by the status that was said after it. */
const AFTER: { readonly [state in ReportState]: DeploymentState } = {
  pending: 'in_progress',
  success: 'success',
  failure: 'failure',
  error: 'error',
};

const TIMEOUT_MS = 15_000;
/** Of a limit without an end, "at least one minute"; no limit of GitHub's lasts longer than an hour (docs, "Rate limits for the REST API", 2026). */
const LIMIT_MS = 60_000;
const LONGEST_LIMIT_MS = 3_600_000;

const nothing = () => {};

/** Heavy, so that only who needs it pays for it. */
async function clientOf({ token, api, signal }: GitHubOptions) {
  const { Octokit } = await import('@octokit/rest');
  return new Octokit({
    auth: token,
    baseUrl: api,
    userAgent: 'trueup',
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    request: {
      fetch: (url: string, init: RequestInit) =>
        fetch(url, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) }),
    },
  });
}

async function told<T>(now: () => number, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw failureOf(error, now());
  }
}

/** What the client throws. */
interface HttpError {
  readonly name: string;
  readonly message: string;
  readonly status: number;
  readonly response?: { readonly headers: Headers };
}
type Headers = { readonly [name: string]: string | number | undefined };

/** Of an answer; null: there was none, or it is another error. */
function statusCodeOf(error: unknown): number | null {
  const { status, response } = error as Partial<HttpError>;
  // The client calls a connection that broke 500, without a response.
  return response && status !== undefined ? status : null;
}

function failureOf(error: unknown, now: number): Failure {
  const { name, message = '', response } = error as Partial<HttpError>;
  if (name !== 'HttpError' && name !== 'AbortError') return asFailure(error);
  const status = statusCodeOf(error);
  if (status === null) return new Failure('transient', 'GitHub did not answer');
  const answered = `GitHub answered ${status}`;
  if (isLimit(status, response?.headers ?? {}, message)) {
    const retryAt = now + limitMs(response?.headers ?? {}, now);
    return new Failure('rate-limited', answered, { retryAt });
  }
  if (status === 401 || status === 403) return new Failure('unauthorized', answered);
  if (status === 404) return new Failure('not-found', answered);
  return new Failure(status >= 400 && status < 500 ? 'invalid' : 'transient', answered);
}

/** A 403 is a limit only if it says so. */
function isLimit(status: number, headers: Headers, message: string): boolean {
  const saysSo =
    headers['retry-after'] !== undefined ||
    String(headers['x-ratelimit-remaining']) === '0' ||
    /rate limit/i.test(message);
  return status === 429 || (status === 403 && saysSo);
}

function limitMs(headers: Headers, now: number): number {
  const after = headers['retry-after'];
  const ms = after === undefined ? Number(headers['x-ratelimit-reset']) * 1000 - now : Number(after) * 1000;
  return Number.isFinite(ms) ? Math.min(LONGEST_LIMIT_MS, Math.max(1000, ms)) : LIMIT_MS;
}
