// What a commit asks for around its services: fleets, volumes, and the pool of idle machines. A file with errors, or a name that two
// files claim, changes nothing: what was good before stays, and says why.
import type { Around, DesiredAround } from '../schemas/around.ts';
import type { DesiredRecord } from '../schemas/desired.ts';
import type { Problem } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { IDLE_POOL } from '../schemas/fleet.ts';
import { IDLE_POOL_SPEC } from '../schemas/fleet-spec.ts';
import { canonical } from '../schemas/json.ts';
import { aroundOf, type Kind, nameAround } from '../schemas/keys.ts';
import { errorsOf } from './desire.ts';
import { aroundText } from './plan/around-text.ts';
import { fleetsAsked } from './plan/fleet/asked.ts';
import type { ParsedFile } from './source/parse.ts';
import type { Snapshot } from './source/snapshot.ts';
import type { DesiredChange } from './store/store.ts';

export function aroundWanted(
  { files, commit }: Pick<Snapshot, 'files' | 'commit'>,
  known: Around,
  services: ReadonlyMap<string, DesiredRecord>,
): Around {
  const wanted = new Map<string, DesiredAround>();
  for (const [name, claimants] of claimsIn(files)) {
    const before = known.get(name);
    const [file] = claimants;
    const problems =
      claimants.length > 1 ? claimants.map((each) => claimedTwice(each, claimants)) : errorsIn(file);
    const spec = problems.length > 0 ? before?.spec : (file?.fleet ?? file?.volume);
    if (spec && file)
      wanted.set(name, kept(before, { file: file.path, commit, spec, problems } as DesiredAround));
  }
  for (const [name, before] of known) {
    // One that cannot be read at all does not say what it is any more.
    const problems = errorsIn(files.get(before.file));
    if (!wanted.has(name) && problems.length > 0) wanted.set(name, kept(before, { ...before, problems }));
  }
  const pool = nameAround('fleet', IDLE_POOL);
  const isPooled = [...services.values()].some(({ service }) => service && usesPool(service.spec));
  if (isPooled && !wanted.has(pool))
    wanted.set(pool, kept(known.get(pool), { file: '', commit, spec: IDLE_POOL_SPEC, problems: [] }));
  return wanted;
}

/** What is wrong with names that several files claim, where nothing is kept that could say so itself. */
export function aroundConflicts(files: Snapshot['files'], wanted: Around): Problem[] {
  return [...claimsIn(files)]
    .filter(([name, claimants]) => claimants.length > 1 && !wanted.has(name))
    .flatMap(([, claimants]) => claimants.map((each) => claimedTwice(each, claimants)));
}

export function aroundChanges(project: string, known: Around, next: Around): DesiredChange[] {
  const written = [...next].filter(([name, fleet]) => known.get(name) !== fleet);
  const removed = [...known.keys()].filter((name) => !next.has(name)).map((name) => [name, null] as const);
  return [...written, ...removed].map(([name, desired]) => ({ key: `${project}/${name}`, desired }));
}

export function aroundNews(known: Around, next: Around, commit: string): NewEvent[] {
  const told = [...next].flatMap(([service, is]) => changeEvents(service, known.get(service), is));
  const gone = [...known.keys()].filter((name) => !next.has(name));
  return [
    ...told,
    ...gone.map(
      (service): NewEvent => ({
        service,
        event: 'removed',
        reason: GONE[aroundOf(service)?.kind ?? 'fleet'],
      }),
    ),
  ].map((event) => ({ ...event, commit }));
}

// Private

const GONE: { readonly [kind in Kind]: string } = {
  fleet: 'it is not asked for any more; its machines end once nobody uses them',
  volume: 'its file is gone; the volume stays, with what is on it: only a person deletes it, where it is',
};

function claimsIn(files: Snapshot['files']): Map<string, ParsedFile[]> {
  return Map.groupBy(
    [...files.values()].filter(({ type, name }) => (type === 'fleet' || type === 'volume') && name !== null),
    ({ type, name }) => nameAround(type as Kind, name ?? ''),
  );
}

function errorsIn(file: ParsedFile | undefined): readonly Problem[] {
  return file && !file.ok ? errorsOf(file.problems) : [];
}

/** The very same record where it asks for the same. */
function kept(before: DesiredAround | undefined, now: DesiredAround): DesiredAround {
  const isSame = before && canonical({ ...before, commit: '' }) === canonical({ ...now, commit: '' });
  return isSame ? before : now;
}

function usesPool(spec: NonNullable<DesiredRecord['service']>['spec']): boolean {
  return spec.groups.some(({ placement }) => fleetsAsked(placement, spec)?.includes(IDLE_POOL));
}

function claimedTwice({ path, type, name, locate }: ParsedFile, claimants: readonly ParsedFile[]): Problem {
  const others = claimants.filter((each) => each.path !== path).map((each) => each.path);
  return {
    file: path,
    ...locate('name'),
    path: 'name',
    message: `the ${type} \`${name}\` is also declared by ${others.join(', ')}`,
    fix: `Give each ${type} a name of its own.`,
    severity: 'error',
  };
}

function changeEvents(service: string, was: DesiredAround | undefined, is: DesiredAround): NewEvent[] {
  const { file, spec, problems } = is;
  const [problem] = errorsOf(problems);
  if (problem && canonical(problems) === canonical(was?.problems ?? [])) return [];
  if (problem) {
    const reason = `${problem.file}:${problem.line}:${problem.column} ${problem.message}; the last good spec stays`;
    return [{ service, event: 'invalid', reason }];
  }
  if (was && canonical(was.spec) === canonical(spec)) return [];
  return [
    {
      service,
      event: 'desired',
      reason: `${aroundText(is)}${file === '' ? '' : `, from ${file}`}`,
    },
  ];
}
