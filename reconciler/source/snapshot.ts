// The configuration files of the newest commit, parsed, kept in memory between commits: a push costs what it changed.
import type { Problem } from '../../schemas/errors.ts';
import { DEFAULT_POLICY, type Policy, parsePolicy } from '../../schemas/policy.ts';
import type { Mention } from '../../schemas/policy-names.ts';
import { type Profiles, parseProfiles } from '../../schemas/profiles.ts';
import type { Source } from './git.ts';
import { isConfigurationPath, type ParsedFile, parseFile } from './parse.ts';
import type { Entry } from './tree.ts';

export interface Snapshot {
  readonly commit: string;
  readonly files: ReadonlyMap<string, ParsedFile>;
  /** null: `trueup.yml` has errors, so what was in force stays. */
  readonly policy: Policy | null;
  /** Of `trueup.yml` and the profiles. */
  readonly problems: readonly Problem[];
  /** The services that `trueup.yml` names. */
  readonly mentions: readonly Mention[];
  /** Errors of the profiles: with any, no file can be read for what it means. */
  readonly doubts: readonly Problem[];
  /** Paths written or removed since the snapshot before; null: anything may have changed. */
  readonly touched: ReadonlySet<string> | null;
}

/** What is remembered between commits: each file's id beside what it parsed to. */
export interface SnapshotCache {
  commit: string | null;
  readonly ids: Map<string, string>;
  readonly parsed: Map<string, ParsedFile>;
  settings: Settings;
}

interface Settings extends Pick<Snapshot, 'policy' | 'problems' | 'mentions' | 'doubts'> {
  readonly profiles: Profiles | null;
}

export function emptyCache(): SnapshotCache {
  return { commit: null, ids: new Map(), parsed: new Map(), settings: noSettings() };
}

/** Reads what differs from the cached commit, and updates the cache. */
export async function readSnapshot(source: Source, cache: SnapshotCache, commit: string): Promise<Snapshot> {
  const root = source.path();
  const isWanted = (path: string) => isConfigurationPath(path) || isSettingsPath(root, path);
  const changes = cache.commit === null ? null : await source.changed(cache.commit, commit);
  const written = changes
    ? changes.written.filter(({ path }) => isWanted(path))
    : await source.list(commit, isWanted);
  const listed = new Set(written.map(({ path }) => path));
  const removed = changes ? changes.removed : [...cache.ids.keys()].filter((path) => !listed.has(path));
  const touchesSettings = [...written.map(({ path }) => path), ...removed].some((path) =>
    isSettingsPath(root, path),
  );
  for (const path of removed) forget(cache, path);
  if (touchesSettings || changes === null) cache.settings = await readSettings(source, root, cache, written);
  // A profile can change the meaning of every file.
  const stale = touchesSettings
    ? await source.list(commit, isConfigurationPath)
    : written.filter(({ path }) => isConfigurationPath(path));
  await parseInto(source, cache, root, stale);
  for (const entry of written) cache.ids.set(entry.path, entry.id);
  cache.commit = commit;
  const touched =
    changes && !touchesSettings
      ? new Set([...changes.written.map(({ path }) => path), ...changes.removed])
      : null;
  const { policy, problems, mentions, doubts } = cache.settings;
  return { commit, files: cache.parsed, policy, problems, mentions, doubts, touched };
}

// Private

function isSettingsPath(root: string, path: string): boolean {
  const inside = root === '' ? path : path.startsWith(`${root}/`) ? path.slice(root.length + 1) : '';
  return /^(trueup\.ya?ml|\.dstack\/profiles\.ya?ml)$/.test(inside);
}

function forget(cache: SnapshotCache, path: string): void {
  cache.ids.delete(path);
  cache.parsed.delete(path);
}

function noSettings(): Settings {
  return { policy: DEFAULT_POLICY, profiles: null, problems: [], mentions: [], doubts: [] };
}

async function readSettings(
  source: Source,
  root: string,
  cache: SnapshotCache,
  written: readonly Entry[],
): Promise<Settings> {
  for (const { path, id } of written) if (isSettingsPath(root, path)) cache.ids.set(path, id);
  const paths = [...cache.ids.keys()].filter((path) => isSettingsPath(root, path)).toSorted();
  const bytes = await source.read(paths.map((path) => cache.ids.get(path) ?? ''));
  const fileOf = (name: string) => {
    const path = paths.find((candidate) => candidate.includes(name));
    return path === undefined ? null : { path, text: decode(bytes.get(cache.ids.get(path) ?? '')) };
  };
  const policy = parsePolicy(fileOf('trueup.y'));
  const profiles = parseProfiles(fileOf('profiles.y'));
  return {
    policy: errorsOf(policy.problems).length > 0 ? null : policy.policy,
    profiles: profiles.profiles,
    problems: [...policy.problems, ...profiles.problems],
    mentions: policy.mentions,
    doubts: errorsOf(profiles.problems),
  };
}

function errorsOf(problems: readonly Problem[]): readonly Problem[] {
  return problems.filter(({ severity }) => severity === 'error');
}

async function parseInto(
  source: Source,
  cache: SnapshotCache,
  root: string,
  entries: readonly Entry[],
): Promise<void> {
  const context = { root, profiles: cache.settings.profiles };
  const readable = entries.filter((entry) => source.problem(entry) === null);
  const bytes = await source.read(readable.map(({ id }) => id));
  for (const entry of entries) {
    const problem = source.problem(entry);
    const text = problem ? '' : decode(bytes.get(entry.id));
    const parsed = parseFile({ path: entry.path, text }, context);
    cache.parsed.set(
      entry.path,
      problem ? { ...parsed, ok: false, spec: null, problems: [problem] } : parsed,
    );
  }
}

const decoder = new TextDecoder();

function decode(bytes: Uint8Array | undefined): string {
  return decoder.decode(bytes ?? new Uint8Array());
}
