// What the files of a commit make of the desired documents. A file that says nothing valid changes nothing: whatever
// was made of it when it was last good stays, and says why.
import type { DesiredRecord } from '../schemas/desired.ts';
import type { Problem } from '../schemas/errors.ts';
import { DEFAULT_POLICY, type Policy, rolloutPolicy } from '../schemas/policy.ts';
import { isSameValue } from './plan/same.ts';
import { type AssembleOptions, assemble } from './source/assemble.ts';
import { mountedPaths, readMountIds } from './source/content.ts';
import type { Source } from './source/git.ts';
import { type ParsedFile, parseTree } from './source/parse.ts';
import type { Snapshot } from './source/snapshot.ts';

export interface DesireOptions extends Pick<AssembleOptions, 'secrets' | 'vault' | 'refusal'> {
  readonly source: Pick<Source, 'object'>;
  /** What counts while `trueup.yml` has errors. */
  readonly lastPolicy: Policy | null;
}

type Records = Map<string, DesiredRecord>;

/** The documents of all services that some file declares. Without `isAll`, only what the commit touched is made anew. */
export async function desiredOf(
  options: DesireOptions,
  snapshot: Snapshot,
  known: ReadonlyMap<string, DesiredRecord>,
  isAll: boolean,
): Promise<Records> {
  const policy = snapshot.policy ?? options.lastPolicy ?? DEFAULT_POLICY;
  const { services, conflicts } = parseTree([...snapshot.files.values()], policy);
  const specs = [...services.values()].flatMap(({ spec }) => spec ?? []);
  const mountIds = await readMountIds(options.source, snapshot.commit, mountedPaths(specs));
  const mountId = (path: string) => mountIds.get(path) ?? null;
  const next: Records = new Map();
  for (const [name, file] of services) {
    const before = known.get(name) ?? null;
    const isTouched = isAll || snapshot.touched === null || snapshot.touched.has(file.path);
    const stays = before && isSound(before) && !isTouched && !hasMounts(file) && saysTheSame(before, file);
    const own = rolloutPolicy(policy, name, file.spec?.model != null);
    const making = { ...options, mountId, commit: snapshot.commit, policy: own };
    next.set(name, stays ? before : recordOf(making, snapshot.doubts, file, before));
  }
  for (const [name, problems] of conflicts) next.set(name, kept(known.get(name) ?? null, problems));
  keepFormer(snapshot, known, next);
  return next;
}

export function errorsOf(problems: readonly Problem[]): readonly Problem[] {
  return problems.filter(({ severity }) => severity === 'error');
}

// Private

/**
 * What its file asks for is in force. Problems may come from outside the file, as those of a name claimed twice do:
 * they can end without it being touched.
 */
function isSound({ removed, problems, pending }: DesiredRecord): boolean {
  return !removed && !pending && errorsOf(problems).length === 0;
}

/** What it names may have come or gone with other files. */
function saysTheSame({ problems }: DesiredRecord, file: ParsedFile): boolean {
  return problems.length === 0 && file.problems.length === 0 ? true : isSameValue(problems, warningsOf(file));
}

function warningsOf({ problems }: ParsedFile): readonly Problem[] {
  return problems.filter(({ severity }) => severity === 'warning');
}

function hasMounts(file: ParsedFile): boolean {
  return file.spec !== null && mountedPaths([file.spec]).length > 0;
}

function recordOf(
  options: AssembleOptions,
  doubts: readonly Problem[],
  file: ParsedFile,
  before: DesiredRecord | null,
): DesiredRecord {
  const warnings = warningsOf(file);
  const assembled = assemble(file, options);
  const errors = [...doubts, ...(assembled.ok ? [] : assembled.problems)];
  if (!assembled.ok || errors.length > 0) return kept(before, [...errors, ...warnings]);
  const same = before?.service?.digest === assembled.service.digest && before.service.file === file.path;
  return { service: same ? before.service : assembled.service, removed: false, problems: warnings };
}

function kept(before: DesiredRecord | null, problems: readonly Problem[]): DesiredRecord {
  return { service: before?.service ?? null, removed: false, problems };
}

/**
 * A file with errors still holds the service it gave when it was last good, under whatever name; one that was never
 * good shows under the name it has now.
 */
function keepFormer(snapshot: Snapshot, known: ReadonlyMap<string, DesiredRecord>, next: Records): void {
  const holding = new Set<string>();
  for (const [name, record] of known) {
    const file = snapshot.files.get(record.service?.file ?? '');
    const errors = file ? errorsIn(file, next) : [];
    if (!file || next.has(name) || errors.length === 0) continue;
    next.set(name, kept(record, errors));
    holding.add(file.path);
  }
  for (const { ok, path, type, name, problems } of snapshot.files.values()) {
    const isService = type === null || type === 'service';
    if (ok || !isService || name === null || holding.has(path) || next.has(name)) continue;
    next.set(name, kept(known.get(name) ?? null, problems));
  }
}

/** What keeps a file from giving the service it names: in itself, or in what it needs around it. */
function errorsIn({ ok, type, name, problems }: ParsedFile, next: Records): readonly Problem[] {
  if (!ok) return problems;
  return type === 'service' ? errorsOf(next.get(name ?? '')?.problems ?? []) : [];
}
