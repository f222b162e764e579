// The commits of a scenario as whole trees: folders read, files laid over, removed ones left out.
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { stringify } from 'yaml';
import type { Say } from '../../../schemas/fields.ts';
import type { CommitShape } from './schema.ts';

export interface CommitSpec {
  /** From 1, in the order of time. */
  readonly number: number;
  readonly name: string | null;
  readonly atMs: number;
  readonly message: string;
  readonly author: string;
  /** All files of the repository, by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** `base`: the folder of the scenario file; nothing outside of it is read. */
export function commitSpecs(
  shapes: readonly CommitShape[],
  policy: { readonly [key: string]: unknown } | null,
  base: string,
  say: Say,
): CommitSpec[] {
  const indexed = shapes.map((shape, index) => ({ shape, index, atMs: shape.at ?? 0 }));
  let files: ReadonlyMap<string, string> = new Map();
  return indexed
    .toSorted((a, b) => a.atMs - b.atMs || a.index - b.index)
    .map(({ shape, index, atMs }, order) => {
      files = treeAfter(files, shape, base, (path, ...words) => say(['commits', index, ...path], ...words));
      const whole = policy === null ? files : new Map([['trueup.yml', stringify(policy)], ...files]);
      return {
        number: order + 1,
        name: shape.name ?? null,
        atMs,
        message: shape.message ?? messageOf(shape),
        author: shape.author ?? 'somebody',
        files: whole,
      };
    });
}

// Private

function messageOf({ name, files, folder, remove }: CommitShape): string {
  if (name != null) return name;
  const parts = [
    folder ?? [],
    Object.keys(files ?? {}),
    (remove ?? []).map((path) => `without ${path}`),
  ].flat();
  return parts.length > 3 ? `${parts.slice(0, 3).join(', ')} and ${parts.length - 3} more` : parts.join(', ');
}

function treeAfter(
  before: ReadonlyMap<string, string>,
  { folder, files, remove }: CommitShape,
  base: string,
  say: Say,
): ReadonlyMap<string, string> {
  const after = new Map((folder == null ? null : readFolder(folder, base, say)) ?? before);
  for (const [path, content] of Object.entries(files ?? {})) {
    if (!isInside(path))
      say(
        ['files', path],
        `\`${path}\` is not a path inside the repository`,
        'Write it from the root, without `..`.',
      );
    after.set(path, typeof content === 'string' ? content : stringify(content));
  }
  for (const [index, path] of (remove ?? []).entries()) {
    if (after.delete(path)) continue;
    const known = [...after.keys()].join(', ') || 'nothing';
    say(['remove', index], `there is no \`${path}\` to remove`, `There is ${known}.`);
  }
  return after;
}

function isInside(path: string): boolean {
  return path !== '' && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** More is no set of configurations. */
const MOST_FILES = 5_000;
const MOST_BYTES = 1 << 20;
const SKIPPED = new Set(['.git', 'node_modules', '.trueup']);

/** null: it cannot be read, and that was said. */
function readFolder(folder: string, base: string, say: Say): Map<string, string> | null {
  const problem = problemWith(folder, base);
  if (problem !== null) {
    say(['folder'], ...problem);
    return null;
  }
  const top = resolve(base, folder);
  const nameOf = (path: string) => relative(top, path).split(sep).join('/');
  return new Map(filesBelow(top).map((path) => [nameOf(path), readFileSync(path, 'utf8')]));
}

/** It must be a folder with something in it, below the scenario file, and not by way of a link. */
function problemWith(folder: string, base: string): readonly [message: string, fix: string] | null {
  const top = resolve(base, folder);
  if (top !== base && !top.startsWith(`${base}${sep}`))
    return [`\`${folder}\` is outside of the folder of the scenario`, 'Move it below the scenario file.'];
  if (!statSync(top, { throwIfNoEntry: false })?.isDirectory())
    return [`there is no folder \`${folder}\``, 'Write a path relative to the scenario file.'];
  if (realpathSync(top) !== join(realpathSync(base), relative(base, top)))
    return [`\`${folder}\` leads through a link, and links are not followed`, 'Name the folder itself.'];
  return filesBelow(top).length > 0 ? null : [`\`${folder}\` holds no files`, 'Put service files into it.'];
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const found = entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() && lstatSync(path).size <= MOST_BYTES ? [path] : [];
  });
  return found.slice(0, MOST_FILES);
}
