// What a set of files asks for, without git: the same parsing and assembling as for a commit. For plans ahead of a push.
import type { DesiredService } from '../schemas/desired.ts';
import type { Problem } from '../schemas/errors.ts';
import { type Policy, parsePolicy } from '../schemas/policy.ts';
import { parseProfiles } from '../schemas/profiles.ts';
import { type AssembleOptions, assemble } from './source/assemble.ts';
import { type MountId, mountedPaths } from './source/content.ts';
import { isConfigurationPath, type ParsedFile, parseFile, parseTree } from './source/parse.ts';

export interface SourceFile {
  /** From the root of the repository, '/'-separated. */
  readonly path: string;
  readonly text: string;
}

export interface WantedServices {
  readonly desired: ReadonlyMap<string, DesiredService>;
  /** Services that the files name but do not describe: what is deployed of them stays. */
  readonly unread: ReadonlySet<string>;
  /** Paths of files with errors: whatever was made of them before stays too. */
  readonly broken: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  /** Of their `trueup.yml`; null while it has errors. */
  readonly policy: Policy | null;
}

export interface ReadFiles extends WantedServices {
  /** All of them, by path. */
  readonly files: ReadonlyMap<string, ParsedFile>;
}

export interface WantedOptions extends Pick<AssembleOptions, 'secrets' | 'vault' | 'refusal'> {
  /** The watched folder, '' for the whole repository; its policy and profiles are found among the files. */
  readonly root: string;
  /** Names the content of what is mounted, as far as it is known. */
  readonly mountIds: (paths: readonly string[]) => Promise<ReadonlyMap<string, MountId>>;
  /** A file by itself: what it names may be declared elsewhere. Absent: the files are all that there are. */
  readonly isAlone?: boolean;
}

export async function wantedOf(
  files: readonly SourceFile[],
  { root, mountIds, isAlone = false, ...options }: WantedOptions,
): Promise<ReadFiles> {
  const { policy, isPolicySound, profiles, problems } = settingsOf(files, root);
  const parsed = files
    .filter(({ path }) => isConfigurationPath(path))
    .map((file) => parseFile(file, { root, profiles }));
  const tree = parseTree(parsed, policy, !isAlone);
  const ids = await mountIds(mountedPaths([...tree.services.values()].flatMap(({ spec }) => spec ?? [])));
  const mountId = (path: string) => ids.get(path) ?? NOT_COMMITTED;
  const desired = new Map<string, DesiredService>();
  const found = [...problems, ...tree.problems];
  for (const [name, file] of tree.services) {
    if (!file.spec) continue;
    const assembled = assemble(file, { ...options, mountId, commit: '', policy: file.spec.policy });
    if (assembled.ok) desired.set(name, assembled.service);
    else found.push(...assembled.problems);
  }
  return {
    desired,
    unread: unreadOf(parsed, tree.conflicts, desired),
    broken: new Set(parsed.filter(({ ok }) => !ok).map(({ path }) => path)),
    problems: unique(found),
    policy: isPolicySound ? policy : null,
    files: new Map(parsed.map((file) => [file.path, file])),
  };
}

/** A problem of a file may come back from assembling it. */
export function unique(problems: readonly Problem[]): Problem[] {
  const byText = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...byText.values()];
}

// Private

/** Content that no commit has yet: it differs from all that is deployed. */
const NOT_COMMITTED = 'not committed';

function settingsOf(files: readonly SourceFile[], root: string) {
  const prefix = root === '' ? '' : `${root}/`;
  const fileOf = (name: string) =>
    files.find(({ path }) => path === `${prefix}${name}.yml` || path === `${prefix}${name}.yaml`) ?? null;
  const { policy, problems } = parsePolicy(fileOf('trueup'));
  const profiles = parseProfiles(fileOf('.dstack/profiles'));
  return {
    policy,
    isPolicySound: problems.every(({ severity }) => severity !== 'error'),
    profiles: profiles.profiles,
    problems: [...problems, ...profiles.problems],
  };
}

function unreadOf(
  parsed: readonly ParsedFile[],
  conflicts: ReadonlyMap<string, readonly Problem[]>,
  desired: ReadonlyMap<string, DesiredService>,
): Set<string> {
  const names = parsed.flatMap(({ ok, type, name }) => (ok && type !== 'service' ? [] : (name ?? [])));
  return new Set([...conflicts.keys(), ...names].filter((name) => !desired.has(name)));
}
