// GitHub's record of a deployment of a commit to an environment, and how it fares. Never merges anything by itself.
import { type GitHub, isAmbiguous, type Repo } from './client.ts';
import { described } from './statuses.ts';

export type DeploymentState = 'queued' | 'in_progress' | 'success' | 'failure' | 'inactive';

export interface Deployment {
  /** Only a change is posted. */
  say(state: DeploymentState, description: string): Promise<void>;
}

export interface DeploymentWish {
  readonly commit: string;
  readonly environment: string;
  /** The page of the run. */
  readonly url: string;
}

/** Takes up the one that an earlier attempt at this commit has made. */
export async function openDeployment(
  github: GitHub,
  repo: Repo,
  { commit, environment, url }: DeploymentWish,
): Promise<Deployment> {
  const take = async () =>
    (await existing(github, repo, commit, environment)) ?? (await make(github, repo, commit, environment));
  const id = await take().catch((error) => {
    // It may be there all the same: look before another one is made.
    if (!isAmbiguous(error)) throw error;
    return take();
  });
  let last: DeploymentState | null = null;
  return {
    async say(state, description) {
      if (state === last) return;
      await github.rest.repos.createDeploymentStatus({
        ...repo,
        deployment_id: id,
        state,
        environment,
        description: described(description),
        log_url: url,
      });
      last = state;
    },
  };
}

// Private

const TASK = 'deploy:trueup';

async function existing(
  github: GitHub,
  repo: Repo,
  sha: string,
  environment: string,
): Promise<number | undefined> {
  const { data } = await github.rest.repos.listDeployments({ ...repo, sha, environment, task: TASK });
  return data[0]?.id;
}

async function make(github: GitHub, repo: Repo, commit: string, environment: string): Promise<number> {
  const { data } = await github.rest.repos.createDeployment({
    ...repo,
    ref: commit,
    environment,
    task: TASK,
    // Else GitHub merges the default branch into what is deployed, and refuses older commits.
    auto_merge: false,
    // What must pass was decided when it was merged.
    required_contexts: [],
    description: 'by trueup',
  });
  if ('id' in data) return data.id;
  throw new Error(data.message ?? 'GitHub made no deployment');
}
