// Follows one ref of the watched repository: where it is, whether it moved, what is wrong when it cannot be read.
import { Failure } from '../../schemas/errors.ts';
import { type Git, type GitOptions, userTrusts, writeConfig } from './git-env.ts';
import { findRepository, type Location } from './location.ts';
import { type Commit, fetchTip, prepareMirror, wasFetched } from './mirror.ts';
import { branchesOf, headRef, nearest, tipOf } from './remote.ts';
import { foldersAt, objectAt } from './tree.ts';

export interface Follower {
  /** `HEAD` or `refs/heads/…`; null until the first contact when none was given, fixed from then on. */
  ref(): string | null;
  /** The commit of the last fetch that went well. */
  newest(): string | null;
  /** See `Source.fetch`. Not to be called while a call runs. */
  fetch(): Promise<Commit & { readonly forced: boolean }>;
}

export function createFollower(options: {
  readonly git: Git;
  readonly gitOptions: GitOptions;
  readonly location: Location;
  readonly ref: string | null;
  readonly path: () => string;
}): Follower {
  const { git, gitOptions, location } = options;
  const { repo, dir } = gitOptions;
  let ref = options.ref;
  let newest: Commit | null = null;

  const fetchNow = async (): Promise<Commit & { readonly forced: boolean }> => {
    const url = addressOf(location);
    ref ??= await headRef(git, url);
    const tip = ref === null ? null : await tipOf(git, url, ref);
    if (ref === null || tip === null) throw await nothingAt(git, url, repo, ref);
    if (tip === newest?.commit) return { ...newest, forced: false };
    await prepareMirror(git, dir, tip.length);
    const { forced, ...commit } = await fetchTip(git, { repo, url, ref }, tip);
    await requireFolder(git, commit.commit, options.path());
    newest = commit;
    return { ...commit, forced };
  };

  let trustIsKnown = false;
  return {
    ref: () => ref,
    newest: () => newest?.commit ?? null,
    async fetch() {
      if (!trustIsKnown) await trustAsUserDoes(gitOptions, location);
      try {
        const fetched = await fetchNow();
        trustIsKnown = true;
        return fetched;
      } catch (error) {
        // The user may declare the folder safe before the next try.
        trustIsKnown = false;
        throw await goneOrNeverThere(git, repo, error);
      }
    },
  };
}

/** The full name of a branch. Throws `invalid` for what is none by the rules of git check-ref-format. */
export function branchRef(branch: string): string {
  const name = branch.replace(/^refs\/heads\//, '');
  // Above all: nothing that a refspec or an option would read as its own.
  if (/^(?![-/.])(?!.*(?:\.\.|\/\/|@\{|\/\.))[^\s~^:?*[\\\p{Cc}]+(?<![/.])$/u.test(name))
    return `refs/heads/${name}`;
  throw new Failure('invalid', `'${branch}' is no branch name`, {
    fix: 'Give --branch the name of a branch, like main.',
  });
}

// Private

/** What git is pointed at. A local repository is looked for each time: it may have moved away and come back. */
function addressOf(location: Location): string {
  if (location.kind === 'remote') return location.url;
  const repository = findRepository(location.path);
  if (repository !== null) return repository.root;
  throw new Failure('not-found', `cannot read ${location.path}: there is no git repository`, {
    fix: 'Check the path, or make one there with: git init',
  });
}

/** Something that was fetched before is only away for a while; something that never was is a mistake in the options. */
async function goneOrNeverThere(git: Git, repo: string, error: unknown): Promise<unknown> {
  if (!(error instanceof Failure) || error.kind !== 'not-found') return error;
  const known = await wasFetched(git, repo);
  return new Failure(known ? 'transient' : 'invalid', error.message, { fix: error.fix, cause: error });
}

async function nothingAt(git: Git, url: string, repo: string, ref: string | null): Promise<Failure> {
  const branches = await branchesOf(git, url);
  if (branches.length === 0) {
    return new Failure('invalid', `${repo} has no commit yet`, { fix: 'Commit and push something to it.' });
  }
  const wanted = ref?.replace(/^refs\/heads\//, '') ?? '';
  const message = ref === null ? `HEAD of ${repo} names no branch` : `${repo} has no branch '${wanted}'`;
  const fix = `Choose one with --branch: ${nearest(branches, wanted).join(', ')}`;
  return new Failure('invalid', message, { fix });
}

/** A missing folder is a failure, so that it is never taken for a folder whose files were all deleted. */
async function requireFolder(git: Git, commit: string, path: string): Promise<void> {
  const found = await objectAt(git, commit, path);
  if (found?.kind === 'folder') return;
  const where = `'${path}' at commit ${commit.slice(0, 8)}`;
  const near = nearest(await foldersAt(git, commit), path).join(', ');
  const message = found === null ? `there is no folder ${where}` : `${where} is a file, not a folder`;
  const fix = near === '' ? 'Leave out --path: the repository has no folders.' : `Folders there: ${near}`;
  throw new Failure('invalid', message, { fix });
}

/** A folder that the user declared safe in one of its spellings is safe in the one git will ask about. */
async function trustAsUserDoes(options: GitOptions, location: Location): Promise<void> {
  const repository = location.kind === 'local' ? findRepository(location.path) : null;
  if (repository === null || location.kind !== 'local') return;
  const trusted = await userTrusts(options.dir);
  const spellings = [location.path, repository.root, repository.gitDir, repository.commonDir];
  const ours = trusted.some((path) => spellings.includes(path)) ? spellings : [];
  writeConfig(options, [...trusted, ...ours]);
}
