// Where and why this job runs, as the runner says: the environment, and the event's payload, which is data of strangers.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Failure } from '../schemas/errors.ts';

export interface Context {
  readonly owner: string;
  readonly repo: string;
  /** Of the repository: what is written there is for everybody. Unless it is said to be private, it is. */
  readonly isPublic: boolean;
  /** What the job is of: for a pull request, what merging it would give. */
  readonly commit: string;
  readonly event: RunEvent;
  /** The page of this run. */
  readonly runUrl: string;
  /** ISO 8601: when this began. */
  readonly at: string;
  /** GitHub's number of this run; absent for a re-run, which has the number of the first attempt. */
  readonly run?: number;
  /** Where a checkout would be; '' when there is no such place. */
  readonly workspace: string;
  /** For files that later steps may read. */
  readonly temp: string;
  readonly apiUrl: string;
}

export type RunEvent =
  | {
      readonly kind: 'pull';
      readonly number: number;
      readonly head: string;
      readonly base: string;
      /** From another repository: its job has no rights here. */
      readonly isFork: boolean;
    }
  /** Pull requests that wait to be merged together: the commit is what that would give. */
  | { readonly kind: 'queue'; readonly base: string }
  | {
      readonly kind: 'commit';
      /** null: a tag, or nothing of the kind. */
      readonly branch: string | null;
      /** What the branch was at before; null: nothing, or nobody says. */
      readonly before: string | null;
      /** Somebody started it by hand. */
      readonly isManual: boolean;
    };

/** Throws `invalid` for an event that has no files to plan, or where reading them would be unsafe. */
export function readContext(env: NodeJS.ProcessEnv, now: Date): Context {
  const { GITHUB_SERVER_URL, GITHUB_REF, GITHUB_RUN_ID, GITHUB_WORKSPACE, GITHUB_API_URL, RUNNER_TEMP } = env;
  const name = needed(env, 'GITHUB_REPOSITORY');
  const [owner = '', repo = ''] = name.split('/');
  const payload = readPayload(needed(env, 'GITHUB_EVENT_PATH'));
  return {
    owner,
    repo,
    isPublic: repositorySchema.safeParse(payload).data?.repository.private !== true,
    commit: needed(env, 'GITHUB_SHA'),
    event: eventOf(needed(env, 'GITHUB_EVENT_NAME'), payload, GITHUB_REF ?? '', name),
    runUrl: `${GITHUB_SERVER_URL || 'https://github.com'}/${name}/actions/runs/${GITHUB_RUN_ID ?? ''}`,
    at: now.toISOString(),
    ...runOf(env),
    workspace: GITHUB_WORKSPACE ?? '',
    temp: RUNNER_TEMP || '.',
    apiUrl: GITHUB_API_URL || 'https://api.github.com',
  };
}

// Private

const sha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);

const repositorySchema = z.object({ repository: z.object({ private: z.boolean() }) });

const pullSchema = z.object({
  pull_request: z.object({
    number: z.int().positive(),
    // The repository of the head is null once it was deleted.
    head: z.object({ sha, repo: z.object({ full_name: z.string() }).nullable() }),
    base: z.object({ sha }),
  }),
});

const queueSchema = z.object({ merge_group: z.object({ base_sha: sha }) });

const pushSchema = z.object({ before: sha });

function eventOf(name: string, payload: unknown, ref: string, repository: string): RunEvent {
  if (name === 'pull_request') return pullOf(payload, repository);
  if (name === 'merge_group') return queueOf(payload);
  if (COMMITS.includes(name)) {
    const before = pushSchema.safeParse(payload).data?.before ?? null;
    const branch = ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : null;
    return {
      kind: 'commit',
      branch,
      before: before && !/^0+$/.test(before) ? before : null,
      isManual: name === MANUAL,
    };
  }
  const fix =
    name === 'pull_request_target'
      ? 'Use `on: pull_request`: files of strangers have no business in a job that holds secrets.'
      : 'Use `on: pull_request` or `merge_group` to plan, and `push`, `workflow_dispatch` or `schedule` to apply.';
  throw new Failure('invalid', `this Action does not run on \`${name}\``, { fix });
}

const MANUAL = 'workflow_dispatch';
const COMMITS = ['push', MANUAL, 'schedule'];

function queueOf(payload: unknown): RunEvent {
  const { data } = queueSchema.safeParse(payload);
  if (data) return { kind: 'queue', base: data.merge_group.base_sha };
  throw new Failure('invalid', 'the payload of the event is not that of a merge queue');
}

function pullOf(payload: unknown, repository: string): RunEvent {
  const { data } = pullSchema.safeParse(payload);
  if (!data) throw new Failure('invalid', 'the payload of the event is not that of a pull request');
  const { number, head, base } = data.pull_request;
  const isFork = head.repo?.full_name.toLowerCase() !== repository.toLowerCase();
  return { kind: 'pull', number, head: head.sha, base: base.sha, isFork };
}

function runOf({ GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT = '1' }: NodeJS.ProcessEnv): { readonly run?: number } {
  const run = Number(GITHUB_RUN_ID);
  return run > 0 && Number.isSafeInteger(run) && GITHUB_RUN_ATTEMPT === '1' ? { run } : {};
}

function needed(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Failure('invalid', `${name} is not set`, { fix: 'This program runs as a GitHub Action.' });
}

function readPayload(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Failure('invalid', 'the payload of the event cannot be read', { cause });
  }
}
