// The one comment on a pull request that is kept up to date: found by its hidden marker and its author among all that
// there are. An older run never overwrites what a newer one wrote, and what says the same is not written twice.
import { essenceOf, parseMarker } from '../comment.ts';
import type { Marker } from '../view.ts';
import { type GitHub, isAmbiguous, type Repo } from './client.ts';

export interface CommentWish {
  readonly number: number;
  /** Names the comment, and when its writer began. */
  readonly marker: Pick<Marker, 'project' | 'path' | 'at' | 'run'>;
  readonly body: string;
  /** Another one each time, rather than the same. */
  readonly isNew: boolean;
}

export type Written =
  | { readonly kind: 'created' | 'updated' | 'same'; readonly url: string }
  /** A run that began later has written already. */
  | { readonly kind: 'newer' };

export interface CommentStore {
  write(wish: CommentWish): Promise<Written>;
}

export function createCommentStore(github: GitHub, repo: Repo): CommentStore {
  let author: Promise<string> | null = null;
  const whoami = () => (author ??= loginOf(github));
  /** Where it was the last time: a rollout is told in many words, and all comments need not be read for each. */
  let known: number | null = null;
  const attempt = async (wish: CommentWish): Promise<Written> => {
    const found = wish.isNew
      ? null
      : ((await again(github, repo, wish, known)) ?? (await find(github, repo, wish, await whoami())));
    if (!found) return created(github, repo, wish);
    known = found.id;
    if (isNewer(found.marker, wish.marker)) return { kind: 'newer' };
    if (essenceOf(found.body) === essenceOf(wish.body)) return { kind: 'same', url: found.url };
    const { data } = await github.rest.issues.updateComment({
      ...repo,
      comment_id: found.id,
      body: wish.body,
    });
    return { kind: 'updated', url: data.html_url };
  };
  return {
    async write(wish) {
      try {
        return await attempt(wish);
      } catch (error) {
        // It may be there all the same: look before another one is made.
        if (wish.isNew || !isAmbiguous(error)) throw error;
        return attempt(wish);
      }
    },
  };
}

// Private

interface Found {
  readonly id: number;
  readonly body: string;
  readonly url: string;
  readonly marker: Marker;
}

function isNewer(theirs: Order, ours: Order): boolean {
  if (theirs.run && ours.run && theirs.run !== ours.run) return theirs.run > ours.run;
  return theirs.at > ours.at;
}

type Order = Pick<Marker, 'at' | 'run'>;

/** Whoever the token speaks for. The token of a job may not ask `GET /user`, but GraphQL it may. */
async function loginOf(github: GitHub): Promise<string> {
  const viewer = async () =>
    (await github.graphql<{ readonly viewer: { readonly login: string } }>('{viewer{login}}')).viewer.login;
  const user = async () => (await github.rest.users.getAuthenticated()).data.login;
  return viewer()
    .catch(user)
    .catch(() => 'github-actions[bot]');
}

/** null: it is not known, is gone, or is another one. */
async function again(
  github: GitHub,
  repo: Repo,
  { marker }: CommentWish,
  known: number | null,
): Promise<Found | null> {
  if (known === null) return null;
  const answer = await github.rest.issues.getComment({ ...repo, comment_id: known }).catch(() => null);
  const { id, body = '', html_url: url } = answer?.data ?? {};
  const theirs = parseMarker(body);
  return id && url && theirs && isOf(theirs, marker) ? { id, body, url, marker: theirs } : null;
}

function isOf(theirs: Names, ours: Names): boolean {
  return theirs.project === ours.project && theirs.path === ours.path;
}

type Names = Pick<Marker, 'project' | 'path'>;

/** The newest, should there be several. */
async function find(
  github: GitHub,
  repo: Repo,
  { number, marker }: CommentWish,
  author: string,
): Promise<Found | null> {
  const pages = github.paginate.iterator(github.rest.issues.listComments, {
    ...repo,
    issue_number: number,
    per_page: 100,
  });
  let found: Found | null = null;
  for await (const { data } of pages) {
    for (const { id, user, body = '', html_url: url } of data) {
      if (!user || !isSame(user, author)) continue;
      const theirs = parseMarker(body);
      if (theirs && isOf(theirs, marker)) found = { id, body, url, marker: theirs };
    }
  }
  return found;
}

/** GraphQL may call a bot by its name alone, REST adds `[bot]`. */
function isSame(user: { readonly login: string; readonly type: string }, author: string): boolean {
  return user.login === author || (user.type === 'Bot' && user.login === `${author}[bot]`);
}

async function created(github: GitHub, repo: Repo, { number, body }: CommentWish): Promise<Written> {
  const { data } = await github.rest.issues.createComment({ ...repo, issue_number: number, body });
  return { kind: 'created', url: data.html_url };
}
