// The bare clone in the data dir: one branch, one commit deep, never collected by git.
//   refs/tip/<repository>/<ref>   where the watched ref was when last fetched
//   refs/trueup/<commit>          a commit in use: a force-push cannot take it from us
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Git, mirrorDir } from './git-env.ts';

export interface Commit {
  readonly commit: string;
  /** Epoch ms. */
  readonly committedAt: number;
  readonly subject: string;
  readonly author: string;
}

export interface Watched {
  /** What people call it; stays the same wherever `url` leads today. */
  readonly repo: string;
  readonly url: string;
  readonly ref: string;
}

/** Makes the clone if there is none, or none with ids of this length. Safe to repeat. */
export async function prepareMirror(git: Git, dir: string, idLength = 40): Promise<void> {
  const mirror = mirrorDir(dir);
  const format = idLength === 64 ? 'sha256' : 'sha1';
  if (existsSync(join(mirror, 'HEAD'))) {
    const config = readFileSync(join(mirror, 'config'), 'utf8');
    if (/objectformat = sha256/i.test(config) === (format === 'sha256')) return;
    rmSync(mirror, { recursive: true });
  }
  await git.run(['init', '--quiet', '--bare', `--object-format=${format}`]);
}

/** Removes what a killed git left: its locks would refuse every later fetch. Only while none of ours runs. */
export function sweepMirror(dir: string): void {
  const mirror = mirrorDir(dir);
  if (!existsSync(mirror)) return;
  for (const place of ['.', 'refs', join('objects', 'pack')]) {
    const recursive = place === 'refs';
    for (const name of readdirSync(join(mirror, place), { recursive, encoding: 'utf8' })) {
      if (/\.lock$|(^|\/)\.?tmp_/.test(name)) rmSync(join(mirror, place, name), { force: true });
    }
  }
}

/** True when this repository was fetched before, now or in an earlier life. */
export async function wasFetched(git: Git, repo: string): Promise<boolean> {
  return (await git.run(['for-each-ref', '--count=1', `refs/tip/${nameFor(repo)}`])) !== '';
}

/**
 * Fetches the tip of `ref` and keeps it. `forced`: the commit fetched before is not part of its history (or of what
 * the server gives of it).
 */
export async function fetchTip(
  git: Git,
  watched: Watched,
  wanted: string,
): Promise<Commit & { readonly forced: boolean }> {
  const tip = `refs/tip/${nameFor(watched.repo)}/${nameFor(watched.ref)}`;
  const from = ['--', watched.url, `+${watched.ref}:${tip}`];
  const before = (await git.run(['for-each-ref', '--format=%(objectname)', tip])).trim();
  if (before !== wanted) await git.run([...FETCH, '--depth=1', ...from]);
  const { parents, ...commit } = await readCommit(git, tip);
  await git.run(['update-ref', keptAs(commit.commit), commit.commit]);
  const follows = before === '' || [commit.commit, ...parents].includes(before);
  return { ...commit, forced: !follows && !(await descends(git, from, before, commit.commit)) };
}

/** Lets go of every kept commit but these. */
export async function keepOnly(git: Git, commits: readonly string[]): Promise<void> {
  const kept = new Set(commits.map(keptAs));
  const refs = (await git.run(['for-each-ref', '--format=%(refname)', 'refs/trueup/'])).split('\n');
  const dropped = refs.filter((ref) => ref !== '' && !kept.has(ref));
  if (dropped.length === 0) return;
  await git.run(['update-ref', '--stdin'], dropped.map((ref) => `delete ${ref}\n`).join(''));
}

// Private

/** With progress, so that a slow transfer is not taken for a dead one. */
const FETCH = [
  'fetch',
  '--progress',
  '--no-tags',
  '--no-write-fetch-head',
  '--update-shallow',
  '--no-recurse-submodules',
] as const;

function keptAs(commit: string): string {
  return `refs/trueup/${commit}`;
}

/** A repository or a ref as one part of a ref's name. */
function nameFor(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Whether `before` is in the history of `after`: fetches the commits since `before`, for one deep tells nothing. */
async function descends(git: Git, from: readonly string[], before: string, after: string): Promise<boolean> {
  try {
    const times = [before, after].map(async (id) => (await readCommit(git, id)).committedAt);
    // A day more: clocks of different people differ.
    const since = Math.min(...(await Promise.all(times))) / 1000 - 86_400;
    await git.run([...FETCH, `--shallow-since=${since}`, ...from]);
    return (await git.run(['rev-list', '--max-count=1', before, `^${after}`])) === '';
  } catch {
    // Not known to follow, so said not to.
    return false;
  }
}

/** Reads the raw object, which names its parents even where the clone is cut off. */
async function readCommit(git: Git, name: string): Promise<Commit & { readonly parents: readonly string[] }> {
  const object = await git.run(['cat-file', '--batch'], `${name}\n`);
  const start = object.indexOf('\n');
  const end = object.indexOf('\n\n', start);
  const head = object.slice(start + 1, end);
  const [title = ''] = object
    .slice(end)
    .trim()
    .split(/\n\s*\n/);
  return {
    commit: object.slice(0, object.indexOf(' ')),
    parents: [...head.matchAll(/^parent (\S+)$/gm)].map(([, parent = '']) => parent),
    committedAt: Number(/^committer .* (\d+) [+-]\d+$/m.exec(head)?.[1] ?? 0) * 1000,
    author: plain(/^author (.*?) ?</m.exec(head)?.[1] ?? ''),
    subject: plain(title),
  };
}

/** One line without control characters: it is shown in terminals and comments. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').slice(0, 200);
}
