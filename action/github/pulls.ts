// Pull requests: where one stands now, and which one a commit came from, however it was merged.
import type { GitHub, Repo } from './client.ts';

export interface Pull {
  readonly number: number;
  /** Its last commit. */
  readonly head: string;
}

/** How a pull request stands now; `isOver`: merged or closed. */
export async function standingOf(github: GitHub, repo: Repo, number: number) {
  const { data } = await github.rest.pulls.get({ ...repo, pull_number: number });
  return { head: data.head.sha, isOver: data.state === 'closed' || Boolean(data.merged_at) };
}

/** Whether a commit has all that another one has, and more. */
export async function isAhead(github: GitHub, repo: Repo, commit: string, other: string): Promise<boolean> {
  const { data } = await github.rest.repos.compareCommitsWithBasehead({
    ...repo,
    basehead: `${other}...${commit}`,
    per_page: 1,
  });
  return data.status === 'ahead';
}

/** null: it was pushed without one. Merge, squash and rebase are all known to GitHub under the commit they made. */
export async function pullOf(
  github: GitHub,
  repo: Repo,
  commit: string,
  branch: string | null,
): Promise<Pull | null> {
  const all = await github.paginate(github.rest.repos.listPullRequestsAssociatedWithCommit, {
    ...repo,
    commit_sha: commit,
    per_page: 100,
  });
  const merged = all.filter(
    ({ merged_at, base }) => merged_at !== null && (branch === null || base.ref === branch),
  );
  const exact = merged.find(({ merge_commit_sha }) => merge_commit_sha === commit);
  const found = exact ?? merged.toSorted((a, b) => ((a.merged_at ?? '') < (b.merged_at ?? '') ? 1 : -1))[0];
  return found ? { number: found.number, head: found.head.sha } : null;
}
