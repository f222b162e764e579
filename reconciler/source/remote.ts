// What the watched repository says about itself: its branches and where they point. Fetches nothing.
import type { Git } from './git-env.ts';

/** The branch HEAD names, or `HEAD` itself where it is detached; null while the repository has no commit there. */
export async function headRef(git: Git, url: string): Promise<string | null> {
  const lines = (await git.run(['ls-remote', '--symref', '--', url, 'HEAD'])).split('\n');
  const branch = lines.map((line) => /^ref: (\S+)\tHEAD$/.exec(line)?.[1]).find((ref) => ref !== undefined);
  if (branch !== undefined) return branch;
  return lines.some((line) => line.endsWith('\tHEAD')) ? 'HEAD' : null;
}

/** The commit `ref` points at; null when there is no such ref. */
export async function tipOf(git: Git, url: string, ref: string): Promise<string | null> {
  const output = await git.run(['ls-remote', '--', url, ref]);
  // The argument is a pattern: it also matches refs that merely end with it.
  const line = output.split('\n').find((each) => each.endsWith(`\t${ref}`));
  return line?.split('\t')[0] ?? null;
}

export async function branchesOf(git: Git, url: string): Promise<readonly string[]> {
  const output = await git.run(['ls-remote', '--heads', '--', url]);
  return output
    .split('\n')
    .map((line) => /\trefs\/heads\/(.+)$/.exec(line)?.[1])
    .filter((name) => name !== undefined);
}

/** Up to five names, those most like `wanted` first. */
export function nearest(names: readonly string[], wanted: string): readonly string[] {
  return names
    .map((name) => ({ name, distance: distance(name, wanted) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 5)
    .map(({ name }) => name);
}

// Private

/** Letters to insert, delete or replace to come from one to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
