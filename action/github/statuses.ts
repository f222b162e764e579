// The commit's status for one environment. GitHub takes a thousand per commit and context, so only a change is posted.
import { visible } from '../../reconciler/view/text.ts';
import type { GitHub, Repo } from './client.ts';

export interface StatusWish {
  readonly commit: string;
  /** `trueup/ENVIRONMENT` */
  readonly context: string;
  readonly state: 'pending' | 'success' | 'failure';
  readonly description: string;
  readonly url: string;
}

/** As GitHub takes it: one line, not too long, with nothing hidden in it. */
export function described(text: string): string {
  const line = visible(text);
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1).replace(/[\ud800-\udbff]$/, '')}…` : line;
}

export interface Statuses {
  post(wish: StatusWish): Promise<void>;
}

export function createStatuses(github: GitHub, repo: Repo): Statuses {
  const last = new Map<string, string>();
  return {
    async post({ commit, context, state, description, url }) {
      const key = `${commit} ${context}`;
      if (!last.has(key)) last.set(key, await stateOf(github, repo, commit, context));
      if (last.get(key) === state) return;
      await github.rest.repos.createCommitStatus({
        ...repo,
        sha: commit,
        context,
        state,
        description: described(description),
        target_url: url,
      });
      last.set(key, state);
    },
  };
}

// Private

/** GitHub refuses longer ones. */
const LONGEST = 140;

/** '' when there is none yet. Newest first. */
async function stateOf(github: GitHub, repo: Repo, commit: string, context: string): Promise<string> {
  const pages = github.paginate.iterator(github.rest.repos.listCommitStatusesForRef, {
    ...repo,
    ref: commit,
    per_page: 100,
  });
  for await (const { data } of pages) {
    const found = data.find((status) => status.context === context);
    if (found) return found.state;
  }
  return '';
}
